/* Warm starts, in both directions and across merging components, the search for a degree, and paths. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/check.h"
#include "ggm/select.h"
#include "ggm/support.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

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

/* ---- ggm_path ---- */
typedef struct {
    size_t count;
    double lambda[64];
    size_t nnz[64];
    bool slow;
} diary;

static void note_point(const ggm_path_point *point, void *data)
{
    diary *d = data;
    d->lambda[d->count] = point->lambda;
    d->nnz[d->count++] = point->precision.nnz;
    if (d->slow) /* longer than the polling interval */
        nanosleep(&(struct timespec){.tv_nsec = 25000000}, NULL);
}

/* Of a (p, p) dense T, the plain formulas of select.h */
static void assert_point(const ggm_problem *problem, const ggm_path_point *point, double n, double gamma)
{
    const int p = (int)problem->p;
    double *t = malloc((size_t)(p * p) * sizeof *t), trace = 0;
    size_t edges = 0;
    ggm_sparse_to_dense(&point->precision, t);
    for (int i = 0; i < p; i++)
        for (int j = 0; j < p; j++) {
            trace += problem->s[i * p + j] * t[i * p + j];
            edges += j > i && t[i * p + j] != 0;
        }
    double likelihood = plain_logdet(t, p) - trace;
    assert_int_equal(point->edges, edges);
    assert_true(fabs(point->log_likelihood - likelihood) <= 1e-9 * p);
    double ebic = -n * likelihood + (double)edges * log(n) + 4 * gamma * (double)edges * log(p);
    assert_true(fabs(point->ebic - ebic) <= 1e-9 * n * p);
    free(t);
}

static void test_whole_path(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        double *s = matrix(70 + kind);
        double *weights = malloc((size_t)(P * P) * sizeof *weights);
        for (int i = 0; i < P; i++)
            for (int j = 0; j < P; j++)
                weights[i * P + j] = (i + j) % 7 == 0 && i != j ? (double)INFINITY : (i + j) % 5 == 0 ? 0 : 1 + (i + j) % 3;
        for (int k = 0; k < P * P; k++) /* units matter to the likelihood */
            s[k] *= 1 + 0.5 * (k / P % 3) + 0.5 * (k % P % 3) + 0.25 * (k / P % 3) * (k % P % 3);
        ggm_problem problem = {.p = (size_t)P, .s = s, .scale = kind != 1, .penalize_diagonal = kind == 2, .weights = kind == 3 ? weights : NULL, .lambda = -1};
        ggm_path_settings path;
        ggm_default_path_settings(&path);
        diary notes = {0};
        path.count = 8;
        path.n = 60;
        path.gamma = 0.25;
        path.arrived = note_point;
        path.user_data = &notes;
        ggm_path_result result;
        assert_int_equal(ggm_path(&problem, NULL, &path, &result), GGM_OK);
        assert_int_equal(result.outcome, GGM_CONVERGED);
        assert_int_equal(result.count, 8);
        assert_int_equal(notes.count, 8);
        assert_true(fabs(result.points[7].lambda - 0.1 * result.lambda_max) <= 1e-12);
        assert_true(result.points[0].lambda == result.lambda_max);
        assert_true(kind == 3 || result.points[0].edges == 0);
        for (size_t k = 0; k < 8; k++) {
            const ggm_path_point *point = &result.points[k];
            assert_int_equal(point->status, GGM_OK);
            assert_true(notes.lambda[k] == point->lambda && notes.nnz[k] == point->precision.nnz);
            problem.lambda = point->lambda;
            ggm_result one = {.precision = point->precision, .info = point->info};
            assert_answer(&problem, &one, 1e-7);
            assert_point(&problem, point, path.n, path.gamma);
        }
        ggm_path_release(&result);
        ggm_path_release(&result);
        free(weights);
        free(s);
    }
}

/* Blocks large enough to be predicted (predict.c), which grow along the way; with the penalised diagonal and with weights, in fine and coarse steps. Every
 * point is certified, says its own components, and takes fewer sweeps than from nothing. */
