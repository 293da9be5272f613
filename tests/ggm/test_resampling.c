/* Resamples and what is made of them: groups stay whole, results agree with plain recounts from solves of each resample, threads do not show,
 * stops and failures leave what is finished. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/resampling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* rho (p, p) by a plain covariance of the rows and a solve of it */
static void solve_rows(const fixture *f, const size_t *rows, int n, double *rho)
{
    const int p = (int)f->problem.p;
    double *s = calloc((size_t)(p * p), sizeof *s), *mean = calloc((size_t)p, sizeof *mean);
    for (int k = 0; k < n; k++)
        for (int i = 0; i < p; i++)
            mean[i] += f->x[rows[k] * (size_t)p + (size_t)i] / n;
    for (int k = 0; k < n; k++)
        for (int i = 0; i < p; i++)
            for (int j = 0; j < p; j++)
                s[i * p + j] += (f->x[rows[k] * (size_t)p + (size_t)i] - mean[i]) * (f->x[rows[k] * (size_t)p + (size_t)j] - mean[j]) / n;
    ggm_problem problem = f->problem;
    problem.samples = NULL;
    problem.s = s;
    ggm_result result;
    assert_int_equal(ggm_solve(&problem, &f->settings, &result), GGM_OK);
    ggm_sparse_to_dense(&result.precision, rho);
    double *root = malloc((size_t)p * sizeof *root);
    for (int i = 0; i < p; i++)
        root[i] = sqrt(rho[i * p + i]);
    for (int i = 0; i < p; i++)
        for (int j = 0; j < p; j++)
            rho[i * p + j] /= -root[i] * root[j];
    ggm_result_release(&result);
    free(root);
    free(s);
    free(mean);
}

/* ---- draws ---- */
static void begin(fixture *f, ggm_resample *resample)
{
    assert_int_equal(ggm_resample_begin(resample, &f->problem, &f->settings, &f->chosen, 10, 2), GGM_OK);
}

static void free_drawn(ggm_drawn *drawn)
{
    ggm_free(drawn->rows);
    ggm_free(drawn->x);
    ggm_free(drawn->x32);
    *drawn = (ggm_drawn){0};
}

/* 23 samples in 7 groups of 1 to 6, scattered, of which the problem leaves some rows out */
static const size_t group_of[23] = {9, 3, 3, 40, 7, 3, 9, 7, 7, 1, 40, 7, 2, 3, 7, 3, 7, 1000000, 40, 2, 3, 9, 2};
static const size_t row_list[23] = {30, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 29, 13, 14, 15, 16, 17, 18, 28, 20, 21, 22};

static int times_taken(const ggm_drawn *drawn, size_t row)
{
    int times = 0;
    for (size_t k = 0; k < drawn->samples.n; k++)
        times += drawn->samples.rows[k] == row;
    return times;
}

/* Every row is taken as often as the others of its group; returns how many groups were drawn, each as often as it was */
static int assert_whole(const ggm_drawn *drawn)
{
    int groups = 0, all = 0;
    for (int k = 0; k < 23; k++) {
        const int times = times_taken(drawn, row_list[k]);
        bool first = true;
        for (int l = 0; l < 23; l++)
            if (group_of[l] == group_of[k]) {
                assert_int_equal(times_taken(drawn, row_list[l]), times);
                first = first && l >= k;
            }
        groups += first ? times : 0;
        all += times;
    }
    assert_int_equal(all, drawn->samples.n);
    return groups;
}

static void test_groups_stay_whole(void **state)
{
    (void)state;
    rng r = rng_seeded(700);
    fixture f;
    set_up(&f, independent_samples(&r, 31, 4), 23, 4, 0.3, 10);
    f.samples.rows = row_list;
    f.chosen.group = group_of;
    ggm_resample resample;
    begin(&f, &resample);
    assert_int_equal(resample.groups, 7);
    int together = 0;
    for (int number = 0; number < 20; number += 2) {
        ggm_drawn a = {0}, b = {0}, c = {0};
        assert_int_equal(ggm_draw_half(&resample, number, &a), GGM_OK);
        assert_int_equal(ggm_draw_half(&resample, number + 1, &b), GGM_OK);
        assert_int_equal(assert_whole(&a), 3);
        assert_int_equal(assert_whole(&b), 3);
        for (int k = 0; k < 23; k++)
            assert_true(times_taken(&a, row_list[k]) + times_taken(&b, row_list[k]) <= 1);
        assert_int_equal(ggm_draw_bootstrap(&resample, number, &c), GGM_OK);
        assert_int_equal(assert_whole(&c), 7);
        for (int k = 0; k < 23; k++)
            together += times_taken(&c, row_list[k]) > 1;
        free_drawn(&a);
        free_drawn(&b);
        free_drawn(&c);
    }
    assert_true(together > 0);
    ggm_resample_end(&resample);
    free(f.x);
}

