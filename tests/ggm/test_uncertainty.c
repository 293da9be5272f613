/* What stability selection and the shuffle null say, against planted truth, absent truth, and their definitions. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/resampling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void test_null_of_a_planted_graph(void **state)
{
    (void)state;
    rng r = rng_seeded(704);
    const int p = 30, n = 400;
    double *truth = sparse_truth(&r, p, 3);
    fixture f;
    set_up(&f, draw_samples(&r, truth, p, n), n, p, 0.16, 20);
    ggm_null_result result;
    assert_int_equal(ggm_shuffle_null(&f.problem, &f.settings, &f.chosen, &result), GGM_OK);
    assert_true(result.edges > 15 && result.mean_null_edges < 2 && result.false_share < 0.1);
    size_t pooled = 0;
    for (int b = 0; b < result.info.completed; b++) {
        pooled += result.null_edges[b];
        assert_true((result.null_edges[b] > 0) == (result.null_largest[b] > 0));
    }
    assert_int_equal(pooled, result.pooled_count);
    assert_true(result.mean_null_edges == (double)pooled / 20 && result.false_share == (double)pooled / 20 / (double)result.edges);
    assert_true(ggm_null_family_p(&result, result.real[0]) == 1.0 / 21 && ggm_null_family_p(&result, -result.real[0]) == 1.0 / 21);
    assert_true(ggm_null_family_p(&result, 0) == 1 && ggm_null_pair_p(&result, 0) == 1);
    assert_true(ggm_null_pair_p(&result, result.real[0]) == 1 / (1 + 20 * 435.0));
    assert_true(ggm_null_false_share(&result, result.real[0]) == 0 && ggm_null_false_share(&result, 2) == 0);
    assert_true(ggm_null_quantile(&result, 1) == (pooled > 0 ? result.pooled[0] : 0) && ggm_null_quantile(&result, 0) == 0);
    assert_true(isnan(ggm_null_quantile(&result, 1.1)) && isnan(ggm_null_quantile(&result, NAN)));
    ggm_null_result_release(&result);
    free(truth);
    free(f.x);
}

/* Quantile, pair p-value and false share against their definitions, on a null with many edges */
static void test_null_definitions(void **state)
{
    (void)state;
    rng r = rng_seeded(705);
    const int p = 9, n = 30;
    fixture f;
    set_up(&f, independent_samples(&r, n, p), n, p, 0.1, 10);
    ggm_null_result result;
    assert_int_equal(ggm_shuffle_null(&f.problem, &f.settings, &f.chosen, &result), GGM_OK);
    const double all = 10 * 36;
    assert_true(result.pooled_count > 100 && result.pooled_count < 300);
    for (size_t k = 1; k < result.pooled_count; k++)
        assert_true(result.pooled[k] <= result.pooled[k - 1]);
    for (double probability = 0; probability < 1.001; probability += 0.05) {
        const double capped = fmin(probability, 1), v = ggm_null_quantile(&result, capped);
        double below = all - (double)result.pooled_count, strictly = v > 0 ? below : 0;
        for (size_t k = 0; k < result.pooled_count; k++) {
            below += result.pooled[k] <= v;
            strictly += result.pooled[k] < v;
        }
        assert_true(below / all >= capped - 1e-12 && (v == 0 || strictly / all < capped));
    }
    for (double rho = 0.01; rho < 0.5; rho += 0.03) {
        double null = 0, real = 0;
        for (size_t k = 0; k < result.pooled_count; k++)
            null += result.pooled[k] >= rho;
        for (size_t k = 0; k < result.edges; k++)
            real += result.real[k] >= rho;
        assert_true(ggm_null_pair_p(&result, rho) == (1 + null) / (1 + all));
        assert_true(ggm_null_false_share(&result, -rho) == (real > 0 ? fmin(1, null / 10 / real) : 0));
    }
    ggm_null_result_release(&result);
    free(f.x);
}

/* On independent samples the largest edge has a family-wise p-value of at most 0.05 in a share 0.05 of cases (exactly, as 1 / 20 is a possible
 * value), and a pair one in a share of about 0.05 */
