/* The Newton solver against bcd.c and the judge: random problems of every kind, warm starts up and down a path, tight tolerances, threads,
 * endings before the end; and what auto chooses. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/check.h"
#include "ggm/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBLEMS 240

static ggm_settings newton_settings(double tolerance)
{
    ggm_settings settings;
    ggm_default_settings(&settings);
    settings.tolerance = tolerance;
    settings.solver = GGM_SOLVER_NEWTON;
    settings.threads = 1;
    return settings;
}

/* lambda_ij: free, forced to zero, or between; free ones only where a penalised diagonal keeps the problem bounded */
static double *random_weights(rng *r, int p, bool zeros)
{
    double *weights = malloc((size_t)p * (size_t)p * sizeof *weights);
    for (int i = 0; i < p; i++)
        for (int j = 0; j <= i; j++) {
            double u = rng_uniform(r), weight = 0.3 + 2 * u;
            if (i != j && u < 0.2)
                weight = u < 0.1 || !zeros ? (double)INFINITY : 0;
            weights[i * p + j] = weights[j * p + i] = weight;
        }
    return weights;
}

static ggm_result solve(const ggm_problem *problem, const ggm_settings *settings)
{
    ggm_result result;
    assert_int_equal(ggm_solve(problem, settings, &result), GGM_OK);
    return result;
}

static void assert_same_bits(const ggm_result *a, const ggm_result *b)
{
    assert_int_equal(a->precision.nnz, b->precision.nnz);
    assert_memory_equal(a->precision.index, b->precision.index, a->precision.nnz * sizeof(int));
    assert_memory_equal(a->precision.value, b->precision.value, a->precision.nnz * sizeof(double));
}

static void duplicate_column(rng *r, double *s, int p)
{
    const int a = rng_below(r, p), b = rng_below(r, p);
    if (a == b)
        return;
    for (int i = 0; i < p; i++)
        s[b * p + i] = s[i * p + b] = s[a * p + i];
    s[b * p + b] = s[a * p + b] = s[b * p + a] = s[a * p + a];
}

static void test_random_problems(void **state)
{
    (void)state;
    rng r = rng_seeded(140);
    double worst = 0;
    for (int number = 0; number < PROBLEMS; number++) {
        const int p = 1 + rng_below(&r, number % 10 == 0 ? 150 : 30), n = 2 + rng_below(&r, 2 * p + 4);
        double *truth = sparse_truth(&r, p, 4 * rng_uniform(&r)), *s = sample_covariance(&r, truth, p, n);
        if (number % 4 == 1)
            duplicate_column(&r, s, p);
        const bool penalised = number % 2;
        double *weights = number % 5 == 4 ? random_weights(&r, p, penalised) : NULL;
        ggm_problem problem = {.p = (size_t)p, .s = s, .weights = weights, .penalize_diagonal = penalised, .scale = number % 3 != 0};
        double unit = 0;
        for (int i = 0; i < p; i++)
            unit += problem.scale ? 1.0 / p : s[i * p + i] / p;
        problem.lambda = unit * pow(10, -2.0 * rng_uniform(&r));
        ggm_settings settings = newton_settings(number % 7 == 0 ? 1e-10 : 1e-7);
        ggm_result newton = solve(&problem, &settings);
        settings.solver = GGM_SOLVER_BCD;
        settings.max_iterations = 20000;
        ggm_result bcd = solve(&problem, &settings);
        if (newton.info.outcome != GGM_CONVERGED)
            print_message("problem %d: p %d lambda %g gap %g after %d iterations\n", number, p, problem.lambda,
                          newton.info.relative_duality_gap, newton.info.iterations);
        assert_int_equal(newton.info.outcome, GGM_CONVERGED);
        assert_int_equal(bcd.info.outcome, GGM_CONVERGED);
        verdict v = assert_answer(&problem, &newton, settings.tolerance);
        assert_true(v.relative_gap <= 1e-3);
        worst = fmax(worst, v.relative_gap);
        assert_true(fabs(newton.info.objective - bcd.info.objective) <= newton.info.duality_gap + bcd.info.duality_gap + 1e-9);
        for (size_t k = 0; weights && k < newton.precision.p; k++) /* what is forbidden is not there */
            for (size_t x = newton.precision.start[k]; x < newton.precision.start[k + 1]; x++)
                assert_true(newton.precision.index[x] == (int)k || isfinite(weights[k * (size_t)p + (size_t)newton.precision.index[x]]));
        ggm_result_release(&newton);
        ggm_result_release(&bcd);
        free(truth);
        free(s);
        free(weights);
    }
    print_message("%d problems, largest relative gap by the judge %.1e\n", PROBLEMS, worst);
}

