/* Inputs at the edge: what is refused, with which status, and what must be solved all the same. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/check.h"
#include "ggm/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static ggm_status solve(const double *s, size_t p, double lambda, bool penalize, ggm_result *result)
{
    ggm_problem problem = {.p = p, .s = s, .lambda = lambda, .penalize_diagonal = penalize, .scale = true};
    return ggm_solve(&problem, NULL, result);
}

static void assert_empty(const ggm_result *result)
{
    static const ggm_result nothing = {0};
    assert_memory_equal(result, &nothing, sizeof nothing);
}

static void assert_refused(const double *s, size_t p, double lambda, ggm_status want)
{
    ggm_result result;
    memset(&result, 0x5a, sizeof result);
    assert_int_equal(solve(s, p, lambda, false, &result), want);
    assert_empty(&result);
    assert_string_not_equal(ggm_status_text(want), ggm_status_text((ggm_status)999));
}

static void test_arguments(void **state)
{
    (void)state;
    const double s[4] = {1, 0.5, 0.5, 1};
    ggm_problem problem = {.p = 2, .s = s, .lambda = 0.1, .scale = true};
    ggm_settings settings;
    ggm_result result;
    assert_int_equal(ggm_solve(NULL, NULL, &result), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_solve(&problem, NULL, NULL), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_solve_degree(NULL, NULL, 2, &result), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_solve_degree(&problem, NULL, -1, &result), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_solve_degree(&problem, NULL, NAN, &result), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_workspace_new(&problem, NULL, NULL), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_workspace_solve(NULL, 1, &result), GGM_ERROR_ARGUMENT);
    assert_refused(NULL, 2, 0.1, GGM_ERROR_ARGUMENT);
    assert_refused(s, 0, 0.1, GGM_ERROR_ARGUMENT);
    assert_refused(s, (size_t)-1, 0.1, GGM_ERROR_ARGUMENT);
    assert_refused(s, 2, -0.1, GGM_ERROR_ARGUMENT);
    assert_refused(s, 2, NAN, GGM_ERROR_ARGUMENT);
    assert_refused(s, 2, INFINITY, GGM_ERROR_ARGUMENT);
    const struct {
        double tolerance, time_limit;
        int iterations, threads;
    } bad[] = {{0, 0, 10, 0}, {-1, 0, 10, 0}, {NAN, 0, 10, 0}, {1e-6, -1, 10, 0}, {1e-6, NAN, 10, 0}, {1e-6, 0, 0, 0}, {1e-6, 0, 10, -1}};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        ggm_default_settings(&settings);
        settings.tolerance = bad[k].tolerance;
        settings.time_limit = bad[k].time_limit;
        settings.max_iterations = bad[k].iterations;
        settings.threads = bad[k].threads;
        assert_int_equal(ggm_solve(&problem, &settings, &result), GGM_ERROR_ARGUMENT);
    }
    ggm_result_release(NULL);
    ggm_workspace_free(NULL);
}

static void test_bad_matrices(void **state)
{
    (void)state;
    const double nan_off[4] = {1, NAN, NAN, 1}, infinite[4] = {1, INFINITY, INFINITY, 1}, nan_diagonal[4] = {NAN, 0, 0, 1};
    const double asymmetric[4] = {1, 0.5, 0.4, 1}, zero_diagonal[4] = {1, 0, 0, 0}, negative_diagonal[4] = {1, 0, 0, -1};
    assert_refused(nan_off, 2, 0.1, GGM_ERROR_NOT_FINITE);
    assert_refused(infinite, 2, 0.1, GGM_ERROR_NOT_FINITE);
    assert_refused(nan_diagonal, 2, 0.1, GGM_ERROR_NOT_FINITE);
    assert_refused(asymmetric, 2, 0.1, GGM_ERROR_NOT_SYMMETRIC);
    assert_refused(zero_diagonal, 2, 0.1, GGM_ERROR_DIAGONAL);
    assert_refused(negative_diagonal, 2, 0.1, GGM_ERROR_DIAGONAL);
}

static void test_bad_weights(void **state)
{
    (void)state;
    const double s[4] = {1, 0.5, 0.5, 1};
    const double negative[4] = {1, -1, -1, 1}, nan[4] = {1, NAN, NAN, 1}, asymmetric[4] = {1, 1, 2, 1}, infinite[4] = {INFINITY, 1, 1, 1};
    const struct {
        const double *weights;
        ggm_status want;
    } cases[] = {{negative, GGM_ERROR_ARGUMENT}, {nan, GGM_ERROR_ARGUMENT}, {asymmetric, GGM_ERROR_NOT_SYMMETRIC}, {infinite, GGM_ERROR_ARGUMENT}};
    for (size_t k = 0; k < 4; k++) {
        ggm_problem problem = {.p = 2, .s = s, .lambda = 0.1, .scale = true, .weights = cases[k].weights};
        ggm_result result;
        assert_int_equal(ggm_solve(&problem, NULL, &result), cases[k].want);
    }
}

/* Rounding asymmetry is averaged, not refused */
static void test_rounding_asymmetry(void **state)
{
    (void)state;
    const double s[4] = {1, 0.5 + 1e-8, 0.5 - 1e-8, 1}, even[4] = {1, 0.5, 0.5, 1};
    ggm_result a, b;
    assert_int_equal(solve(s, 2, 0.1, false, &a), GGM_OK);
    assert_int_equal(solve(even, 2, 0.1, false, &b), GGM_OK);
    assert_true(fabs(a.precision.value[1] - b.precision.value[1]) < 1e-12);
    assert_true(a.precision.value[1] == a.precision.value[2]);
    ggm_result_release(&a);
    ggm_result_release(&b);
}

