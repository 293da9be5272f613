/* The choice of lambda: every criterion against plain loops that share nothing with it but the draws; threads, interrupt, failures; planted graphs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/check.h"
#include "ggm/selecting.h"
#include "ggm/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { P = 24, N = 160 };

/* Samples from a sparse truth, with means and scales of their own */
static double *sample_rows(int seed, int p, int n, double **truth)
{
    rng r = rng_seeded((uint64_t)seed);
    double *t = sparse_truth(&r, p, 2), *x = draw_samples(&r, t, p, n);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < p; j++)
            x[i * p + j] = (1 + j % 3) * x[i * p + j] + 5 - j % 4;
    if (truth)
        *truth = t;
    else
        free(t);
    return x;
}

/* (p, p) covariance of some rows about `centre`, or about their own mean, which is left in `mean`; plain loops */
static void plain_covariance(const double *x, int p, const size_t *rows, size_t count, const double *centre, double *mean, double *s)
{
    for (int j = 0; j < p; j++) {
        mean[j] = 0;
        for (size_t k = 0; k < count; k++)
            mean[j] += x[rows[k] * (size_t)p + (size_t)j] / (double)count;
    }
    for (int i = 0; i < p; i++)
        for (int j = 0; j < p; j++) {
            double sum = 0;
            for (size_t k = 0; k < count; k++)
                sum += (x[rows[k] * (size_t)p + (size_t)i] - (centre ? centre : mean)[i]) * (x[rows[k] * (size_t)p + (size_t)j] - (centre ? centre : mean)[j]);
            s[i * p + j] = sum / (double)count;
        }
}

static size_t *all_rows(size_t n)
{
    size_t *rows = malloc(n * sizeof *rows);
    for (size_t i = 0; i < n; i++)
        rows[i] = i;
    return rows;
}