static void test_long_path(void **state)
{
    (void)state;
    enum { p = 150 };
    rng r = rng_seeded(78);
    double *truth = sparse_truth(&r, p, 3), *s = sample_covariance(&r, truth, p, 100), *weights = malloc((size_t)(p * p) * sizeof *weights);
    for (int i = 0; i < p; i++)
        for (int j = 0; j < p; j++)
            weights[i * p + j] = (i + j) % 11 == 0 && i != j ? (double)INFINITY : (i + j) % 13 == 0 ? 0 : 1 + (i + j) % 2;
    int warm = 0, cold = 0;
    for (int kind = 0; kind < 4; kind++) {
        ggm_problem problem = {.p = p, .s = s, .scale = true, .penalize_diagonal = kind == 1, .weights = kind == 2 ? weights : NULL};
        ggm_path_settings path;
        ggm_default_path_settings(&path);
        path.count = kind == 3 ? 5 : 25;
        path.ratio = 0.1;
        ggm_path_result result;
        ggm_linkage linkage;
        assert_int_equal(ggm_path(&problem, NULL, &path, &result), GGM_OK);
        assert_int_equal(ggm_linkage_new(&problem, 1, &linkage), GGM_OK);
        assert_int_equal(result.count, path.count);
        for (size_t k = 0; k < result.count; k++) {
            const ggm_path_point *point = &result.points[k];
            ggm_result one = {.precision = point->precision, .info = point->info}, fresh;
            problem.lambda = point->lambda;
            assert_int_equal(point->info.outcome, GGM_CONVERGED);
            assert_answer(&problem, &one, 1e-7);
            if (kind != 2) { /* weights round differently in a product than in a quotient */
                assert_int_equal(point->info.components, ggm_linkage_components(&linkage, point->lambda));
                assert_int_equal(point->info.largest_component, ggm_linkage_largest(&linkage, point->lambda));
            }
            assert_int_equal(ggm_solve(&problem, NULL, &fresh), GGM_OK);
            assert_true(fabs(fresh.info.objective - point->info.objective) <= fresh.info.duality_gap + point->info.duality_gap + 1e-11 * p);
            warm += kind == 3 ? 0 : point->info.iterations;
            cold += kind == 3 ? 0 : fresh.info.iterations;
            ggm_result_release(&fresh);
        }
        ggm_linkage_release(&linkage);
        ggm_path_release(&result);
    }
    print_message("along a path %d sweeps, from nothing %d\n", warm, cold);
    assert_true(warm < 0.8 * cold);
    free(weights);
    free(truth);
    free(s);
}

static void test_path_of_given_lambdas(void **state)
{
    (void)state;
    static const double lambdas[] = {0.7, 0.3, 0.2}, rising[] = {0.2, 0.3}, zero[] = {0.5, 0};
    double *s = matrix(75);
    ggm_problem problem = {.p = (size_t)P, .s = s, .scale = true};
    ggm_path_settings path;
    ggm_default_path_settings(&path);
    path.lambdas = lambdas;
    path.count = 3;
    path.keep = false;
    path.tolerance = 1e-4;
    ggm_path_result result;
    assert_int_equal(ggm_path(&problem, NULL, &path, &result), GGM_OK);
    assert_int_equal(result.count, 3);
    for (int k = 0; k < 3; k++) {
        assert_true(result.points[k].lambda == lambdas[k]);
        assert_null(result.points[k].precision.start);
        assert_true(isnan(result.points[k].ebic)); /* n is not known */
        assert_true(result.points[k].info.relative_duality_gap <= 1e-4);
    }
    ggm_path_release(&result);
    path.lambdas = rising;
    path.count = 2;
    assert_int_equal(ggm_path(&problem, NULL, &path, &result), GGM_ERROR_ARGUMENT);
    path.lambdas = zero;
    assert_int_equal(ggm_path(&problem, NULL, &path, &result), GGM_ERROR_ARGUMENT);
    ggm_default_path_settings(&path);
    path.count = 0;
    assert_int_equal(ggm_path(&problem, NULL, &path, &result), GGM_ERROR_ARGUMENT);
    assert_null(result.points);
    free(s);
}