/* Public optima, see test_reference.c */
static void test_reference_optima(void **state)
{
    (void)state;
    static const struct {
        double lambda, optimum, known;
    } references[] = {{0.5, 923.10424604239, 1e-11}, {0.3, 706.7220903, 1e-10}, {0.1, 251.188770166, 1e-11}};
    size_t p;
    double *s = read_square_npy(GLINT_SHARED_DIR "/glasso/er_692.npy", &p);
    if (!s) {
        print_message("skipped: er_692.npy is not there\n");
        skip();
    }
    for (size_t k = 0; k < sizeof references / sizeof *references; k++) {
        ggm_problem problem = {.p = p, .s = s, .lambda = references[k].lambda, .penalize_diagonal = true, .scale = true};
        ggm_settings settings = newton_settings(1e-12);
        settings.threads = 0;
        ggm_result result = solve(&problem, &settings);
        const double error = fabs(result.info.objective - references[k].optimum) / references[k].optimum;
        print_message("er_692 lambda %g: off the optimum by %.1e, gap %.1e, %d iterations, %.2f s\n", problem.lambda, error, result.info.relative_duality_gap,
                      result.info.iterations, result.info.seconds);
        assert_int_equal(result.info.outcome, GGM_CONVERGED);
        assert_true(result.info.relative_duality_gap <= 1e-12);
        assert_true(error <= references[k].known);
        assert_string_equal(result.info.solver, "newton");
        ggm_result_release(&result);
    }
    free(s);
}

/* A dense enough problem: correlated variables, a small lambda */
static double *dense_problem(uint64_t seed, int p, int n)
{
    rng r = rng_seeded(seed);
    double *truth = sparse_truth(&r, p, 12), *s = sample_covariance(&r, truth, p, n);
    free(truth);
    return s;
}

static void test_path(void **state)
{
    (void)state;
    const int p = 90;
    double *s = dense_problem(141, p, 60);
    static const double lambdas[] = {0.5, 0.3, 0.15, 0.06, 0.02, 0.01, 0.03, 0.1, 0.4};
    for (int penalised = 0; penalised < 2; penalised++) {
        ggm_problem problem = {.p = (size_t)p, .s = s, .penalize_diagonal = penalised, .scale = true};
        ggm_settings settings = newton_settings(1e-9);
        ggm_workspace *workspace;
        assert_int_equal(ggm_workspace_new(&problem, &settings, &workspace), GGM_OK);
        for (size_t k = 0; k < sizeof lambdas / sizeof *lambdas; k++) {
            ggm_result warm;
            problem.lambda = lambdas[k];
            assert_int_equal(ggm_workspace_solve(workspace, lambdas[k], &warm), GGM_OK);
            assert_int_equal(warm.info.outcome, GGM_CONVERGED);
            assert_answer(&problem, &warm, 1e-9);
            ggm_result cold = solve(&problem, &settings);
            assert_true(fabs(warm.info.objective - cold.info.objective) <= warm.info.duality_gap + cold.info.duality_gap + 1e-9);
            ggm_result_release(&cold);
            ggm_result_release(&warm);
        }
        ggm_workspace_free(workspace);
    }
    free(s);
}

/* The answer as a start: next to nothing is left to do */
static void test_start(void **state)
{
    (void)state;
    const int p = 80;
    double *s = dense_problem(142, p, 200);
    ggm_problem problem = {.p = (size_t)p, .s = s, .lambda = 0.02, .scale = true};
    ggm_settings settings = newton_settings(1e-8);
    ggm_result first = solve(&problem, &settings);
    problem.start = &first.precision;
    ggm_result again = solve(&problem, &settings);
    assert_int_equal(again.info.outcome, GGM_CONVERGED);
    assert_true(again.info.iterations < first.info.iterations);
    assert_answer(&problem, &again, 1e-8);
    ggm_result_release(&again);
    ggm_result_release(&first);
    free(s);
}

/* One tile of dense.c, several, and an odd rest */
static void test_threads_bitwise(void **state)
{
    (void)state;
    static const struct {
        int p, n;
        double lambda;
    } cases[] = {{203, 150, 0.02}, {300, 100, 0.05}, {385, 500, 0.01}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        double *s = dense_problem(143 + c, cases[c].p, cases[c].n);
        ggm_problem problem = {.p = (size_t)cases[c].p, .s = s, .lambda = cases[c].lambda, .penalize_diagonal = c % 2, .scale = true};
        ggm_settings settings = newton_settings(1e-7);
        ggm_result one = solve(&problem, &settings);
        assert_int_equal(one.info.outcome, GGM_CONVERGED);
        assert_answer(&problem, &one, 1e-7);
        for (int threads = 2; threads <= 4; threads++) {
            settings.threads = threads;
            ggm_result several = solve(&problem, &settings);
            assert_same_bits(&one, &several);
            ggm_result_release(&several);
        }
        ggm_result_release(&one);
        free(s);
    }
}

