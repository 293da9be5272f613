/* Warm starts, in both directions and across merging components, and the search for a degree. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/check.h"
#include "ggm/support.h"

#include <math.h>
#include <stdlib.h>

static const int P = 70;

static double *matrix(int seed)
{
    rng r = rng_seeded((uint64_t)seed);
    double *truth = sparse_truth(&r, P, 3), *s = sample_covariance(&r, truth, P, 60);
    free(truth);
    return s;
}

static void test_warm_is_cold(void **state)
{
    (void)state;
    static const double factors[] = {1, 0.9, 0.7, 0.7, 0.5, 0.35, 0.2, 0.5, 0.8, 1.2, 0.1};
    for (int penalize = 0; penalize < 2; penalize++) {
        double *s = matrix(30 + penalize);
        ggm_problem problem = {.p = (size_t)P, .s = s, .penalize_diagonal = penalize, .scale = true};
        ggm_settings settings;
        ggm_default_settings(&settings);
        settings.tolerance = 1e-9;
        ggm_workspace *workspace;
        assert_int_equal(ggm_workspace_new(&problem, &settings, &workspace), GGM_OK);
        double most = ggm_workspace_lambda_max(workspace);
        for (size_t k = 0; k < sizeof factors / sizeof *factors; k++) {
            ggm_result warm, cold;
            problem.lambda = most * factors[k];
            assert_int_equal(ggm_workspace_solve(workspace, problem.lambda, &warm), GGM_OK);
            assert_int_equal(ggm_solve(&problem, &settings, &cold), GGM_OK);
            assert_int_equal(warm.info.outcome, GGM_CONVERGED);
            assert_answer(&problem, &warm, settings.tolerance);
            assert_true(warm.info.lambda == problem.lambda);
            assert_int_equal(warm.info.components, cold.info.components);
            assert_true(fabs(warm.info.objective - cold.info.objective) <= warm.info.duality_gap + cold.info.duality_gap + 1e-11 * P);
            ggm_result_release(&warm);
            ggm_result_release(&cold);
        }
        ggm_workspace_free(workspace);
        free(s);
    }
}

static void test_zero_after_warm(void **state)
{
    (void)state;
    rng r = rng_seeded(40);
    double *truth = sparse_truth(&r, 10, 3), *s = sample_covariance(&r, truth, 10, 50);
    ggm_problem problem = {.p = 10, .s = s, .scale = true};
    ggm_workspace *workspace;
    assert_int_equal(ggm_workspace_new(&problem, NULL, &workspace), GGM_OK);
    static const double lambdas[] = {0.1, 0, 0.05, 0.2};
    for (int k = 0; k < 4; k++) {
        ggm_result result;
        problem.lambda = lambdas[k];
        assert_int_equal(ggm_workspace_solve(workspace, problem.lambda, &result), GGM_OK);
        assert_answer(&problem, &result, 1e-7);
        ggm_result_release(&result);
    }
    ggm_result result;
    assert_int_equal(ggm_workspace_solve(workspace, -1, &result), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_workspace_solve(workspace, NAN, &result), GGM_ERROR_ARGUMENT);
    ggm_workspace_free(workspace);
    free(truth);
    free(s);
}

static double degree(const ggm_result *result)
{
    return (double)(result->precision.nnz - result->precision.p) / (double)result->precision.p;
}

static void test_degrees(void **state)
{
    (void)state;
    double *s = matrix(50);
    ggm_problem problem = {.p = (size_t)P, .s = s, .scale = true, .lambda = NAN}; /* ignored */
    static const double wanted[] = {0, 1, 2, 6, 12, 30};
    double last = INFINITY;
    for (int k = 0; k < 6; k++) {
        ggm_result result;
        problem.lambda = NAN;
        assert_int_equal(ggm_solve_degree(&problem, NULL, wanted[k], &result), GGM_OK);
        assert_int_equal(result.info.outcome, GGM_CONVERGED);
        print_message("degree %g: lambda %.4f has %.2f\n", wanted[k], result.info.lambda, degree(&result));
        assert_true(fabs(degree(&result) - wanted[k]) <= 0.05 + 0.03 * wanted[k]);
        assert_true(result.info.lambda < last);
        last = result.info.lambda;
        problem.lambda = result.info.lambda;
        assert_answer(&problem, &result, 1e-7);
        ggm_result_release(&result);
    }
    free(s);
}

static bool stop_after(void *count)
{
    return --*(int *)count < 0;
}

static void note_progress(double lambda, int iteration, double gap, void *data)
{
    (void)gap;
    assert_true(lambda > 0 && iteration > 0);
    ++*(int *)data;
}

static void test_degree_beyond_reach(void **state)
{
    (void)state;
    double s[25] = {0}; /* S is diagonal: no lambda has an edge */
    for (int i = 0; i < 5; i++)
        s[i * 6] = i + 1;
    ggm_problem problem = {.p = 5, .s = s, .scale = true};
    ggm_result result;
    assert_int_equal(ggm_solve_degree(&problem, NULL, 6, &result), GGM_OK);
    assert_int_equal(result.precision.nnz, 5);
    ggm_result_release(&result);
}

static void test_degree_interrupted(void **state)
{
    (void)state;
    double *s = matrix(60);
    ggm_problem problem = {.p = (size_t)P, .s = s, .scale = true};
    for (int polls = 0; polls < 3; polls++) {
        ggm_settings settings;
        ggm_default_settings(&settings);
        int left = polls;
        settings.interrupt = stop_after;
        settings.user_data = &left;
        settings.tolerance = 1e-13; /* longer than the polling interval */
        ggm_result result;
        assert_int_equal(ggm_solve_degree(&problem, &settings, 40, &result), GGM_OK);
        problem.lambda = result.info.lambda;
        verdict v = check_answer(&problem, &result.precision);
        assert_true(v.positive_definite && v.symmetric);
        if (polls == 0)
            assert_int_equal(result.info.outcome, GGM_INTERRUPTED);
        ggm_result_release(&result);
    }
    free(s);
}

static void test_progress(void **state)
{
    (void)state;
    double *s = matrix(61);
    ggm_problem problem = {.p = (size_t)P, .s = s, .scale = true, .lambda = 0.1};
    ggm_settings settings;
    int calls = 0;
    ggm_default_settings(&settings);
    settings.progress = note_progress;
    settings.user_data = &calls;
    settings.threads = 1;
    ggm_result result;
    assert_int_equal(ggm_solve(&problem, &settings, &result), GGM_OK);
    assert_true(calls >= result.info.iterations);
    ggm_result_release(&result);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_warm_is_cold),        cmocka_unit_test(test_zero_after_warm),    cmocka_unit_test(test_degrees),
                                       cmocka_unit_test(test_degree_beyond_reach), cmocka_unit_test(test_degree_interrupted), cmocka_unit_test(test_progress)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
