/* The solver after Dallakyan & Pourahmadi: the same answers as block coordinate descent on the dual, by a descent whose every step can be checked. */
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

#define PROBLEMS 200

static ggm_settings settings_of(double tolerance)
{
    ggm_settings settings;
    ggm_default_settings(&settings);
    settings.solver = GGM_SOLVER_SGLASSO;
    settings.tolerance = tolerance;
    settings.max_iterations = 20000;
    settings.threads = 1;
    return settings;
}

/* Largest |A_ij - B_ij| in units of sqrt(B_ii B_jj) */
static double distance(const ggm_sparse *a, const ggm_sparse *b)
{
    const size_t p = a->p;
    double *x = malloc(p * p * sizeof *x), *y = malloc(p * p * sizeof *y), worst = 0;
    ggm_sparse_to_dense(a, x);
    ggm_sparse_to_dense(b, y);
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j < p; j++)
            worst = fmax(worst, fabs(x[i * p + j] - y[i * p + j]) / sqrt(y[i * p + i] * y[j * p + j]));
    free(x);
    free(y);
    return worst;
}

static void test_random_problems(void **state)
{
    (void)state;
    rng r = rng_seeded(90);
    double worst = 0, farthest = 0;
    size_t nonzeros = 0, others = 0;
    for (int number = 0; number < PROBLEMS; number++) {
        instance x = random_instance(&r, number);
        ggm_settings settings = settings_of(1e-9);
        settings.screening = number % 4 != 3;
        ggm_result result, other;
        assert_int_equal(ggm_solve(&x.problem, &settings, &result), GGM_OK);
        assert_int_equal(result.info.outcome, GGM_CONVERGED);
        if (result.info.largest_component > 1)
            assert_string_equal(result.info.solver, "sglasso");
        verdict v = assert_answer(&x.problem, &result, settings.tolerance);
        settings.solver = GGM_SOLVER_BCD;
        assert_int_equal(ggm_solve(&x.problem, &settings, &other), GGM_OK);
        assert_true(fabs(result.info.objective - other.info.objective) <= result.info.duality_gap + other.info.duality_gap + 1e-11 * (double)x.problem.p);
        worst = fmax(worst, v.relative_gap);
        farthest = fmax(farthest, distance(&result.precision, &other.precision));
        nonzeros += result.info.nonzeros;
        others += other.info.nonzeros;
        ggm_result_release(&result);
        ggm_result_release(&other);
        instance_release(&x);
    }
    print_message("worst judge's gap %.1e, farthest from bcd %.1e, %zu nonzeros, bcd's %zu\n", worst, farthest, nonzeros, others);
    assert_true(worst <= 1e-5 && farthest <= 1e-3);
    assert_true(fabs((double)nonzeros - (double)others) <= 1e-2 * (double)others);
}

/* Zeros are zeros: no entry that the certificate proves to be 0 is there, small as it may be; nor is one without penalty missing */
static void test_exact_zeros(void **state)
{
    (void)state;
    rng r = rng_seeded(91);
    size_t zeros = 0;
    for (int number = 0; number < 60; number++) {
        instance x = random_instance(&r, number);
        const size_t p = x.problem.p;
        ggm_settings settings = settings_of(1e-11);
        ggm_result result;
        ggm_certificate certificate;
        assert_int_equal(ggm_solve(&x.problem, &settings, &result), GGM_OK);
        assert_int_equal(ggm_certify(&x.problem, &result.precision, 1, &certificate), GGM_OK);
        assert_true(certificate.positive_definite);
        assert_int_equal(certificate.wrong_edges, 0);
        zeros += certificate.proven_zeros;
        double *t = malloc(p * p * sizeof *t);
        ggm_sparse_to_dense(&result.precision, t);
        for (size_t k = 0; x.weights && k < p * p; k++)
            assert_true(!isinf(x.weights[k]) || t[k] == 0);
        free(t);
        ggm_result_release(&result);
        instance_release(&x);
    }
    assert_true(zeros > 5000);
}

