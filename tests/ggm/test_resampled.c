/* Cross-validation, StARS and RIC against plain loops that share nothing with them but the draws. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/select_case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- CV ---- */
/* Mean and standard error of the held-out losses at lambda, each fold solved by itself. Transforms are ggm_covariance's. */
static void plain_loss(const double *x, int n, int folds, uint64_t seed, double lambda, const ggm_covariance_settings *transform, double *mean_loss, double *error)
{
    size_t *order = drawn_rows(seed, 0, (size_t)n, 0), *train_rows = malloc((size_t)n * sizeof *train_rows);
    double losses[32], train[P * P], test[P * P], t[P * P], centre[P], mean[P];
    *mean_loss = *error = 0;
    for (int f = 0; f < folds; f++) {
        size_t from = (size_t)(f * n / folds), to = (size_t)((f + 1) * n / folds), count = 0;
        for (size_t k = 0; k < (size_t)n; k++)
            if (k < from || k >= to)
                train_rows[count++] = order[k];
        plain_covariance(x, P, train_rows, count, NULL, centre, train);
        plain_covariance(x, P, order + from, to - from, centre, mean, test);
        if (transform) {
            ggm_samples trained = {.n = count, .p = P, .x = x, .rows = train_rows}, tested = {.n = to - from, .p = P, .x = x, .rows = order + from};
            ggm_covariance_settings bare = *transform;
            bare.shrinkage = 0;
            bare.repair = false;
            assert_int_equal(ggm_covariance(&trained, transform, 1, train), GGM_OK);
            if (transform->transform != GGM_TRANSFORM_NONE)
                assert_int_equal(ggm_covariance(&tested, &bare, 1, test), GGM_OK);
        }
        ggm_problem problem = {.p = P, .s = train, .scale = true, .lambda = lambda};
        ggm_settings settings;
        ggm_default_settings(&settings);
        settings.tolerance = 1e-12;
        ggm_result result;
        assert_int_equal(ggm_solve(&problem, &settings, &result), GGM_OK);
        ggm_sparse_to_dense(&result.precision, t);
        losses[f] = -plain_logdet(t, P);
        for (int k = 0; k < P * P; k++)
            losses[f] += test[k] * t[k];
        *mean_loss += losses[f] / folds;
        ggm_result_release(&result);
    }
    for (int f = 0; f < folds; f++)
        *error += (losses[f] - *mean_loss) * (losses[f] - *mean_loss);
    *error = sqrt(*error / (folds - 1) / folds);
    free(order);
    free(train_rows);
}

static void test_cv(void **state)
{
    (void)state;
    double *x = sample_rows(312, P, N, NULL);
    static const ggm_transform transforms[] = {GGM_TRANSFORM_NONE, GGM_TRANSFORM_NONE, GGM_TRANSFORM_NONE, GGM_TRANSFORM_WINSOR, GGM_TRANSFORM_NPN, GGM_TRANSFORM_SKEPTIC};
    for (int kind = 0; kind < 6; kind++) {
        ggm_samples samples = {.n = (size_t)(N - kind), .p = P, .x = x};
        ggm_covariance_settings covariance;
        ggm_default_covariance_settings(&covariance);
        covariance.transform = transforms[kind];
        covariance.shrinkage = kind == 1 ? 0.1 : kind == 4 ? (double)NAN : 0;
        const bool by_rows = kind == 1 || kind > 2;
        ggm_problem problem = {.p = P, .samples = &samples, .scale = true, .covariance = by_rows ? &covariance : NULL};
        ggm_select_settings select = defaults(GGM_CRITERION_CV);
        select.folds = 4 + kind;
        select.seed = 7 + (uint64_t)kind;
        ggm_selection selection;
        assert_int_equal(ggm_select(&problem, NULL, &select, &selection), GGM_OK);
        for (size_t k = 0; k < selection.count; k++) {
            double mean, error;
            plain_loss(x, N - kind, select.folds, select.seed, selection.points[k].lambda, problem.covariance, &mean, &error);
            assert_int_equal(selection.points[k].solves, select.folds);
            assert_true(fabs(selection.points[k].score - mean) <= 1e-7 * fabs(mean));
            assert_true(fabs(selection.points[k].spread - error) <= 1e-5 * error);
            assert_true(selection.points[selection.chosen].score <= selection.points[k].score);
        }
        assert_choice(&problem, &selection);
        select.one_standard_error = true;
        ggm_selection careful;
        assert_int_equal(ggm_select(&problem, NULL, &select, &careful), GGM_OK);
        double limit = selection.points[selection.chosen].score + selection.points[selection.chosen].spread;
        assert_true(careful.chosen <= selection.chosen && careful.points[careful.chosen].score <= limit);
        assert_true(careful.chosen == 0 || careful.points[careful.chosen - 1].score > limit);
        ggm_selection_release(&careful);
        ggm_selection_release(&selection);
    }
    free(x);
}