/* A shuffled column has the values of the samples, each once, its groups whole and in order, begun anywhere; no two columns alike */
static void test_shuffled_columns(void **state)
{
    (void)state;
    rng r = rng_seeded(701);
    for (int grouped = 0; grouped < 2; grouped++) {
        fixture f;
        set_up(&f, independent_samples(&r, 31, 20), 23, 20, 0.3, 10);
        f.samples.rows = row_list;
        f.chosen.group = grouped ? group_of : NULL;
        ggm_resample resample;
        begin(&f, &resample);
        ggm_drawn drawn = {0};
        assert_int_equal(ggm_draw_shuffle(&resample, 3, &drawn), GGM_OK);
        assert_true(drawn.samples.n == 23 && drawn.samples.p == 20 && !drawn.samples.rows);
        int origin[20][23], alike = 0;
        for (int j = 0; j < 20; j++) {
            bool seen[23] = {false};
            for (int k = 0; k < 23; k++) {
                origin[j][k] = -1;
                for (int l = 0; l < 23; l++)
                    if (drawn.x[k * 20 + j] == f.x[row_list[l] * 20 + (size_t)j])
                        origin[j][k] = l;
                assert_true(origin[j][k] >= 0 && !seen[origin[j][k]]);
                seen[origin[j][k]] = true;
            }
            for (int k = 0; grouped && k < 23; k++) { /* whoever has a successor in his group is followed by him */
                int successor = -1;
                for (int l = 22; l > origin[j][k]; l--)
                    successor = group_of[l] == group_of[origin[j][k]] ? l : successor;
                if (successor >= 0)
                    assert_int_equal(origin[j][(k + 1) % 23], successor);
            }
            for (int other = 0; other < j; other++)
                alike += memcmp(origin[other], origin[j], sizeof origin[j]) == 0;
        }
        assert_int_equal(alike, 0);
        free_drawn(&drawn);
        ggm_resample_end(&resample);
        free(f.x);
    }
}

static void test_random_numbers(void **state)
{
    (void)state;
    ggm_rng r = ggm_rng_seeded(1, 2);
    int seen[7] = {0}, places[5][5] = {{0}};
    for (int k = 0; k < 70000; k++)
        seen[ggm_rng_below(&r, 7)]++;
    for (int k = 0; k < 7; k++)
        assert_true(abs(seen[k] - 10000) < 400); /* 4 standard deviations */
    for (int k = 0; k < 50000; k++) {
        uint32_t items[5] = {0, 1, 2, 3, 4};
        ggm_rng_shuffle(&r, items, 5);
        for (int place = 0; place < 5; place++)
            places[items[place]][place]++;
    }
    for (int k = 0; k < 25; k++)
        assert_true(abs(places[k / 5][k % 5] - 10000) < 400);
    ggm_rng a = ggm_rng_seeded(1, 3), b = ggm_rng_seeded(2, 2), c = ggm_rng_seeded(1, 2), d = ggm_rng_seeded(1, 2);
    const uint64_t value = ggm_rng_next(&c);
    assert_true(value != ggm_rng_next(&a) && value != ggm_rng_next(&b) && value == ggm_rng_next(&d));
    /* SplitMix64 of seed 1234567: 6457827717110365317, 3203168211198807973 (the values published with the algorithm) */
    ggm_rng published = {1234567};
    assert_true(ggm_rng_next(&published) == 6457827717110365317u && ggm_rng_next(&published) == 3203168211198807973u);
}

