/* A few hundred small random problems of every kind, each answer judged by check.c: rank-deficient S and full-rank S, duplicate
 * columns, disconnected ones, both treatments of the diagonal, scaled or not, with and without weights, screening on and off, one
 * and two threads. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/check.h"
#include "ggm/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PROBLEMS 400

static void assert_same(const ggm_result *a, const ggm_result *b, bool bitwise)
{
    assert_true(fabs(a->info.objective - b->info.objective) <= a->info.duality_gap + b->info.duality_gap + 1e-9);
    if (!bitwise)
        return;
    assert_int_equal(a->precision.nnz, b->precision.nnz);
    assert_memory_equal(a->precision.index, b->precision.index, a->precision.nnz * sizeof(int));
    assert_memory_equal(a->precision.value, b->precision.value, a->precision.nnz * sizeof(double));
}

static void test_random_problems(void **state)
{
    (void)state;
    rng r = rng_seeded(20);
    double worst = 0;
    for (int number = 0; number < PROBLEMS; number++) {
        instance x = random_instance(&r, number);
        ggm_settings settings;
        ggm_default_settings(&settings);
        settings.tolerance = number % 7 == 0 ? 1e-9 : 1e-7;
        settings.max_iterations = 20000;
        settings.threads = 1;
        ggm_result result, other;
        assert_int_equal(ggm_solve(&x.problem, &settings, &result), GGM_OK);
        if (result.info.outcome != GGM_CONVERGED)
            print_message("problem %d: p %zu lambda %g gap %g after %d sweeps\n", number, x.problem.p, x.problem.lambda, result.info.relative_duality_gap, result.info.iterations);
        assert_int_equal(result.info.outcome, GGM_CONVERGED);
        verdict v = assert_answer(&x.problem, &result, settings.tolerance);
        if (!(v.relative_gap <= 1e-3))
            print_message("problem %d: judge's gap %g, kkt %g, inverse off by %g\n", number, v.relative_gap, v.kkt, v.inverse_error);
        assert_true(v.relative_gap <= 1e-3);
        worst = fmax(worst, v.relative_gap);

        ggm_certificate certificate;
        assert_int_equal(ggm_certify(&x.problem, &result.precision, 1, &certificate), GGM_OK);
        assert_true(certificate.positive_definite);
        assert_true(fabs(certificate.objective - v.objective) <= 1e-9 * fmax((double)x.problem.p, fabs(v.objective)));
        assert_true(certificate.duality_gap <= fmax(v.gap, 0) + 1e-9 * (double)x.problem.p);

        settings.screening = false;
        assert_int_equal(ggm_solve(&x.problem, &settings, &other), GGM_OK);
        assert_int_equal(other.info.components, 1);
        assert_same(&result, &other, false);
        ggm_result_release(&other);
        settings.screening = true;
        settings.threads = 2;
        assert_int_equal(ggm_solve(&x.problem, &settings, &other), GGM_OK);
        assert_same(&result, &other, true);
        ggm_result_release(&other);
        ggm_result_release(&result);
        instance_release(&x);
    }
    print_message("%d problems, largest relative gap by the judge %.1e\n", PROBLEMS, worst);
}

/* Blocks large enough for all threads to work on one; from 400 on the first sweeps are in single precision */
static void test_threads_bitwise(void **state)
{
    (void)state;
    static const struct {
        int p, n;
        double lambda, tolerance;
    } cases[] = {{260, 150, 0.15, 1e-7}, {260, 100, 0.03, 1e-7}, {420, 300, 0.15, 1e-9}, {420, 60, 0.08, 1e-7}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const int p = cases[c].p;
        rng r = rng_seeded(21 + c);
        double *truth = sparse_truth(&r, p, 4), *s = sample_covariance(&r, truth, p, cases[c].n);
        ggm_problem problem = {.p = (size_t)p, .s = s, .lambda = cases[c].lambda, .penalize_diagonal = c % 2, .scale = true};
        ggm_settings settings;
        ggm_default_settings(&settings);
        settings.tolerance = cases[c].tolerance;
        settings.threads = 1;
        ggm_result one;
        assert_int_equal(ggm_solve(&problem, &settings, &one), GGM_OK);
        assert_int_equal(one.info.outcome, GGM_CONVERGED);
        verdict v = assert_answer(&problem, &one, settings.tolerance);
        print_message("p %d n %d lambda %g: %d sweeps, gap %.1e, judge's gap %.1e, %.2f s\n", p, cases[c].n, cases[c].lambda, one.info.iterations,
                      one.info.relative_duality_gap, v.relative_gap, one.info.seconds);
        assert_true(v.relative_gap <= 1e4 * settings.tolerance);
        for (int threads = 2; threads <= 4; threads++) {
            settings.threads = threads;
            ggm_result several;
            assert_int_equal(ggm_solve(&problem, &settings, &several), GGM_OK);
            assert_same(&one, &several, true);
            ggm_result_release(&several);
        }
        ggm_result_release(&one);
        free(truth);
        free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_problems), cmocka_unit_test(test_threads_bitwise)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