/* The objective after 1, 2, 3, ... sweeps never rises by more than rounding; returns how many steps there were */
static int assert_falling(const ggm_problem *problem, int most)
{
    ggm_settings settings = settings_of(1e-12);
    double before = INFINITY;
    for (int sweeps = 1; sweeps <= most; sweeps++) {
        settings.max_iterations = sweeps;
        ggm_result result;
        assert_int_equal(ggm_solve(problem, &settings, &result), GGM_OK);
        if (!(result.info.objective <= before + 1e-12 * fmax((double)problem->p, fabs(before))))
            print_message("p %zu lambda %g, sweep %d: up by %g to %g\n", problem->p, problem->lambda, sweeps, result.info.objective - before, result.info.objective);
        assert_true(result.info.objective <= before + 1e-12 * fmax((double)problem->p, fabs(before)));
        before = result.info.objective;
        const ggm_outcome outcome = result.info.outcome;
        ggm_result_release(&result);
        if (outcome == GGM_CONVERGED)
            return sweeps;
    }
    return most;
}

static void test_monotone(void **state)
{
    (void)state;
    rng r = rng_seeded(92);
    int steps = 0;
    for (int number = 0; number < 40; number++) {
        instance x = random_instance(&r, number);
        x.problem.lambda *= number % 3 ? 1 : 0.2;
        steps += assert_falling(&x.problem, 40);
        instance_release(&x);
    }
    assert_true(steps > 100);
    enum { P = 60 };
    for (int common = 1; common <= 4; common++) { /* a few causes common to all, and little penalty: T is badly conditioned, passes are slow */
        double s[P * P], load[P * 4];
        for (int k = 0; k < P * 4; k++)
            load[k] = rng_normal(&r);
        for (int i = 0; i < P; i++)
            for (int j = 0; j < P; j++) {
                s[i * P + j] = i == j ? 0.5 : 0;
                for (int k = 0; k < common; k++)
                    s[i * P + j] += load[i * 4 + k] * load[j * 4 + k];
            }
        for (double lambda = 0.1; lambda > 0.02; lambda *= 0.3)
            (void)assert_falling(&(ggm_problem){.p = P, .s = s, .lambda = lambda, .penalize_diagonal = common % 2, .scale = true}, 25);
    }
}

/* Along a path, down and up again: right at every lambda, and not slower than from nothing (nor faster: a descent's last sweeps are its many) */
static void test_path(void **state)
{
    (void)state;
    rng r = rng_seeded(93);
    const int p = 70;
    double *truth = sparse_truth(&r, p, 4), *s = sample_covariance(&r, truth, p, 50);
    for (int penalize = 0; penalize < 2; penalize++) {
        ggm_problem problem = {.p = (size_t)p, .s = s, .penalize_diagonal = penalize, .scale = true};
        ggm_settings settings = settings_of(1e-8);
        ggm_workspace *workspace;
        assert_int_equal(ggm_workspace_new(&problem, &settings, &workspace), GGM_OK);
        int warm = 0, cold = 0;
        for (int k = 0; k < 16; k++) {
            problem.lambda = 0.5 * pow(0.8, k < 10 ? k : 18 - k);
            ggm_result result, alone;
            assert_int_equal(ggm_workspace_solve(workspace, problem.lambda, &result), GGM_OK);
            assert_int_equal(result.info.outcome, GGM_CONVERGED);
            assert_answer(&problem, &result, settings.tolerance);
            assert_int_equal(ggm_solve(&problem, &settings, &alone), GGM_OK);
            assert_true(fabs(result.info.objective - alone.info.objective) <= result.info.duality_gap + alone.info.duality_gap + 1e-10);
            warm += result.info.iterations;
            cold += alone.info.iterations;
            ggm_result_release(&result);
            ggm_result_release(&alone);
        }
        print_message("sweeps along the path %d, each lambda from nothing %d\n", warm, cold);
        assert_true(warm < 1.25 * cold);
        ggm_workspace_free(workspace);
    }
    free(truth);
    free(s);
}