/* ---- recounts ---- */
static void test_stability_recount(void **state)
{
    (void)state;
    rng r = rng_seeded(702);
    const int p = 12, n = 61, count = 15;
    double *truth = sparse_truth(&r, p, 3), *rho = malloc((size_t)(p * p) * sizeof *rho);
    fixture f;
    set_up(&f, draw_samples(&r, truth, p, n), n, p, 0.15, count);
    f.chosen.threshold = 0.6;
    int chosen[144] = {0}, positive[144] = {0}, edges = 0, stable = 0, pairs = 0;
    for (int b = 0; b < count; b++) {
        uint32_t order[61];
        size_t rows[30];
        for (uint32_t k = 0; k < 61; k++)
            order[k] = k;
        ggm_rng random = ggm_rng_seeded(7, (uint64_t)(b / 2));
        ggm_rng_shuffle(&random, order, 61);
        for (int k = 0; k < 30; k++)
            rows[k] = order[b % 2 * 30 + k];
        solve_rows(&f, rows, 30, rho);
        for (int k = 0; k < p * p; k++) {
            chosen[k] += rho[k] != 0;
            positive[k] += rho[k] > 0;
        }
    }
    ggm_stability_result result;
    assert_int_equal(ggm_stability(&f.problem, &f.settings, &f.chosen, &result), GGM_OK);
    for (int i = 0; i < p; i++) {
        size_t k = result.frequency.start[i];
        for (int j = 0; j < p; j++) {
            if (i == j || chosen[i * p + j] == 0)
                continue;
            assert_int_equal(result.frequency.index[k], j);
            assert_true(result.frequency.value[k] == (double)chosen[i * p + j] / count);
            assert_true(result.positive[k] == (double)positive[i * p + j] / chosen[i * p + j]);
            k++;
            edges += i < j ? chosen[i * p + j] : 0;
            stable += i < j && chosen[i * p + j] >= 9; /* of 15, 0.6 */
            pairs++;
        }
        assert_int_equal(k, result.frequency.start[i + 1]);
    }
    assert_int_equal(result.frequency.nnz, pairs);
    assert_int_equal(result.stable, stable);
    assert_true(stable > 5 && pairs / 2 > stable + 5);
    const double q = (double)edges / count;
    assert_true(result.average_edges == q);
    assert_true(fabs(result.false_bound - q * q / (0.2 * 66)) < 1e-12 * q * q);
    assert_true(result.info.completed == count && result.info.planned == count && result.info.failed == 0 && result.info.constant == 0);
    assert_int_equal(result.info.independent, n);
    assert_int_equal(result.info.outcome, GGM_CONVERGED);
    ggm_stability_result_release(&result);
    assert_true(fabs(ggm_stability_bound(10, 0.9, 20) - 100 / (0.8 * 190)) < 1e-12);
    assert_true(ggm_stability_bound(3, 0.5, 9) == INFINITY && ggm_stability_bound(0, 0.9, 1) == 0);
    free(truth);
    free(rho);
    free(f.x);
}

static double plain_quantile(double *value, int count, double probability)
{
    for (int a = 0; a < count; a++)
        for (int b = a + 1; b < count; b++)
            if (value[b] < value[a]) {
                const double kept = value[a];
                value[a] = value[b];
                value[b] = kept;
            }
    const double place = probability * (count - 1);
    const int below = (int)floor(place);
    return below + 1 < count ? value[below] * (1 - (place - below)) + value[below + 1] * (place - below) : value[below];
}

static void test_bootstrap_recount(void **state)
{
    (void)state;
    rng r = rng_seeded(703);
    enum { p = 9, n = 50, count = 21 };
    double *truth = sparse_truth(&r, p, 3), rho[count][p * p], full[p * p];
    fixture f;
    set_up(&f, draw_samples(&r, truth, p, n), n, p, 0.1, count);
    f.chosen.level = 0.8;
    size_t rows[n];
    for (int b = 0; b < count; b++) {
        ggm_rng random = ggm_rng_seeded(7, (uint64_t)b);
        for (int k = 0; k < n; k++)
            rows[k] = ggm_rng_below(&random, n);
        solve_rows(&f, rows, n, rho[b]);
    }
    for (size_t k = 0; k < n; k++)
        rows[k] = k;
    solve_rows(&f, rows, n, full);
    ggm_bootstrap_result result;
    assert_int_equal(ggm_bootstrap(&f.problem, &f.settings, &f.chosen, &result), GGM_OK);
    assert_true(result.info.completed == count && result.level == 0.8);
    size_t e = 0;
    for (int i = 0; i < p; i++)
        for (int j = i + 1; j < p; j++) {
            if (full[i * p + j] == 0)
                continue;
            const ggm_bootstrap_edge *edge = &result.edges[e++];
            double value[count], mean = 0, square = 0;
            int present = 0;
            for (int b = 0; b < count; b++) {
                value[b] = rho[b][i * p + j];
                mean += value[b] / count;
                present += value[b] != 0;
            }
            for (int b = 0; b < count; b++)
                square += (value[b] - mean) * (value[b] - mean);
            assert_true(edge->i == i && edge->j == j && edge->presence == (double)present / count);
            assert_true(fabs(edge->estimate - full[i * p + j]) < 1e-5 && fabs(edge->deviation - sqrt(square / (count - 1))) < 1e-5);
            assert_true(fabs(edge->lower - plain_quantile(value, count, 0.1)) < 1e-5 && fabs(edge->upper - plain_quantile(value, count, 0.9)) < 1e-5);
        }
    assert_true(e == result.count && e > 8);
    ggm_bootstrap_result_release(&result);
    free(truth);
    free(f.x);
}