static bool stop_at_once(void *data)
{
    ++*(int *)data;
    return true;
}

static void note(double lambda, int iteration, double gap, void *data)
{
    (void)gap;
    assert_true(lambda > 0 && iteration > 0);
    ++*(int *)data;
}

static void assert_unfinished(const ggm_problem *problem, const ggm_settings *settings, ggm_outcome outcome)
{
    ggm_result result = solve(problem, settings);
    assert_int_equal(result.info.outcome, outcome);
    verdict v = check_answer(problem, &result.precision);
    assert_true(v.positive_definite && v.symmetric);
    assert_true(fabs(v.objective - result.info.objective) <= 1e-8 * fabs(v.objective));
    ggm_settings exact = newton_settings(1e-9);
    ggm_result optimum = solve(problem, &exact);
    assert_true(result.info.objective - optimum.info.objective <= result.info.duality_gap + 1e-8 * fabs(v.objective));
    assert_true(isfinite(result.info.duality_gap));
    ggm_result_release(&optimum);
    ggm_result_release(&result);
}

static void test_endings(void **state)
{
    (void)state;
    double *s = dense_problem(147, 220, 150);
    ggm_problem problem = {.p = 220, .s = s, .lambda = 0.02, .scale = true};
    int calls = 0;
    ggm_settings settings = newton_settings(1e-9);
    settings.user_data = &calls;
    settings.progress = note;
    settings.max_iterations = 1;
    assert_unfinished(&problem, &settings, GGM_ITERATION_LIMIT);
    assert_true(calls > 0);
    settings.max_iterations = 500;
    settings.time_limit = 1e-9;
    assert_unfinished(&problem, &settings, GGM_TIME_LIMIT);
    settings.time_limit = 0;
    settings.interrupt = stop_at_once;
    assert_unfinished(&problem, &settings, GGM_INTERRUPTED);
    free(s);
}

/* Not positive semidefinite: Newton has no start where S moved into its bounds is not positive definite, and bcd.c takes over */
static void test_indefinite(void **state)
{
    (void)state;
    double s[9] = {1, 0.9, -0.9, 0.9, 1, 0.9, -0.9, 0.9, 1};
    for (double lambda = 0.5; lambda < 1; lambda += 0.1) {
        ggm_problem problem = {.p = 3, .s = s, .lambda = lambda, .scale = true};
        ggm_settings settings = newton_settings(1e-9);
        ggm_result newton, bcd;
        const ggm_status status = ggm_solve(&problem, &settings, &newton);
        settings.solver = GGM_SOLVER_BCD;
        assert_int_equal(ggm_solve(&problem, &settings, &bcd), status);
        if (status == GGM_OK) {
            assert_true(fabs(newton.info.objective - bcd.info.objective) <= newton.info.duality_gap + bcd.info.duality_gap + 1e-9);
            assert_answer(&problem, &newton, 1e-9);
        }
        ggm_result_release(&newton);
        ggm_result_release(&bcd);
    }
}

static void test_auto(void **state)
{
    (void)state;
    double *s = dense_problem(148, 150, 400);
    ggm_problem problem = {.p = 150, .s = s, .lambda = 0.005, .scale = true};
    ggm_settings settings = newton_settings(1e-7);
    settings.solver = GGM_SOLVER_AUTO;
    ggm_result dense = solve(&problem, &settings);
    assert_string_equal(dense.info.solver, "newton");
    assert_true((double)dense.info.nonzeros > 0.27 * 150 * 150);
    assert_answer(&problem, &dense, 1e-7);
    problem.lambda = 0.2;
    ggm_result sparse = solve(&problem, &settings);
    assert_string_equal(sparse.info.solver, "bcd");
    ggm_result_release(&dense);
    ggm_result_release(&sparse);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_problems), cmocka_unit_test(test_reference_optima), cmocka_unit_test(test_path),
                                       cmocka_unit_test(test_start),           cmocka_unit_test(test_threads_bitwise),  cmocka_unit_test(test_endings),
                                       cmocka_unit_test(test_indefinite),      cmocka_unit_test(test_auto)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