/* From its own answer a solve is over at once; from a start that breaks a forced zero, or is indefinite, it ends where it should */
static void test_start(void **state)
{
    (void)state;
    rng r = rng_seeded(94);
    const size_t p = 30;
    double *truth = sparse_truth(&r, (int)p, 3), *s = sample_covariance(&r, truth, (int)p, 40), *weights = malloc(p * p * sizeof *weights);
    ggm_problem problem = {.p = p, .s = s, .lambda = 0.1, .scale = true};
    ggm_settings settings = settings_of(1e-8);
    ggm_result first, second;
    assert_int_equal(ggm_solve(&problem, &settings, &first), GGM_OK);
    assert_true(first.info.iterations > 3);
    problem.start = &first.precision;
    assert_int_equal(ggm_solve(&problem, &settings, &second), GGM_OK);
    assert_true(second.info.iterations <= 2);
    assert_answer(&problem, &second, settings.tolerance);
    ggm_result_release(&second);
    for (size_t k = 0; k < p * p; k++)
        weights[k] = 1;
    int forced = 0;
    for (size_t i = 0; i < p; i++)
        for (size_t k = first.precision.start[i]; k < first.precision.start[i + 1]; k++) {
            const size_t j = (size_t)first.precision.index[k];
            if (j < i && (i + j) % 3 == 0) {
                weights[i * p + j] = weights[j * p + i] = INFINITY;
                forced++;
            }
        }
    assert_true(forced > 5);
    problem.weights = weights;
    assert_int_equal(ggm_solve(&problem, &settings, &second), GGM_OK);
    assert_int_equal(second.info.outcome, GGM_CONVERGED);
    assert_answer(&problem, &second, settings.tolerance);
    ggm_result_release(&second);
    problem.weights = NULL;
    for (size_t i = 0; i < p; i++)
        for (size_t k = first.precision.start[i]; k < first.precision.start[i + 1]; k++)
            first.precision.value[k] *= (size_t)first.precision.index[k] == i ? 1 : 20;
    assert_int_equal(ggm_solve(&problem, &settings, &second), GGM_OK);
    assert_answer(&problem, &second, settings.tolerance);
    ggm_result_release(&second);
    ggm_result_release(&first);
    free(truth);
    free(s);
    free(weights);
}

static void test_two_variables(void **state)
{
    (void)state;
    for (double rho = -1; rho <= 1; rho += 0.25)
        for (double lambda = 0.1; lambda < 1.2; lambda += 0.2) {
            const double s[4] = {1, rho, rho, 1}, w = fabs(rho) <= lambda ? 0 : rho > 0 ? rho - lambda : rho + lambda;
            ggm_problem problem = {.p = 2, .s = s, .lambda = lambda};
            ggm_settings settings = settings_of(1e-9);
            ggm_result result;
            assert_int_equal(ggm_solve(&problem, &settings, &result), GGM_OK);
            assert_int_equal(result.precision.nnz, w == 0 ? 2 : 4);
            assert_true(fabs(result.precision.value[0] - 1 / (1 - w * w)) <= 1e-4 / (1 - w * w)); /* T is as exact as the gap's root */
            if (w != 0)
                assert_true(fabs(result.precision.value[1] + w / (1 - w * w)) <= 1e-4 / (1 - w * w));
            ggm_result_release(&result);
        }
}

static void test_degenerate(void **state)
{
    (void)state;
    double copies[49], one = 4;
    for (int i = 0; i < 49; i++) /* one variable and its negative, seven times */
        copies[i] = (i / 7 < 3) == (i % 7 < 3) ? 2 : -2;
    ggm_settings settings = settings_of(1e-7);
    ggm_result result;
    for (int penalize = 0; penalize < 2; penalize++)
        for (double lambda = 0.5; lambda > 1e-3; lambda /= 4) {
            ggm_problem problem = {.p = 7, .s = copies, .lambda = lambda, .penalize_diagonal = penalize, .scale = true};
            assert_int_equal(ggm_solve(&problem, &settings, &result), GGM_OK);
            assert_int_equal(result.info.outcome, GGM_CONVERGED);
            assert_answer(&problem, &result, settings.tolerance);
            ggm_result_release(&result);
        }
    assert_int_equal(ggm_solve(&(ggm_problem){.p = 1, .s = &one, .lambda = 1}, &settings, &result), GGM_OK);
    assert_true(result.precision.value[0] == 0.25);
    ggm_result_release(&result);
    const double indefinite[9] = {1, 0.9, -0.9, 0.9, 1, 0.9, -0.9, 0.9, 1}; /* eigenvalues 1.9, 1.9, -0.8 */
    ggm_problem problem = {.p = 3, .s = indefinite, .lambda = 0.6, .scale = true};
    assert_int_equal(ggm_solve(&problem, &settings, &result), GGM_OK); /* the penalty mends it */
    assert_int_equal(result.info.outcome, GGM_CONVERGED);
    assert_answer(&problem, &result, settings.tolerance);
    ggm_result_release(&result);
    problem.lambda = 0.05;
    assert_int_equal(ggm_solve(&problem, &settings, &result), GGM_ERROR_INDEFINITE); /* it cannot */
    assert_int_equal(result.precision.nnz, 0);
}