/* ---- threads, memory, stops, failures ---- */
static void test_threads_do_not_show(void **state)
{
    (void)state;
    rng r = rng_seeded(709);
    const int p = 25, n = 80;
    double *truth = sparse_truth(&r, p, 3);
    fixture f;
    set_up(&f, draw_samples(&r, truth, p, n), n, p, 0.15, 12);
    f.settings.tolerance = 1e-7;
    ggm_stability_result first = {0};
    ggm_null_result null = {0};
    ggm_bootstrap_result edges = {0};
    for (int threads = 1; threads <= 4; threads++) {
        ggm_stability_result a;
        ggm_null_result b;
        ggm_bootstrap_result c;
        f.settings.threads = threads;
        f.chosen.memory_limit = threads == 4 ? 1 : 0; /* one at a time after all */
        assert_int_equal(ggm_stability(&f.problem, &f.settings, &f.chosen, &a), GGM_OK);
        assert_int_equal(ggm_shuffle_null(&f.problem, &f.settings, &f.chosen, &b), GGM_OK);
        assert_int_equal(ggm_bootstrap(&f.problem, &f.settings, &f.chosen, &c), GGM_OK);
        assert_int_equal(a.info.threads, threads == 4 ? 1 : threads);
        if (threads == 1) {
            first = a;
            null = b;
            edges = c;
            continue;
        }
        assert_int_equal(a.frequency.nnz, first.frequency.nnz);
        assert_memory_equal(a.frequency.index, first.frequency.index, a.frequency.nnz * sizeof(int));
        assert_memory_equal(a.frequency.value, first.frequency.value, a.frequency.nnz * sizeof(double));
        assert_memory_equal(a.positive, first.positive, a.frequency.nnz * sizeof(double));
        assert_true(b.edges == null.edges && b.pooled_count == null.pooled_count && b.pooled_count > 0);
        assert_memory_equal(b.pooled, null.pooled, b.pooled_count * sizeof(double));
        assert_memory_equal(b.null_largest, null.null_largest, 12 * sizeof(double));
        assert_int_equal(c.count, edges.count);
        assert_memory_equal(c.edges, edges.edges, c.count * sizeof *c.edges);
        ggm_stability_result_release(&a);
        ggm_null_result_release(&b);
        ggm_bootstrap_result_release(&c);
    }
    ggm_stability_result_release(&first);
    ggm_null_result_release(&null);
    ggm_bootstrap_result_release(&edges);
    free(truth);
    free(f.x);
}

typedef struct {
    int finished, told, count;
} watcher;

static void watch(int finished, int count, void *user_data)
{
    watcher *w = user_data;
    assert_true(finished > w->finished && finished <= count);
    w->finished = finished;
    w->count = count;
    w->told++;
}

static bool after_three(void *user_data)
{
    return ((watcher *)user_data)->finished >= 3;
}