static void test_null_is_calibrated(void **state)
{
    (void)state;
    rng r = rng_seeded(706);
    const int p = 6, n = 40, rounds = 300;
    int small = 0, pairs = 0;
    for (int round = 0; round < rounds; round++) {
        fixture f;
        set_up(&f, independent_samples(&r, n, p), n, p, 0.05, 19);
        f.settings.tolerance = 1e-7;
        f.settings.threads = 1;
        f.chosen.seed = (uint64_t)round;
        ggm_null_result result;
        assert_int_equal(ggm_shuffle_null(&f.problem, &f.settings, &f.chosen, &result), GGM_OK);
        small += result.edges > 0 && ggm_null_family_p(&result, result.real[0]) <= 0.05 + 1e-12;
        for (size_t k = 0; k < result.edges; k++)
            pairs += ggm_null_pair_p(&result, result.real[k]) <= 0.05;
        ggm_null_result_release(&result);
        free(f.x);
    }
    print_message("family-wise p <= 0.05: %d of %d; pair p <= 0.05: %.4f\n", small, rounds, pairs / (15.0 * rounds));
    assert_in_range(small, 5, 26);                                      /* 15 expected; 0.1 % and 99.8 % of the binomial */
    assert_true(pairs / (15.0 * rounds) > 0.03 && pairs / (15.0 * rounds) < 0.065);
}

/* Rows of a text that are all but copies: taken one by one they make a graph of accidents that a null of single rows does not show. The null of
 * whole texts does, and half-samples of whole texts do not find it again. */
static void test_groups_matter(void **state)
{
    (void)state;
    rng r = rng_seeded(707);
    const int p = 15, texts = 30, length = 20, n = texts * length;
    double *x = malloc((size_t)(n * p) * sizeof *x);
    size_t *group = malloc((size_t)n * sizeof *group);
    for (int text = 0; text < texts; text++)
        for (int j = 0; j < p; j++) {
            const double common = rng_normal(&r);
            for (int k = 0; k < length; k++)
                x[(text * length + k) * p + j] = common + 0.3 * rng_normal(&r);
        }
    for (int k = 0; k < n; k++)
        group[k] = (size_t)(k / length);
    fixture f;
    set_up(&f, x, n, p, 0.2, 20);
    ggm_null_result rows, whole;
    ggm_stability_result apart, together;
    assert_int_equal(ggm_shuffle_null(&f.problem, &f.settings, &f.chosen, &rows), GGM_OK);
    assert_int_equal(ggm_stability(&f.problem, &f.settings, &f.chosen, &apart), GGM_OK);
    f.chosen.group = group;
    assert_int_equal(ggm_shuffle_null(&f.problem, &f.settings, &f.chosen, &whole), GGM_OK);
    assert_int_equal(ggm_stability(&f.problem, &f.settings, &f.chosen, &together), GGM_OK);
    print_message("independent texts: %zu edges; null of rows %.1f, of texts %.1f; stable by rows %zu, by texts %zu\n", rows.edges, rows.mean_null_edges,
                  whole.mean_null_edges, apart.stable, together.stable);
    assert_true(rows.edges > 15 && rows.mean_null_edges < 1 && rows.false_share < 0.05);
    assert_true(whole.mean_null_edges > 0.6 * (double)whole.edges && whole.false_share > 0.6);
    assert_true(whole.info.independent == 30 && rows.info.independent == 600);
    assert_true((double)apart.stable > 0.7 * (double)rows.edges && 2 * together.stable < apart.stable);
    ggm_null_result_release(&rows);
    ggm_null_result_release(&whole);
    ggm_stability_result_release(&apart);
    ggm_stability_result_release(&together);
    free(x);
    free(group);
}

/* Few false ones among the stable edges of a planted graph: no more than the bound on average */
static void test_bound_holds(void **state)
{
    (void)state;
    rng r = rng_seeded(708);
    const int p = 30, n = 300;
    double bound = 0, wrong = 0, right = 0;
    for (int round = 0; round < 8; round++) {
        double *truth = sparse_truth(&r, p, 2);
        fixture f;
        set_up(&f, draw_samples(&r, truth, p, n), n, p, 0.22, 50);
        f.settings.tolerance = 1e-6;
        f.chosen.threshold = 0.9;
        ggm_stability_result result;
        assert_int_equal(ggm_stability(&f.problem, &f.settings, &f.chosen, &result), GGM_OK);
        for (int i = 0; i < p; i++)
            for (size_t k = result.frequency.start[i]; k < result.frequency.start[i + 1]; k++)
                if (result.frequency.index[k] > i && result.frequency.value[k] >= 0.9) {
                    wrong += truth[i * p + result.frequency.index[k]] == 0;
                    right += truth[i * p + result.frequency.index[k]] != 0;
                }
        bound += result.false_bound;
        ggm_stability_result_release(&result);
        free(truth);
        free(f.x);
    }
    print_message("stable: %g true, %g false, bound on those %.2f\n", right, wrong, bound);
    assert_true(right > 8 * 10 && wrong <= bound);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null_of_a_planted_graph), cmocka_unit_test(test_null_definitions), cmocka_unit_test(test_null_is_calibrated),
        cmocka_unit_test(test_groups_matter), cmocka_unit_test(test_bound_holds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