/* No penalty: the inverse, where there is one. With weights the solver does it, all of whose duals are fixed. */
static void test_unpenalised(void **state)
{
    (void)state;
    rng r = rng_seeded(95);
    enum { P = 12 };
    double *truth = sparse_truth(&r, P, 3), *full = sample_covariance(&r, truth, P, 100), *singular = sample_covariance(&r, truth, P, 6), ones[P * P], zeros[P * P];
    for (int k = 0; k < P * P; k++) {
        ones[k] = 1;
        zeros[k] = 0;
    }
    ggm_settings settings = settings_of(1e-9);
    const struct {
        const double *weights;
        double lambda;
    } cases[] = {{NULL, 0}, {ones, 0}, {zeros, 1}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        ggm_problem problem = {.p = P, .s = full, .lambda = cases[k].lambda, .scale = true, .weights = cases[k].weights};
        ggm_result result;
        assert_int_equal(ggm_solve(&problem, &settings, &result), GGM_OK);
        assert_int_equal(result.info.outcome, GGM_CONVERGED);
        assert_int_equal(result.precision.nnz, P * P);
        verdict v = assert_answer(&problem, &result, settings.tolerance);
        assert_true(v.kkt < 1e-3);
        ggm_result_release(&result);
        problem.s = singular;
        assert_int_equal(ggm_solve(&problem, &settings, &result), GGM_ERROR_INDEFINITE);
    }
    free(truth);
    free(full);
    free(singular);
}

static bool says_stop(void *count)
{
    return ++*(int *)count > 0;
}

static void count_progress(double lambda, int iteration, double gap, void *count)
{
    assert_true(lambda > 0 && iteration == *(int *)count + 1 && (isnan(gap) || gap >= 0));
    ++*(int *)count;
}

static void test_stopped_early(void **state)
{
    (void)state;
    rng r = rng_seeded(96);
    const int p = 60;
    double *truth = sparse_truth(&r, p, 6), *s = sample_covariance(&r, truth, p, 30);
    ggm_problem problem = {.p = (size_t)p, .s = s, .lambda = 0.05, .scale = true};
    ggm_settings settings = settings_of(1e-10);
    int count = 0;
    settings.user_data = &count;
    settings.progress = count_progress;
    ggm_result best, result;
    assert_int_equal(ggm_solve(&problem, &settings, &best), GGM_OK);
    assert_int_equal(count, best.info.iterations);
    settings.progress = NULL;
    settings.interrupt = says_stop;
    assert_int_equal(ggm_solve(&problem, &settings, &result), GGM_OK);
    assert_int_equal(result.info.outcome, GGM_INTERRUPTED);
    assert_answer(&problem, &result, settings.tolerance);
    assert_true(result.info.duality_gap >= result.info.objective - best.info.objective);
    ggm_result_release(&result);
    settings.interrupt = NULL;
    settings.time_limit = 1e-9;
    assert_int_equal(ggm_solve(&problem, &settings, &result), GGM_OK);
    assert_int_equal(result.info.outcome, GGM_TIME_LIMIT);
    assert_answer(&problem, &result, settings.tolerance);
    ggm_result_release(&result);
    settings.time_limit = 0;
    for (int sweeps = 1; sweeps < 12; sweeps += 2) { /* the gap that is claimed is one: the optimum is never further away */
        settings.max_iterations = sweeps;
        assert_int_equal(ggm_solve(&problem, &settings, &result), GGM_OK);
        assert_int_equal(result.info.outcome, GGM_ITERATION_LIMIT);
        assert_int_equal(result.info.iterations, sweeps);
        assert_answer(&problem, &result, settings.tolerance);
        assert_true(result.info.duality_gap >= result.info.objective - best.info.objective);
        ggm_result_release(&result);
    }
    ggm_result_release(&best);
    free(truth);
    free(s);
}