/* A variable that varies in one sample only: downdated, its variance in the other folds would be rounding */
static void test_cancellation(void **state)
{
    (void)state;
    double *x = sample_rows(352, P, N, NULL);
    float *x32 = malloc((size_t)(N * P) * sizeof *x32);
    for (int i = 0; i < N; i++)
        x[i * P + 3] = i == 17 ? 300 : 0.01 * x[i * P + 3];
    for (int k = 0; k < N * P; k++)
        x[k] = (double)(x32[k] = (float)x[k]);
    ggm_samples samples = {.n = N, .p = P, .x32 = x32};
    ggm_problem problem = {.p = P, .samples = &samples, .scale = true};
    ggm_select_settings select = defaults(GGM_CRITERION_CV);
    select.extensions = 0;
    ggm_selection selection;
    assert_int_equal(ggm_select(&problem, NULL, &select, &selection), GGM_OK);
    for (size_t k = 0; k < selection.count; k++) {
        double mean, error;
        plain_loss(x, N, select.folds, select.seed, selection.points[k].lambda, NULL, &mean, &error);
        assert_true(fabs(selection.points[k].score - mean) <= 1e-4 * fabs(mean));
    }
    ggm_selection_release(&selection);
    free(x32);
    free(x);
}

/* Rows chosen from a larger matrix in single precision are the same samples */
static void test_rows_of_rows(void **state)
{
    (void)state;
    double *x = sample_rows(313, P, N, NULL);
    float *wide = malloc((size_t)(2 * N * P) * sizeof *wide);
    size_t rows[N];
    for (size_t i = 0; i < N; i++) {
        rows[i] = 2 * (N - 1 - i) + 1;
        for (size_t j = 0; j < P; j++) {
            wide[rows[i] * P + j] = (float)x[i * P + j];
            wide[(rows[i] - 1) * P + j] = -99;
            x[i * P + j] = (double)(float)x[i * P + j];
        }
    }
    static const ggm_criterion criteria[] = {GGM_CRITERION_CV, GGM_CRITERION_STARS, GGM_CRITERION_RIC};
    for (int c = 0; c < 3; c++) {
        ggm_samples plain = {.n = N, .p = P, .x = x}, chosen = {.n = N, .p = P, .x32 = wide, .rows = rows};
        ggm_problem a = {.p = P, .samples = &plain, .scale = true}, b = {.p = P, .samples = &chosen, .scale = true};
        ggm_select_settings select = defaults(criteria[c]);
        ggm_selection first, second;
        assert_int_equal(ggm_select(&a, NULL, &select, &first), GGM_OK);
        assert_int_equal(ggm_select(&b, NULL, &select, &second), GGM_OK);
        assert_int_equal(first.count, second.count);
        assert_int_equal(first.chosen, second.chosen);
        for (size_t k = 0; k < first.count; k++)
            assert_true(isnan(first.points[k].score) ? isnan(second.points[k].score) : fabs(first.points[k].score - second.points[k].score) <= 1e-5);
        ggm_selection_release(&first);
        ggm_selection_release(&second);
    }
    free(wide);
    free(x);
}

/* ---- StARS ---- */
static int by_size(const void *a, const void *b)
{
    return (*(const size_t *)a > *(const size_t *)b) - (*(const size_t *)a < *(const size_t *)b);
}

static double plain_instability(const double *x, int subsamples, size_t size, uint64_t seed, double lambda, double *theta)
{
    memset(theta, 0, P * P * sizeof *theta);
    for (int b = 0; b < subsamples; b++) {
        size_t *rows = drawn_rows(seed, (uint64_t)b, N, 0);
        double mean[P], s[P * P], t[P * P];
        qsort(rows, size, sizeof *rows, by_size);
        for (size_t k = 1; k < size; k++)
            assert_true(rows[k] > rows[k - 1] && rows[k] < N); /* without replacement */
        plain_covariance(x, P, rows, size, NULL, mean, s);
        ggm_problem problem = {.p = P, .s = s, .scale = true, .lambda = lambda};
        ggm_settings settings;
        ggm_default_settings(&settings);
        settings.tolerance = 1e-12;
        ggm_result result;
        assert_int_equal(ggm_solve(&problem, &settings, &result), GGM_OK);
        ggm_sparse_to_dense(&result.precision, t);
        for (int k = 0; k < P * P; k++)
            theta[k] += t[k] != 0 ? 1.0 / subsamples : 0;
        ggm_result_release(&result);
        free(rows);
    }
    double sum = 0;
    for (int i = 0; i < P; i++)
        for (int j = i + 1; j < P; j++)
            sum += theta[i * P + j] * (1 - theta[i * P + j]);
    return 2 * sum / (P * (P - 1) / 2.0);
}