/* An indefinite S has no answer at small lambda: those points say so, the others stay */
static void test_path_with_failures(void **state)
{
    (void)state;
    double s[9] = {1, 0.9, -0.9, 0.9, 1, 0.9, -0.9, 0.9, 1};
    static const double lambdas[] = {0.95, 0.8, 0.1, 0.05};
    ggm_problem problem = {.p = 3, .s = s, .scale = true};
    ggm_path_settings path;
    ggm_default_path_settings(&path);
    path.lambdas = lambdas;
    path.count = 4;
    ggm_path_result result;
    assert_int_equal(ggm_path(&problem, NULL, &path, &result), GGM_OK);
    assert_int_equal(result.count, 4);
    for (int k = 0; k < 4; k++) {
        assert_int_equal(result.points[k].status, k < 2 ? GGM_OK : GGM_ERROR_INDEFINITE);
        assert_int_equal(result.points[k].precision.p, k < 2 ? 3 : 0);
        assert_true(k < 2 || isnan(result.points[k].log_likelihood));
    }
    ggm_path_release(&result);
}

static void test_path_degenerate(void **state)
{
    (void)state;
    double one = 2, diagonal[4] = {1, 0, 0, 2}, twins[4] = {1, 1, 1, 1};
    ggm_path_result result;
    assert_int_equal(ggm_path(&(ggm_problem){.p = 1, .s = &one, .scale = true}, NULL, NULL, &result), GGM_OK);
    assert_int_equal(result.count, 1);
    assert_true(result.points[0].lambda == 0 && fabs(result.points[0].precision.value[0] - 0.5) < 1e-15);
    ggm_path_release(&result);
    assert_int_equal(ggm_path(&(ggm_problem){.p = 2, .s = diagonal}, NULL, NULL, &result), GGM_OK);
    assert_int_equal(result.count, 1);
    ggm_path_release(&result);
    assert_int_equal(ggm_path(&(ggm_problem){.p = 2, .s = twins}, NULL, NULL, &result), GGM_OK);
    assert_int_equal(result.count, 20);
    for (int k = 0; k < 20; k++)
        assert_int_equal(result.points[k].edges, k > 0);
    ggm_path_release(&result);
    assert_int_equal(ggm_path(NULL, NULL, NULL, &result), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_path(&(ggm_problem){.p = 2, .s = twins}, NULL, NULL, NULL), GGM_ERROR_ARGUMENT);
    ggm_path_release(NULL);
}

static bool stop_at_third(void *data)
{
    return ((const diary *)data)->count >= 3;
}

static void test_path_interrupted(void **state)
{
    (void)state;
    double *s = matrix(76);
    ggm_problem problem = {.p = (size_t)P, .s = s, .scale = true};
    ggm_settings settings;
    ggm_default_settings(&settings);
    ggm_path_settings path;
    ggm_default_path_settings(&path);
    diary notes = {.slow = true};
    path.arrived = note_point;
    path.user_data = &notes;
    settings.interrupt = stop_at_third;
    settings.user_data = &notes;
    ggm_path_result result;
    assert_int_equal(ggm_path(&problem, &settings, &path, &result), GGM_OK);
    assert_int_equal(result.outcome, GGM_INTERRUPTED);
    assert_int_equal(result.count, 3);
    for (size_t k = 0; k < 3; k++) {
        problem.lambda = result.points[k].lambda;
        ggm_result one = {.precision = result.points[k].precision, .info = result.points[k].info};
        assert_int_equal(one.info.outcome, GGM_CONVERGED);
        assert_answer(&problem, &one, 1e-7);
    }
    ggm_path_release(&result);
    settings.interrupt = NULL;
    settings.time_limit = 0.06;
    notes.count = 0;
    assert_int_equal(ggm_path(&problem, &settings, &path, &result), GGM_OK);
    assert_int_equal(result.outcome, GGM_TIME_LIMIT);
    assert_true(result.count >= 1 && result.count <= 4);
    ggm_path_release(&result);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_warm_is_cold),        cmocka_unit_test(test_zero_after_warm),    cmocka_unit_test(test_degrees),
                                       cmocka_unit_test(test_degree_beyond_reach), cmocka_unit_test(test_degree_interrupted), cmocka_unit_test(test_progress),
                                       cmocka_unit_test(test_whole_path),          cmocka_unit_test(test_long_path),
                                       cmocka_unit_test(test_path_of_given_lambdas), cmocka_unit_test(test_path_with_failures),
                                       cmocka_unit_test(test_path_degenerate),     cmocka_unit_test(test_path_interrupted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