static void test_stops(void **state)
{
    (void)state;
    rng r = rng_seeded(710);
    const int p = 20, n = 60;
    fixture f;
    set_up(&f, independent_samples(&r, n, p), n, p, 0.2, 12);
    watcher w = {0};
    f.chosen.progress = watch;
    f.chosen.user_data = &w;
    ggm_stability_result result;
    assert_int_equal(ggm_stability(&f.problem, &f.settings, &f.chosen, &result), GGM_OK);
    assert_true(w.finished == 12 && w.count == 12 && w.told <= 12);
    ggm_stability_result_release(&result);
    w = (watcher){0};
    f.chosen.count = 2000000;
    f.settings.interrupt = after_three;
    f.settings.user_data = &w;
    assert_int_equal(ggm_stability(&f.problem, &f.settings, &f.chosen, &result), GGM_OK);
    assert_true(result.info.completed >= 3 && result.info.completed < 2000000 && result.info.planned == 2000000);
    assert_int_equal(result.info.outcome, GGM_INTERRUPTED);
    for (size_t k = 0; k < result.frequency.nnz; k++) { /* of those completed */
        const double times = result.frequency.value[k] * result.info.completed;
        assert_true(fabs(times - round(times)) < 1e-6 && times > 0.5);
    }
    ggm_stability_result_release(&result);
    w = (watcher){0};
    f.settings.interrupt = NULL;
    f.settings.time_limit = 0.05;
    assert_int_equal(ggm_stability(&f.problem, &f.settings, &f.chosen, &result), GGM_OK);
    assert_true(result.info.completed > 0 && result.info.seconds < 1);
    assert_int_equal(result.info.outcome, GGM_TIME_LIMIT);
    ggm_stability_result_release(&result);
    f.chosen.count = 10;
    f.chosen.progress = NULL;
    f.settings.time_limit = 1e-9; /* over before the first */
    ggm_null_result null;
    ggm_bootstrap_result edges;
    assert_int_equal(ggm_stability(&f.problem, &f.settings, &f.chosen, &result), GGM_OK);
    assert_int_equal(ggm_shuffle_null(&f.problem, &f.settings, &f.chosen, &null), GGM_OK);
    assert_int_equal(ggm_bootstrap(&f.problem, &f.settings, &f.chosen, &edges), GGM_OK);
    assert_true(result.info.completed == 0 && null.info.completed == 0 && edges.info.completed == 0);
    assert_int_equal(null.info.outcome, GGM_TIME_LIMIT);
    assert_true(result.frequency.nnz == 0 && result.average_edges == 0 && null.pooled_count == 0 && isnan(null.false_share));
    assert_true(isnan(ggm_null_quantile(&null, 0.5)) && ggm_null_family_p(&null, 0.5) == 1 && ggm_null_pair_p(&null, 0.5) == 1);
    ggm_stability_result_release(&result);
    ggm_null_result_release(&null);
    ggm_bootstrap_result_release(&edges);
    free(f.x);
}

/* Without a penalty a resample with too few different samples has no answer: it is counted, the others stay */
static void test_failures_are_counted(void **state)
{
    (void)state;
    rng r = rng_seeded(711);
    fixture f;
    set_up(&f, independent_samples(&r, 14, 8), 14, 8, 0, 40);
    ggm_bootstrap_result edges;
    assert_int_equal(ggm_bootstrap(&f.problem, &f.settings, &f.chosen, &edges), GGM_OK);
    assert_true(edges.info.failed > 0 && edges.info.completed > 10 && edges.info.failed + edges.info.completed == 40);
    assert_int_equal(edges.info.failure, GGM_ERROR_INDEFINITE);
    assert_int_equal(edges.info.outcome, GGM_CONVERGED);
    assert_true(edges.count == 28 && edges.edges[0].presence == 1);
    ggm_bootstrap_result_release(&edges);
    ggm_stability_result result;
    memset(&result, 0x5a, sizeof result);
    assert_int_equal(ggm_stability(&f.problem, &f.settings, &f.chosen, &result), GGM_ERROR_INDEFINITE); /* 7 samples of 8 variables: all fail */
    assert_true(!result.frequency.start && !result.positive && result.info.completed == 0);
    free(f.x);
}

/* A variable that only one sample wakes does not vary in the half without that sample; the other half and all other variables are not disturbed */
static void test_constant_variables(void **state)
{
    (void)state;
    rng r = rng_seeded(712);
    const int n = 40, p = 8;
    fixture f;
    set_up(&f, independent_samples(&r, n, p), n, p, 0.2, 20);
    for (int k = 0; k < n; k++)
        f.x[k * p + 3] = k == 11 ? 5e5 : 1e5 / 3;
    ggm_stability_result result;
    assert_int_equal(ggm_stability(&f.problem, &f.settings, &f.chosen, &result), GGM_OK);
    assert_true(result.info.completed == 20 && result.info.failed == 0 && result.info.constant == 10);
    for (size_t k = result.frequency.start[3]; k < result.frequency.start[4]; k++)
        assert_true(result.frequency.value[k] <= 0.5);
    assert_true(result.frequency.nnz > 0);
    ggm_stability_result_release(&result);
    free(f.x);
}