static void test_stars(void **state)
{
    (void)state;
    double *x = sample_rows(351, P, N, NULL), theta[P * P], found[P * P]; /* without an edge so weak that the tolerance decides */
    ggm_samples samples = {.n = N, .p = P, .x = x};
    ggm_problem problem = {.p = P, .samples = &samples, .scale = true};
    ggm_select_settings select = defaults(GGM_CRITERION_STARS);
    select.subsamples = 9;
    select.bound = false;
    select.seed = 3;
    ggm_selection full;
    assert_int_equal(ggm_select(&problem, NULL, &select, &full), GGM_OK);
    double most = 0;
    size_t chosen = 0;
    for (size_t k = 0; k < full.count; k++) {
        const size_t size = (size_t)floor(10 * sqrt(N));
        double d = plain_instability(x, 9, size, 3, full.points[k].lambda, theta);
        most = fmax(most, d);
        assert_int_equal(full.points[k].solves, 9);
        assert_true(fabs(full.points[k].spread - d) <= 1e-12);
        assert_true(fabs(full.points[k].score - most) <= 1e-12);
        if (most <= 0.05)
            chosen = k;
        if (k == full.chosen) {
            ggm_sparse_to_dense(&full.stability, found);
            for (int i = 0; i < P * P; i++)
                assert_true(fabs(found[i] - theta[i]) <= 1e-12);
        }
    }
    assert_int_equal(full.chosen, chosen);
    assert_false(full.at_end);
    assert_choice(&problem, &full);
    ggm_selection_release(&full);
    free(x);
}

static void test_bound_changes_nothing(void **state)
{
    (void)state;
    size_t bounded_solves = 0, full_solves = 0;
    for (int seed = 0; seed < 12; seed++) {
        double *x = sample_rows(320 + seed, P, N, NULL);
        ggm_samples samples = {.n = seed % 2 ? N : 100, .p = P, .x = x};
        ggm_problem problem = {.p = P, .samples = &samples, .scale = true};
        ggm_select_settings select = defaults(GGM_CRITERION_STARS);
        select.path.count = 15;
        select.seed = (uint64_t)seed;
        select.instability = seed % 3 ? 0.025 : 0.075;
        ggm_selection bounded, full;
        assert_int_equal(ggm_select(&problem, NULL, &select, &bounded), GGM_OK);
        select.bound = false;
        assert_int_equal(ggm_select(&problem, NULL, &select, &full), GGM_OK);
        assert_true(bounded.lambda == full.lambda && bounded.at_end == full.at_end);
        for (size_t k = 0; k <= bounded.chosen; k++)
            assert_true(bounded.points[k].score == full.points[k].score);
        assert_int_equal(bounded.result.precision.nnz, full.result.precision.nnz);
        assert_memory_equal(bounded.stability.value, full.stability.value, full.stability.nnz * sizeof(double));
        bounded_solves += solves_of(&bounded);
        full_solves += solves_of(&full);
        ggm_selection_release(&bounded);
        ggm_selection_release(&full);
        free(x);
    }
    print_message("the bound: %zu solves instead of %zu\n", bounded_solves, full_solves);
    assert_true(bounded_solves < full_solves);
}

/* ---- RIC ---- */
static void test_ric(void **state)
{
    (void)state;
    double *x = sample_rows(315, P, N, NULL), mean[P], s[P * P], weights[P * P];
    size_t *rows = all_rows(N);
    plain_covariance(x, P, rows, N, NULL, mean, s);
    for (int k = 0; k < P * P; k++)
        weights[k] = (k / P + k % P) % 5 == 0 && k / P != k % P ? (double)INFINITY : 1 + (k / P + k % P) % 3;
    for (int kind = 0; kind < 3; kind++) {
        ggm_samples samples = {.n = N, .p = P, .x = x};
        ggm_problem problem = {.p = P, .samples = &samples, .scale = kind != 1, .weights = kind == 2 ? weights : NULL};
        ggm_select_settings select = defaults(GGM_CRITERION_RIC);
        select.rotations = 7;
        ggm_selection selection;
        assert_int_equal(ggm_select(&problem, NULL, &select, &selection), GGM_OK);
        assert_int_equal(selection.count, 7);
        size_t *shifts = drawn_rows(select.seed, 0, N - 1, 1);
        double least = INFINITY;
        for (size_t k = 0; k < 7; k++) {
            double most = 0;
            for (int i = 0; i < P; i++)
                for (int j = 0; j < P; j++) {
                    double sum = 0;
                    for (size_t m = 0; m < N; m++)
                        sum += (x[(m + shifts[k]) % N * P + (size_t)i] - mean[i]) * (x[m * P + (size_t)j] - mean[j]) / N;
                    sum = fabs(sum) / (problem.scale ? sqrt(s[i * P + i] * s[j * P + j]) : 1) / (problem.weights ? weights[i * P + j] : 1);
                    most = i != j && sum > most ? sum : most;
                }
            least = fmin(least, most);
            assert_true(fabs(selection.points[k].lambda - most) <= 1e-5 * most);
        }
        assert_true(fabs(selection.lambda - least) <= 1e-5 * least);
        free(shifts);
        assert_choice(&problem, &selection);
        ggm_selection_release(&selection);
    }
    free(rows);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cv),
                                       cmocka_unit_test(test_cancellation),
                                       cmocka_unit_test(test_rows_of_rows),
                                       cmocka_unit_test(test_stars),
                                       cmocka_unit_test(test_bound_changes_nothing),
                                       cmocka_unit_test(test_ric)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