/* The draw of resample `stream`, as rows */
static size_t *drawn_rows(uint64_t seed, uint64_t stream, size_t n, size_t first)
{
    uint32_t *items = malloc(n * sizeof *items);
    size_t *rows = malloc(n * sizeof *rows);
    for (size_t i = 0; i < n; i++)
        items[i] = (uint32_t)(i + first);
    ggm_rng random = ggm_rng_seeded(seed, stream);
    ggm_rng_shuffle(&random, items, (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        rows[i] = items[i];
    free(items);
    return rows;
}

static ggm_select_settings defaults(ggm_criterion criterion)
{
    ggm_select_settings select;
    ggm_default_select_settings(&select);
    select.criterion = criterion;
    select.path.count = 8;
    select.path.tolerance = 1e-12; /* losses and edges move by the square root of it */
    return select;
}

static void assert_choice(const ggm_problem *problem, const ggm_selection *selection)
{
    ggm_problem at = *problem;
    double *s = malloc(problem->p * problem->p * sizeof *s);
    assert_int_equal(selection->status, GGM_OK);
    assert_true(selection->lambda == selection->points[selection->chosen].lambda);
    assert_true(selection->result.info.lambda == selection->lambda);
    if (problem->samples) {
        assert_int_equal(ggm_covariance(problem->samples, problem->covariance, 1, s), GGM_OK);
        at.samples = NULL;
        at.s = s;
    }
    at.lambda = selection->lambda;
    assert_answer(&at, &selection->result, 1e-7);
    free(s);
}

/* ---- EBIC ---- */
static void test_ebic(void **state)
{
    (void)state;
    double *x = sample_rows(310, P, N, NULL), mean[P], s[P * P];
    size_t *rows = all_rows(N);
    plain_covariance(x, P, rows, N, NULL, mean, s);
    ggm_problem problem = {.p = P, .s = s, .scale = true};
    ggm_select_settings select = defaults(GGM_CRITERION_EBIC);
    select.path.keep = true;
    select.path.n = N;
    ggm_selection selection;
    assert_int_equal(ggm_select(&problem, NULL, &select, &selection), GGM_OK);
    assert_int_equal(selection.outcome, GGM_CONVERGED);
    assert_int_equal(selection.count, selection.path.count);
    assert_false(selection.at_end);
    for (size_t k = 0; k < selection.count; k++) {
        const ggm_sparse *t = &selection.path.points[k].precision;
        double dense[P * P], trace = 0, edges = 0;
        ggm_sparse_to_dense(t, dense);
        for (int i = 0; i < P; i++)
            for (int j = 0; j < P; j++) {
                trace += s[i * P + j] * dense[i * P + j];
                edges += j > i && dense[i * P + j] != 0;
            }
        double ebic = -N * (plain_logdet(dense, P) - trace) + edges * log(N) + 4 * 0.5 * edges * log(P);
        assert_true(fabs(ebic - selection.points[k].score) <= 1e-7 * fabs(ebic));
        assert_true(selection.points[k].edges == edges);
        assert_true(selection.points[selection.chosen].score <= selection.points[k].score);
    }
    assert_choice(&problem, &selection);
    /* the same from samples, which know n, and without keeping the path */
    ggm_samples samples = {.n = N, .p = P, .x = x};
    ggm_problem sampled = {.p = P, .samples = &samples, .scale = true};
    select.path.n = 0;
    select.path.keep = false;
    ggm_selection other;
    assert_int_equal(ggm_select(&sampled, NULL, &select, &other), GGM_OK);
    assert_int_equal(other.chosen, selection.chosen);
    assert_true(fabs(other.lambda - selection.lambda) <= 1e-12);
    assert_int_equal(other.path.points[1].precision.nnz, 0);
    ggm_selection_release(&other);
    ggm_selection_release(&selection);
    assert_int_equal(ggm_select(&problem, NULL, &select, &selection), GGM_ERROR_ARGUMENT); /* n is not known */
    free(x);
    free(rows);
}

/* The optimum beyond the grid is found, and said when it is not looked for */
static void test_extension(void **state)
{
    (void)state;
    double *x = sample_rows(311, P, N, NULL);
    ggm_samples samples = {.n = N, .p = P, .x = x};
    ggm_problem problem = {.p = P, .samples = &samples, .scale = true};
    static const ggm_criterion criteria[] = {GGM_CRITERION_EBIC, GGM_CRITERION_CV, GGM_CRITERION_STARS};
    for (int c = 0; c < 3; c++) {
        ggm_select_settings select = defaults(criteria[c]);
        select.path.count = 12;
        select.path.ratio = 0.05;
        select.instability = 0.1;
        ggm_selection wide, low, high, none;
        assert_int_equal(ggm_select(&problem, NULL, &select, &wide), GGM_OK);
        assert_false(wide.at_end);
        assert_true(wide.chosen >= 3 && wide.chosen <= wide.count - 2);
        double lambdas[40];
        for (size_t k = 0; k < wide.count; k++)
            lambdas[k] = wide.points[k].lambda;
        select.path.lambdas = lambdas; /* the upper end only */
        select.path.count = wide.chosen - 1; /* not two: EBIC's first edges can be a dent of their own */
        assert_int_equal(ggm_select(&problem, NULL, &select, &high), GGM_OK);
        assert_false(high.at_end);
        assert_true(fabs(high.lambda / wide.lambda - 1) < 1e-9);
        select.path.lambdas = lambdas + wide.chosen + 1; /* the lower end only */
        select.path.count = wide.count - wide.chosen - 1 < 2 ? 1 : 2;
        if (select.path.count == 2) {
            assert_int_equal(ggm_select(&problem, NULL, &select, &low), GGM_OK);
            assert_false(low.at_end);
            assert_true(fabs(low.lambda / wide.lambda - 1) < 1e-9);
            ggm_selection_release(&low);
        }
        select.extensions = 0;
        assert_int_equal(ggm_select(&problem, NULL, &select, &none), GGM_OK);
        assert_true(none.at_end);
        assert_true(none.lambda == select.path.lambdas[0]);
        print_message("%s: %zu lambdas, from above %zu; without more it ends at %.3f instead of %.3f\n", ggm_criterion_text(criteria[c]), wide.count, high.count,
                      none.lambda, wide.lambda);
        ggm_selection_release(&wide);
        ggm_selection_release(&high);
        ggm_selection_release(&none);
    }
    free(x);
}

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
    return 4 * sum / (P * (P - 1) / 2.0);
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

static size_t solves_of(const ggm_selection *selection)
{
    size_t solves = 0;
    for (size_t k = 0; k < selection->count; k++)
        solves += (size_t)selection->points[k].solves;
    return solves;
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
        select.instability = seed % 3 ? 0.05 : 0.15;
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

/* ---- density ---- */
static void test_density(void **state)
{
    (void)state;
    double *x = sample_rows(316, P, N, NULL);
    ggm_samples samples = {.n = N, .p = P, .x = x};
    ggm_problem problem = {.p = P, .samples = &samples, .scale = true};
    ggm_select_settings select = defaults(GGM_CRITERION_DENSITY);
    select.density = 0.1;
    ggm_selection selection;
    assert_int_equal(ggm_select(&problem, NULL, &select, &selection), GGM_OK);
    assert_true(fabs(selection.points[0].score - 0.1) <= 0.02);
    assert_false(selection.at_end);
    assert_choice(&problem, &selection);
    ggm_selection_release(&selection);
    double diagonal[4] = {1, 0, 0, 1};
    assert_int_equal(ggm_select(&(ggm_problem){.p = 2, .s = diagonal}, NULL, &select, &selection), GGM_OK);
    assert_true(selection.at_end && selection.points[0].score == 0);
    ggm_selection_release(&selection);
    free(x);
}

/* ---- all of them ---- */
static void assert_same_bits(const ggm_selection *a, const ggm_selection *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->chosen, b->chosen);
    for (size_t k = 0; k < a->count; k++) {
        assert_memory_equal(&a->points[k].lambda, &b->points[k].lambda, sizeof(double));
        assert_memory_equal(&a->points[k].spread, &b->points[k].spread, sizeof(double));
        assert_memory_equal(&a->points[k].edges, &b->points[k].edges, sizeof(double));
        assert_int_equal(a->points[k].solves, b->points[k].solves);
        assert_true(a->points[k].score == b->points[k].score || (isnan(a->points[k].score) && isnan(b->points[k].score)));
    }
    assert_int_equal(a->result.precision.nnz, b->result.precision.nnz);
    assert_memory_equal(a->result.precision.value, b->result.precision.value, a->result.precision.nnz * sizeof(double));
    assert_memory_equal(a->result.precision.index, b->result.precision.index, a->result.precision.nnz * sizeof(int));
    assert_int_equal(a->stability.nnz, b->stability.nnz);
    if (a->stability.nnz > 0)
        assert_memory_equal(a->stability.value, b->stability.value, a->stability.nnz * sizeof(double));
}

static void test_threads_and_memory(void **state)
{
    (void)state;
    double *x = sample_rows(317, P, N, NULL);
    ggm_samples samples = {.n = N, .p = P, .x = x};
    ggm_problem problem = {.p = P, .samples = &samples, .scale = true};
    for (int c = GGM_CRITERION_EBIC; c <= GGM_CRITERION_DENSITY; c++) {
        ggm_select_settings select = defaults((ggm_criterion)c);
        ggm_settings settings;
        ggm_default_settings(&settings);
        settings.threads = 1;
        ggm_selection one;
        assert_int_equal(ggm_select(&problem, &settings, &select, &one), GGM_OK);
        for (int threads = 2; threads <= 3; threads++) {
            settings.threads = threads;
            select.memory = threads == 3 ? 2 * ggm_select_job_bytes(P) + 5 : 0; /* two at a time on three threads */
            ggm_selection more;
            assert_int_equal(ggm_select(&problem, &settings, &select, &more), GGM_OK);
            assert_same_bits(&one, &more);
            ggm_selection_release(&more);
        }
        ggm_selection_release(&one);
    }
    free(x);
}

typedef struct {
    size_t calls, done, planned, stop_at;
} watcher;

static void note(size_t done, size_t planned, void *data)
{
    watcher *w = data;
    assert_true(done <= planned && done >= w->done && planned >= w->planned);
    w->calls++;
    w->done = done;
    w->planned = planned;
    if (w->stop_at > 0 && done >= w->stop_at)
        nanosleep(&(struct timespec){.tv_nsec = 25000000}, NULL); /* longer than the polling interval */
}

static bool stop(void *data)
{
    const watcher *w = data;
    return w->stop_at > 0 && w->done >= w->stop_at;
}

static void test_progress_and_interrupt(void **state)
{
    (void)state;
    double *x = sample_rows(318, P, N, NULL);
    ggm_samples samples = {.n = N, .p = P, .x = x};
    ggm_problem problem = {.p = P, .samples = &samples, .scale = true};
    for (int c = GGM_CRITERION_EBIC; c <= GGM_CRITERION_RIC; c++)
        for (int threads = 1; threads <= 2; threads++) {
            ggm_select_settings select = defaults((ggm_criterion)c);
            ggm_settings settings;
            ggm_default_settings(&settings);
            settings.threads = threads;
            settings.interrupt = stop;
            watcher w = {0};
            settings.user_data = select.user_data = &w;
            select.progress = note;
            select.subsamples = 6;
            ggm_selection selection;
            assert_int_equal(ggm_select(&problem, &settings, &select, &selection), GGM_OK);
            assert_true(w.calls > 0 && w.done == w.planned);
            assert_int_equal(selection.outcome, GGM_CONVERGED);
            const size_t all = w.done, answers = solves_of(&selection);
            ggm_selection_release(&selection);
            w = (watcher){.stop_at = all / 2};
            assert_int_equal(ggm_select(&problem, &settings, &select, &selection), GGM_OK);
            assert_int_equal(selection.outcome, GGM_INTERRUPTED);
            assert_true(threads > 1 || (w.done < all && solves_of(&selection) < answers)); /* a second thread goes on while the first sleeps */
            assert_true(solves_of(&selection) > 0);
            assert_false(isnan(selection.lambda)); /* half is enough for a choice, with a true certificate */
            problem.lambda = selection.lambda;
            ggm_certificate certificate;
            assert_int_equal(ggm_certify(&problem, &selection.result.precision, 1, &certificate), GGM_OK);
            assert_true(certificate.positive_definite);
            ggm_selection_release(&selection);
            w = (watcher){.stop_at = 0};
            settings.time_limit = 1e-9;
            assert_int_equal(ggm_select(&problem, &settings, &select, &selection), GGM_OK);
            assert_int_equal(selection.outcome, GGM_TIME_LIMIT);
            assert_true(isnan(selection.lambda) && selection.result.precision.p == 0);
            ggm_selection_release(&selection);
        }
    free(x);
}

/* A variable that varies in a few samples only is constant in most resamples */
static void test_rare_variables(void **state)
{
    (void)state;
    double *x = sample_rows(319, P, N, NULL);
    for (int i = 0; i < N; i++) {
        x[i * P + 3] = i == 17 ? 1 : 0.1;
        x[i * P + 4] = i == 17 || i == 18 ? 2 : -1;
        x[i * P + 6] = x[i * P + 5]; /* and twins */
    }
    ggm_samples samples = {.n = N, .p = P, .x = x};
    ggm_problem problem = {.p = P, .samples = &samples, .scale = true};
    for (int c = GGM_CRITERION_EBIC; c <= GGM_CRITERION_RIC; c++) {
        ggm_select_settings select = defaults((ggm_criterion)c);
        ggm_selection selection;
        assert_int_equal(ggm_select(&problem, NULL, &select, &selection), GGM_OK);
        for (size_t k = 0; k < selection.count; k++)
            assert_int_equal(selection.points[k].status, GGM_OK);
        assert_choice(&problem, &selection);
        ggm_selection_release(&selection);
    }
    free(x);
}

static void test_degenerate(void **state)
{
    (void)state;
    double *x = sample_rows(330, P, N, NULL);
    for (int c = GGM_CRITERION_EBIC; c <= GGM_CRITERION_DENSITY; c++) {
        ggm_select_settings select = defaults((ggm_criterion)c);
        ggm_selection selection;
        for (size_t p = 1; p <= 2; p++) {
            ggm_samples samples = {.n = 30, .p = p, .x = x};
            assert_int_equal(ggm_select(&(ggm_problem){.p = p, .samples = &samples, .scale = true}, NULL, &select, &selection), GGM_OK);
            assert_int_equal(selection.result.precision.p, p);
            ggm_selection_release(&selection);
        }
        ggm_samples few = {.n = 12, .p = P, .x = x}; /* n < p */
        ggm_problem problem = {.p = P, .samples = &few, .scale = true};
        assert_int_equal(ggm_select(&problem, NULL, &select, &selection), GGM_OK);
        assert_choice(&problem, &selection);
        ggm_selection_release(&selection);
        x[5] = NAN;
        assert_int_equal(ggm_select(&problem, NULL, &select, &selection), GGM_ERROR_NOT_FINITE);
        assert_null(selection.points);
        x[5] = 1;
        ggm_settings bad;
        ggm_default_settings(&bad);
        bad.tolerance = -1;
        assert_int_equal(ggm_select(&problem, &bad, &select, &selection), GGM_ERROR_ARGUMENT);
        assert_int_equal(ggm_select(NULL, NULL, &select, &selection), GGM_ERROR_ARGUMENT);
        assert_int_equal(ggm_select(&problem, NULL, &select, NULL), GGM_ERROR_ARGUMENT);
        double s[4] = {1, 0.5, 0.5, 1};
        bool resampled = c == GGM_CRITERION_CV || c == GGM_CRITERION_STARS || c == GGM_CRITERION_RIC;
        select.path.n = 10;
        assert_int_equal(ggm_select(&(ggm_problem){.p = 2, .s = s}, NULL, &select, &selection), resampled ? GGM_ERROR_ARGUMENT : GGM_OK);
        ggm_selection_release(&selection);
    }
    ggm_samples samples = {.n = 12, .p = P, .x = x};
    ggm_problem problem = {.p = P, .samples = &samples, .scale = true};
    ggm_selection selection;
    ggm_select_settings select = defaults(GGM_CRITERION_CV);
    select.folds = 13;
    assert_int_equal(ggm_select(&problem, NULL, &select, &selection), GGM_ERROR_ARGUMENT);
    select.folds = 12; /* one left out at a time */
    assert_int_equal(ggm_select(&problem, NULL, &select, &selection), GGM_OK);
    ggm_selection_release(&selection);
    select = defaults(GGM_CRITERION_STARS);
    select.subsample_size = 13;
    assert_int_equal(ggm_select(&problem, NULL, &select, &selection), GGM_ERROR_ARGUMENT);
    ggm_selection_release(NULL);
    free(x);
}

/* ---- do they find what was planted? ---- */
static void test_planted_graph(void **state)
{
    (void)state;
    enum { p = 60, n = 600 };
    double *truth, *x = sample_rows(340, p, n, &truth);
    ggm_samples samples = {.n = n, .p = p, .x = x};
    ggm_problem problem = {.p = p, .samples = &samples, .scale = true};
    /* CV is known to keep too many edges; the others are for finding the graph */
    static const double floors[] = {0.75, 0.3, 0.6, 0.6, 0.6};
    double planted = 0;
    for (int i = 0; i < p; i++)
        for (int j = i + 1; j < p; j++)
            planted += truth[i * p + j] != 0;
    for (int c = GGM_CRITERION_EBIC; c <= GGM_CRITERION_DENSITY; c++) {
        ggm_select_settings select;
        ggm_default_select_settings(&select);
        select.criterion = (ggm_criterion)c;
        select.density = planted / (0.5 * p * (p - 1));
        ggm_selection selection;
        assert_int_equal(ggm_select(&problem, NULL, &select, &selection), GGM_OK);
        assert_false(selection.at_end);
        double found = 0, right = 0;
        const ggm_sparse *t = &selection.result.precision;
        for (size_t i = 0; i < p; i++)
            for (size_t k = t->start[i]; k < t->start[i + 1]; k++)
                if ((size_t)t->index[k] > i) {
                    found++;
                    right += truth[i * p + (size_t)t->index[k]] != 0;
                }
        double f1 = 2 * right / (found + planted);
        print_message("%-8s lambda %.3f, %3.0f edges of %.0f planted, F1 %.2f, %.3f s\n", ggm_criterion_text(select.criterion), selection.lambda, found, planted, f1,
                      selection.seconds);
        assert_true(f1 >= floors[c]);
        ggm_selection_release(&selection);
    }
    free(truth);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ebic),
                                       cmocka_unit_test(test_extension),
                                       cmocka_unit_test(test_cv),
                                       cmocka_unit_test(test_cancellation),
                                       cmocka_unit_test(test_rows_of_rows),
                                       cmocka_unit_test(test_stars),
                                       cmocka_unit_test(test_bound_changes_nothing),
                                       cmocka_unit_test(test_ric),
                                       cmocka_unit_test(test_density),
                                       cmocka_unit_test(test_threads_and_memory),
                                       cmocka_unit_test(test_progress_and_interrupt),
                                       cmocka_unit_test(test_rare_variables),
                                       cmocka_unit_test(test_degenerate),
                                       cmocka_unit_test(test_planted_graph)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