static void test_small_and_wrong(void **state)
{
    (void)state;
    rng r = rng_seeded(713);
    fixture f;
    set_up(&f, independent_samples(&r, 20, 4), 20, 4, 0.1, 3);
    ggm_stability_result stability;
    ggm_null_result null;
    ggm_bootstrap_result edges;
    for (int p = 1; p <= 2; p++) { /* the array read as 20 samples of 1 and 2 */
        f.problem.p = f.samples.p = (size_t)p;
        assert_int_equal(ggm_stability(&f.problem, NULL, &f.chosen, &stability), GGM_OK);
        assert_int_equal(ggm_shuffle_null(&f.problem, NULL, &f.chosen, &null), GGM_OK);
        assert_int_equal(ggm_bootstrap(&f.problem, NULL, &f.chosen, &edges), GGM_OK);
        assert_true(stability.info.completed == 3 && null.info.completed == 3 && edges.info.completed == 3);
        assert_int_equal(stability.frequency.p, p);
        assert_true(p == 2 || (stability.frequency.nnz == 0 && edges.count == 0 && isnan(ggm_null_quantile(&null, 0.5))));
        ggm_stability_result_release(&stability);
        ggm_null_result_release(&null);
        ggm_bootstrap_result_release(&edges);
    }
    const ggm_problem good = f.problem;
    f.samples.n = 3;
    assert_int_equal(ggm_stability(&f.problem, NULL, &f.chosen, &stability), GGM_ERROR_ARGUMENT);
    f.samples.n = 1;
    assert_int_equal(ggm_shuffle_null(&f.problem, NULL, &f.chosen, &null), GGM_ERROR_ARGUMENT);
    f.samples.n = 20;
    const size_t same[20] = {0};
    f.chosen.group = same;
    assert_int_equal(ggm_bootstrap(&f.problem, NULL, &f.chosen, &edges), GGM_ERROR_ARGUMENT);
    f.chosen.group = NULL;
    const double identity[4] = {1, 0, 0, 1};
    f.problem.samples = NULL;
    f.problem.s = identity;
    assert_int_equal(ggm_bootstrap(&f.problem, NULL, &f.chosen, &edges), GGM_ERROR_ARGUMENT);
    f.problem = good;
    for (int k = 0; k < 5; k++) {
        ggm_resampling bad = f.chosen;
        bad.count = k == 0 ? -1 : 3;
        bad.threshold = k == 1 ? 0.5 : k == 2 ? NAN : 0.9;
        bad.level = k == 3 ? 1 : k == 4 ? 0 : 0.9;
        assert_int_equal(ggm_stability(&f.problem, NULL, &bad, &stability), GGM_ERROR_ARGUMENT);
    }
    assert_int_equal(ggm_stability(NULL, NULL, NULL, &stability), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_stability(&f.problem, NULL, NULL, NULL), GGM_ERROR_ARGUMENT);
    f.x[5] = NAN;
    assert_int_equal(ggm_shuffle_null(&f.problem, NULL, &f.chosen, &null), GGM_ERROR_NOT_FINITE);
    assert_true(!null.real && !null.pooled);
    ggm_stability_result_release(NULL);
    ggm_null_result_release(NULL);
    ggm_bootstrap_result_release(NULL);
    free(f.x);
}

/* Single precision samples whose values are exact give what double ones give, with the same draws */
static void test_single_precision(void **state)
{
    (void)state;
    rng r = rng_seeded(714);
    const int n = 50, p = 18;
    fixture f;
    set_up(&f, independent_samples(&r, n, p), n, p, 0.15, 6);
    float *single = malloc((size_t)(n * p) * sizeof *single);
    for (int k = 0; k < n * p; k++)
        f.x[k] = single[k] = (float)f.x[k];
    ggm_null_result a, b;
    assert_int_equal(ggm_shuffle_null(&f.problem, &f.settings, &f.chosen, &a), GGM_OK);
    f.samples.x = NULL;
    f.samples.x32 = single;
    assert_int_equal(ggm_shuffle_null(&f.problem, &f.settings, &f.chosen, &b), GGM_OK);
    assert_true(a.pooled_count == b.pooled_count && a.pooled_count > 0);
    for (size_t k = 0; k < a.pooled_count; k++)
        assert_true(fabs(a.pooled[k] - b.pooled[k]) < 1e-5);
    ggm_null_result_release(&a);
    ggm_null_result_release(&b);
    free(single);
    free(f.x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_numbers), cmocka_unit_test(test_groups_stay_whole), cmocka_unit_test(test_shuffled_columns),
        cmocka_unit_test(test_stability_recount), cmocka_unit_test(test_bootstrap_recount), cmocka_unit_test(test_threads_do_not_show),
        cmocka_unit_test(test_stops), cmocka_unit_test(test_failures_are_counted), cmocka_unit_test(test_constant_variables),
        cmocka_unit_test(test_small_and_wrong), cmocka_unit_test(test_single_precision)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