/* T does not depend on the number of threads, not by a bit */
static void test_threads(void **state)
{
    (void)state;
    rng r = rng_seeded(97);
    const int p = 230;
    double *truth = sparse_truth(&r, p, 4), *s = sample_covariance(&r, truth, p, 150);
    ggm_problem problem = {.p = (size_t)p, .s = s, .lambda = 0.2, .scale = true};
    ggm_settings settings = settings_of(1e-7);
    ggm_result one;
    assert_int_equal(ggm_solve(&problem, &settings, &one), GGM_OK);
    assert_int_equal(one.info.outcome, GGM_CONVERGED);
    assert_true(one.info.largest_component > 200);
    for (settings.threads = 2; settings.threads < 4; settings.threads++) {
        ggm_result several;
        assert_int_equal(ggm_solve(&problem, &settings, &several), GGM_OK);
        assert_int_equal(several.precision.nnz, one.precision.nnz);
        assert_memory_equal(several.precision.index, one.precision.index, one.precision.nnz * sizeof(int));
        assert_memory_equal(several.precision.value, one.precision.value, one.precision.nnz * sizeof(double));
        ggm_result_release(&several);
    }
    ggm_result_release(&one);
    free(truth);
    free(s);
}

/* Optima that several codes agree on (shared/research/graphical-lasso.md, 3.1 and 3.9) */
static void test_reference(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        double lambda, optimum, known; /* known: relative accuracy of the number */
        bool scale;
    } references[] = {{"mazumder_5.npy", 0.004, -14.819394314, 1e-9, false}, {"mazumder_50.npy", 0.02, -51.273536419, 2e-7, false},
                      {"er_692.npy", 0.5, 923.10424604239, 1e-12, true}};
    for (size_t k = 0; k < sizeof references / sizeof *references; k++) {
        char path[1024];
        size_t p;
        snprintf(path, sizeof path, "%s/glasso/%s", GLINT_SHARED_DIR, references[k].file);
        double *s = read_square_npy(path, &p);
        if (!s) {
            print_message("skipped: %s is not there\n", path);
            skip();
        }
        ggm_problem problem = {.p = p, .s = s, .lambda = references[k].lambda, .penalize_diagonal = true, .scale = references[k].scale};
        const double tolerance = p > 100 ? 1e-8 : 1e-9;
        ggm_settings settings = settings_of(tolerance);
        ggm_result result;
        assert_int_equal(ggm_solve(&problem, &settings, &result), GGM_OK);
        assert_int_equal(result.info.outcome, GGM_CONVERGED);
        const double error = (result.info.objective - references[k].optimum) / fabs(references[k].optimum);
        print_message("%s: objective %.13g, off the reference by %.1e, gap %.1e, %d sweeps, %.2f s\n", references[k].file, result.info.objective, error,
                      result.info.relative_duality_gap, result.info.iterations, result.info.seconds);
        assert_true(error <= fmax(tolerance, 2 * references[k].known) && error >= -2 * references[k].known);
        ggm_result_release(&result);
        free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_problems), cmocka_unit_test(test_exact_zeros), cmocka_unit_test(test_monotone),
                                       cmocka_unit_test(test_path),            cmocka_unit_test(test_start),       cmocka_unit_test(test_two_variables),
                                       cmocka_unit_test(test_degenerate),      cmocka_unit_test(test_unpenalised), cmocka_unit_test(test_stopped_early),
                                       cmocka_unit_test(test_threads),         cmocka_unit_test(test_reference)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