static void test_one_variable(void **state)
{
    (void)state;
    const double s = 4;
    for (int penalize = 0; penalize < 2; penalize++) {
        ggm_result result;
        assert_int_equal(solve(&s, 1, 0.5, penalize, &result), GGM_OK);
        assert_int_equal(result.precision.nnz, 1);
        assert_true(fabs(result.precision.value[0] - (penalize ? 1 / (1.5 * 4) : 0.25)) < 1e-15);
        assert_true(fabs(result.info.objective - (penalize ? 1 + log(1.5) : 1)) < 1e-15);
        assert_int_equal(result.info.components, 1);
        assert_int_equal(result.info.outcome, GGM_CONVERGED);
        ggm_result_release(&result);
        assert_int_equal(ggm_solve_degree(&(ggm_problem){.p = 1, .s = &s}, NULL, 6, &result), GGM_OK);
        ggm_result_release(&result);
    }
}

/* Two variables have a closed form: W_12 = soft(s_12, lambda) */
static void test_two_variables(void **state)
{
    (void)state;
    for (double r = -1; r <= 1; r += 0.25)
        for (double lambda = 0.1; lambda < 1.2; lambda += 0.2) {
            const double s[4] = {1, r, r, 1};
            ggm_problem problem = {.p = 2, .s = s, .lambda = lambda};
            ggm_result result;
            assert_int_equal(ggm_solve(&problem, NULL, &result), GGM_OK);
            double w = fabs(r) <= lambda ? 0 : r > 0 ? r - lambda : r + lambda;
            assert_int_equal(result.precision.nnz, w == 0 ? 2 : 4);
            assert_true(fabs(result.precision.value[0] - 1 / (1 - w * w)) <= 1e-6 / (1 - w * w));
            if (w != 0)
                assert_true(fabs(result.precision.value[1] + w / (1 - w * w)) <= 1e-6 / (1 - w * w));
            assert_answer(&problem, &result, 1e-7);
            ggm_result_release(&result);
        }
}

/* lambda >= lambda_max: no edge, a closed form */
static void test_diagonal_answer(void **state)
{
    (void)state;
    rng r = rng_seeded(3);
    double *truth = sparse_truth(&r, 20, 3), *s = sample_covariance(&r, truth, 20, 10);
    ggm_problem problem = {.p = 20, .s = s, .penalize_diagonal = true, .scale = true};
    ggm_workspace *workspace;
    ggm_result result;
    assert_int_equal(ggm_workspace_new(&problem, NULL, &workspace), GGM_OK);
    problem.lambda = ggm_workspace_lambda_max(workspace);
    ggm_workspace_free(workspace);
    assert_int_equal(ggm_solve(&problem, NULL, &result), GGM_OK);
    assert_int_equal(result.precision.nnz, 20);
    assert_int_equal(result.info.components, 20);
    assert_int_equal(result.info.largest_component, 1);
    assert_int_equal(result.info.iterations, 0);
    for (int i = 0; i < 20; i++)
        assert_true(fabs(result.precision.value[i] * s[i * 21] * (1 + problem.lambda) - 1) < 1e-14);
    assert_answer(&problem, &result, 1e-7);
    ggm_result_release(&result);
    problem.lambda *= 0.999;
    assert_int_equal(ggm_solve(&problem, NULL, &result), GGM_OK);
    assert_int_equal(result.precision.nnz, 22);
    ggm_result_release(&result);
    free(truth);
    free(s);
}

