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

typedef struct {
    ggm_problem problem;
    double *s, *weights;
} instance;

static void make_special(rng *r, double *s, int p, int kind)
{
    int a = rng_below(r, p), b = rng_below(r, p);
    if (kind == 0 && a != b) { /* b is a copy of a */
        for (int i = 0; i < p; i++)
            s[b * p + i] = s[i * p + b] = s[a * p + i];
        s[b * p + b] = s[a * p + b] = s[b * p + a] = s[a * p + a];
    } else if (kind == 1) { /* two halves that know nothing of each other */
        for (int i = 0; i < p; i++)
            for (int j = 0; j < p; j++)
                if ((i < p / 2) != (j < p / 2))
                    s[i * p + j] = 0;
    } else if (kind == 2) { /* units far apart */
        for (int i = 0; i < p; i++) {
            double unit = pow(10, 3 * rng_uniform(r) - 1.5);
            for (int j = 0; j < p; j++) {
                s[i * p + j] *= unit;
                s[j * p + i] *= unit;
            }
        }
    }
}

static double *random_weights(rng *r, int p, bool zeros)
{
    double *weights = malloc((size_t)p * (size_t)p * sizeof *weights);
    for (int i = 0; i < p; i++)
        for (int j = 0; j <= i; j++) {
            double u = rng_uniform(r), weight = 0.3 + 2 * u;
            if (i != j && u < 0.2) /* forced to zero, or free */
                weight = u < 0.1 || !zeros ? (double)INFINITY : 0;
            weights[i * p + j] = weights[j * p + i] = weight;
        }
    return weights;
}

static instance random_instance(rng *r, int number)
{
    int p = 1 + rng_below(r, number % 10 == 0 ? 90 : 30), n = 2 + rng_below(r, 2 * p + 4);
    double *truth = sparse_truth(r, p, 4 * rng_uniform(r));
    instance x = {.s = sample_covariance(r, truth, p, n)};
    free(truth);
    make_special(r, x.s, p, rng_below(r, 8));
    if (number % 5 == 4)
        x.weights = random_weights(r, p, number % 2); /* free entries of a singular S need the diagonal's penalty */
    x.problem = (ggm_problem){.p = (size_t)p, .s = x.s, .weights = x.weights, .penalize_diagonal = number % 2, .scale = number % 3 != 0};
    double unit = 0;
    for (int i = 0; i < p; i++)
        unit += x.problem.scale ? 1.0 / p : x.s[i * p + i] / p;
    x.problem.lambda = unit * pow(10, -2.0 * rng_uniform(r));
    return x;
}

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
        free(x.s);
        free(x.weights);
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