static void test_no_penalty(void **state)
{
    (void)state;
    rng r = rng_seeded(4);
    double *truth = sparse_truth(&r, 12, 3), *full = sample_covariance(&r, truth, 12, 100), *singular = sample_covariance(&r, truth, 12, 6);
    ggm_problem problem = {.p = 12, .s = full, .scale = true};
    ggm_result result;
    assert_int_equal(ggm_solve(&problem, NULL, &result), GGM_OK); /* the inverse */
    assert_int_equal(result.info.outcome, GGM_CONVERGED);
    verdict v = assert_answer(&problem, &result, 1e-7);
    assert_true(v.kkt < 1e-10);
    ggm_result_release(&result);
    assert_refused(singular, 12, 0, GGM_ERROR_INDEFINITE);
    free(truth);
    free(full);
    free(singular);
}

/* Nothing but copies of one variable, and of its negative */
static void test_duplicates(void **state)
{
    (void)state;
    double s[49];
    for (int i = 0; i < 49; i++)
        s[i] = (i / 7 < 3) == (i % 7 < 3) ? 2 : -2;
    for (int penalize = 0; penalize < 2; penalize++)
        for (double lambda = 0.5; lambda > 1e-3; lambda /= 4) {
            ggm_problem problem = {.p = 7, .s = s, .lambda = lambda, .penalize_diagonal = penalize, .scale = true};
            ggm_result result;
            assert_int_equal(ggm_solve(&problem, NULL, &result), GGM_OK);
            assert_int_equal(result.info.outcome, GGM_CONVERGED);
            assert_answer(&problem, &result, 1e-7);
            ggm_result_release(&result);
        }
}

/* An S with a negative eigenvalue: solved where the penalty mends it, refused where it cannot */
/* S of p - 3 variables, to which three are added that are one of them or its negative in other units */
static double *with_copies(rng *r, int p, int n)
{
    const int own = p - 3;
    double *truth = sparse_truth(r, own, 4), *small = sample_covariance(r, truth, own, n), *s = malloc((size_t)p * (size_t)p * sizeof *s);
    int of[64];
    double factor[64];
    for (int i = 0; i < p; i++) {
        of[i] = i < own ? i : rng_below(r, own);
        factor[i] = i < own ? 1 : rng_uniform(r) < 0.5 ? -1 : 0.3;
    }
    for (int i = 0; i < p; i++)
        for (int j = 0; j < p; j++)
            s[i * p + j] = factor[i] * factor[j] * small[of[i] * own + of[j]];
    free(truth);
    free(small);
    return s;
}

/* Copies, few samples and a small penalty: columns solved side by side, or inexactly, may leave W so far out of its bounds that the next has no
 * answer, which is no reason to call S indefinite. Every path does the same from a warm start. */
static void test_copies(void **state)
{
    (void)state;
    rng r = rng_seeded(77);
    for (int number = 0; number < 150; number++) {
        const int p = 6 + rng_below(&r, 30);
        double *s = with_copies(&r, p, 2 + rng_below(&r, p));
        ggm_problem problem = {.p = (size_t)p, .s = s, .lambda = pow(10, -1.5 - 2 * rng_uniform(&r)), .scale = true, .penalize_diagonal = number % 2};
        ggm_result result;
        ggm_workspace *workspace;
        assert_int_equal(ggm_solve(&problem, NULL, &result), GGM_OK);
        assert_int_equal(result.info.outcome, GGM_CONVERGED);
        assert_answer(&problem, &result, 1e-7);
        ggm_result_release(&result);
        assert_int_equal(ggm_workspace_new(&problem, NULL, &workspace), GGM_OK);
        for (double lambda = 0.3; lambda > problem.lambda; lambda *= 0.3) {
            assert_int_equal(ggm_workspace_solve(workspace, lambda, &result), GGM_OK);
            assert_int_equal(result.info.outcome, GGM_CONVERGED);
            ggm_result_release(&result);
        }
        ggm_workspace_free(workspace);
        free(s);
    }
}

/* Few iterations may still reach the tolerance: then the answer has converged */
static void test_outcome_is_the_gap(void **state)
{
    (void)state;
    rng r = rng_seeded(78);
    ggm_settings settings;
    ggm_default_settings(&settings);
    for (int number = 0; number < 600; number++) {
        instance x = random_instance(&r, number);
        settings.max_iterations = 1 + number % 4;
        settings.tolerance = number % 3 ? 1e-4 : 1e-2;
        ggm_result result;
        assert_int_equal(ggm_solve(&x.problem, &settings, &result), GGM_OK);
        assert_int_equal(result.info.outcome == GGM_CONVERGED, result.info.relative_duality_gap <= settings.tolerance);
        for (size_t k = 0; k < result.precision.nnz; k++)
            assert_true(result.precision.value[k] != 0);
        ggm_result_release(&result);
        instance_release(&x);
    }
}

static void test_indefinite(void **state)
{
    (void)state;
    double s[9] = {1, 0.9, -0.9, 0.9, 1, 0.9, -0.9, 0.9, 1}; /* eigenvalues 1.9, 1.9, -0.8 */
    ggm_problem problem = {.p = 3, .s = s, .lambda = 0.6, .scale = true};
    ggm_result result;
    assert_int_equal(ggm_solve(&problem, NULL, &result), GGM_OK);
    assert_int_equal(result.info.outcome, GGM_CONVERGED);
    assert_answer(&problem, &result, 1e-7);
    ggm_result_release(&result);
    assert_refused(s, 3, 0.05, GGM_ERROR_INDEFINITE);
    assert_refused(s, 3, 0, GGM_ERROR_INDEFINITE);
}

static bool says_stop(void *count)
{
    return ++*(int *)count > 0;
}

/* Stopped at once: still positive definite, with a true gap, and said so */
static void test_stopped_early(void **state)
{
    (void)state;
    rng r = rng_seeded(6);
    double *truth = sparse_truth(&r, 60, 6), *s = sample_covariance(&r, truth, 60, 30);
    ggm_problem problem = {.p = 60, .s = s, .lambda = 0.05, .scale = true};
    ggm_settings settings;
    int asked = 0;
    double last = INFINITY;
    ggm_default_settings(&settings);
    settings.interrupt = says_stop;
    settings.user_data = &asked;
    ggm_result result, best;
    assert_int_equal(ggm_solve(&problem, &settings, &result), GGM_OK);
    assert_int_equal(result.info.outcome, GGM_INTERRUPTED);
    assert_true(asked >= 1);
    assert_string_equal(ggm_outcome_text(result.info.outcome), "interrupted");
    assert_answer(&problem, &result, 1e-7);
    ggm_result_release(&result);

    ggm_default_settings(&settings);
    settings.tolerance = 1e-11;
    assert_int_equal(ggm_solve(&problem, &settings, &best), GGM_OK);
    settings.time_limit = 1e-9;
    assert_int_equal(ggm_solve(&problem, &settings, &result), GGM_OK);
    assert_int_equal(result.info.outcome, GGM_TIME_LIMIT);
    assert_answer(&problem, &result, 1e-7);
    assert_true(result.info.duality_gap >= result.info.objective - best.info.objective);
    ggm_result_release(&result);

    settings.time_limit = 0;
    for (int sweeps = 1; sweeps < 30; sweeps += 4) { /* the gap that is claimed is one: the optimum is never further away */
        settings.max_iterations = sweeps;
        assert_int_equal(ggm_solve(&problem, &settings, &result), GGM_OK);
        assert_answer(&problem, &result, settings.tolerance);
        if (result.info.outcome == GGM_ITERATION_LIMIT)
            assert_int_equal(result.info.iterations, sweeps);
        assert_true(result.info.duality_gap >= result.info.objective - best.info.objective - 1e-10);
        assert_true(sweeps == 1 || result.info.duality_gap <= 10 * last);
        last = result.info.duality_gap;
        ggm_result_release(&result);
    }
    ggm_result_release(&best);
    free(truth);
    free(s);
}

static void test_texts(void **state)
{
    (void)state;
    for (int k = 0; k <= GGM_ERROR_INDEFINITE; k++)
        for (int other = 0; other < k; other++)
            assert_string_not_equal(ggm_status_text((ggm_status)k), ggm_status_text((ggm_status)other));
    assert_string_equal(ggm_outcome_text(GGM_CONVERGED), "converged");
    assert_string_equal(ggm_version(), "0.2.0");
    assert_int_equal(ggm_memory_bytes(0), 0);
    assert_int_equal(ggm_memory_bytes((size_t)-1), 0);
    assert_true(ggm_memory_bytes(1000) >= 4 * 8000000u && ggm_memory_bytes(1000) < 30 * 8000000u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments),     cmocka_unit_test(test_bad_matrices), cmocka_unit_test(test_bad_weights),     cmocka_unit_test(test_rounding_asymmetry),
        cmocka_unit_test(test_one_variable),  cmocka_unit_test(test_two_variables), cmocka_unit_test(test_diagonal_answer), cmocka_unit_test(test_no_penalty),
        cmocka_unit_test(test_copies),        cmocka_unit_test(test_outcome_is_the_gap),
        cmocka_unit_test(test_duplicates),    cmocka_unit_test(test_indefinite),    cmocka_unit_test(test_stopped_early),   cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
