/* Debiased estimates, p-values and false discovery rates: against plain loops, against numbers from scipy, and against truth. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/support.h"
#include "ggm/uncertainty.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void assert_near(double got, double wanted, double tolerance)
{
    if (!(fabs(got - wanted) <= tolerance * fmax(1, fabs(wanted))))
        fail_msg("got %.17g, wanted %.17g", got, wanted);
}

static void sparse_of(const double *dense, size_t p, ggm_sparse *out, size_t *start, int *index, double *value)
{
    size_t at = 0;
    for (size_t i = 0; i < p; i++) {
        start[i] = at;
        for (size_t j = 0; j < p; j++)
            if (dense[i * p + j] != 0) {
                index[at] = (int)j;
                value[at++] = dense[i * p + j];
            }
    }
    start[p] = at;
    *out = (ggm_sparse){.p = p, .nnz = at, .start = start, .index = index, .value = value};
}

static const double fixed_s[16] = {2.0, 0.6, -0.3, 0.1, 0.6, 1.5, 0.4, 0.0, -0.3, 0.4, 1.0, 0.25, 0.1, 0.0, 0.25, 0.8};
static const double fixed_t[16] = {0.6, -0.15, 0.1, 0.0, -0.15, 0.8, -0.2, 0.0, 0.1, -0.2, 1.1, -0.2, 0.0, 0.0, -0.2, 1.3};

/* numpy: D = 2 T - T @ S @ T, z = sqrt(50) D / sqrt(outer(diag T, diag T) + T**2); scipy.stats: 2 norm.sf(|z|), false_discovery_control;
 * interval: norm.ppf(0.975) * sigma / sqrt(50) */
static const struct {
    int i, j;
    double estimate, z, p, q, partial, half;
} golden[6] = {{0, 1, -0.306, -3.0523785684893574, 0.0022703557000962123, 0.007074041743246547, 0.4325542040215035, 0.19648577848784873},
               {1, 2, -0.4125, -3.0409903456947536, 0.002358013914415516, 0.007074041743246547, 0.4000877717644892, 0.26586244996383357},
               {0, 2, 0.298, 2.574327908232453, 0.010043503631991472, 0.020087007263982944, -0.34524182908168527, 0.22688223420378528},
               {2, 3, -0.3745, -2.1841283539816674, 0.028952817717917436, 0.04342922657687615, 0.28865789799295605, 0.3360638173448717},
               {0, 3, -0.1385, -1.1088874651002283, 0.2674787319718719, 0.32097447836624626, 0.15558552224944577, 0.24479942320771172},
               {1, 3, 0.1175, 0.8147159132058054, 0.4152349423635794, 0.4152349423635794, -0.11050487952097172, 0.282670025772875}};

static void test_golden(void **state)
{
    (void)state;
    ggm_sparse t;
    size_t start[5];
    int index[16];
    double value[16];
    sparse_of(fixed_t, 4, &t, start, index, value);
    ggm_problem problem = {.p = 4, .s = fixed_s, .lambda = 0.1, .scale = true};
    const double levels[] = {1, 0.05, 0.01, 0};
    const size_t listed[] = {6, 4, 2, 0};
    for (int k = 0; k < 4; k++) {
        ggm_debias_settings chosen = {.false_discovery = levels[k], .confidence = 0.95, .dense = k == 1};
        ggm_debias_result result;
        assert_int_equal(ggm_debias(&problem, &t, 50, NULL, &chosen, &result), GGM_OK);
        assert_int_equal(result.count, listed[k]);
        assert_int_equal(result.outcome, GGM_CONVERGED);
        for (size_t a = 0; a < result.count; a++) {
            const ggm_debias_pair *pair = &result.pairs[a];
            assert_int_equal(pair->i, golden[a].i);
            assert_int_equal(pair->j, golden[a].j);
            assert_near(pair->estimate, golden[a].estimate, 1e-14);
            assert_near(pair->z, golden[a].z, 1e-14);
            assert_near(pair->p_value / golden[a].p, 1, 1e-12);
            assert_near(pair->q_value / golden[a].q, 1, 1e-12);
            assert_near(pair->log10_p, log10(golden[a].p), 1e-12);
            assert_near(pair->partial, golden[a].partial, 1e-14);
            assert_near(pair->upper - pair->estimate, golden[a].half, 1e-12);
            assert_near(pair->estimate - pair->lower, golden[a].half, 1e-12);
        }
        assert_int_equal(result.estimate != NULL, k == 1);
        for (int a = 0; result.q_value && a < 6; a++)
            for (int side = 0; side < 2; side++) {
                const int at = side ? golden[a].j * 4 + golden[a].i : golden[a].i * 4 + golden[a].j;
                assert_near(result.estimate[at], golden[a].estimate, 1e-14);
                assert_near(result.z[at], golden[a].z, 1e-14);
                assert_near(result.p_value[at], golden[a].p, 1e-14);
                assert_near(result.q_value[at], golden[a].q, 1e-14);
            }
        for (int i = 0; result.q_value && i < 4; i++)
            assert_true(isnan(result.z[5 * i]) && isnan(result.p_value[5 * i]) && isnan(result.q_value[5 * i]) && isfinite(result.estimate[5 * i]));
        ggm_debias_result_release(&result);
    }
}

/* scipy: (norm.logsf(z) + log 2) / log 10 */
static void test_log_tail(void **state)
{
    (void)state;
    const double z[] = {0, 0.5, 1.959963984540054, 5, 30, 37, 38.5, 60, 1000};
    const double wanted[] = {0, -0.20966199360125964, -1.3010299956639813, -6.241615676726673, -197.00817926599697,
                             -298.941151182946, -323.55031107281553, -783.6063991684468, -217150.33901199873};
    for (int k = 0; k < 9; k++) {
        assert_near(ggm_normal_log10_p(z[k]), wanted[k], 1e-13);
        assert_near(ggm_normal_log10_p(-z[k]), wanted[k], 1e-13);
    }
    double last = ggm_normal_log10_p(35); /* the change of formula at 35.4 is seamless */
    for (double x = 35.01; x < 36; x += 0.01) {
        const double now = ggm_normal_log10_p(x), slope = -x * 0.01 / log(10); /* d log p / dz is about -z - 1/z */
        assert_true(fabs(now - last - slope) < 3e-4);
        last = now;
    }
    assert_true(isnan(ggm_normal_log10_p(NAN)));
}

/* scipy.stats.false_discovery_control on the p-values of Benjamini & Hochberg (1995) style, shuffled; and the definition by plain loops */
static void test_benjamini_hochberg(void **state)
{
    (void)state;
    const double p[25] = {0.696, 0.042, 0.222, 0.251, 0.986, 0.039, 0.975, 0.074, 0.384, 0.942, 0.041, 0.94, 0.212,
                          0.001, 0.762, 0.269, 0.594, 0.275, 0.205, 0.06, 0.569, 0.34, 0.216, 0.008, 0.341};
    const double many = 0.49107142857142866; /* a tie of eight */
    const double wanted[25] = {0.87, 0.21, many, many, 0.986, 0.21, 0.986, 0.2642857142857143, 0.5647058823529413, 0.986, 0.21, 0.986, many,
                               0.025, 0.9071428571428571, many, 0.781578947368421, many, many, 0.25, 0.781578947368421, 0.5328125, many, 0.1, 0.5328125};
    double q[25];
    assert_int_equal(ggm_benjamini_hochberg(p, 25, q), GGM_OK);
    for (int k = 0; k < 25; k++)
        assert_near(q[k], wanted[k], 1e-13);
    rng r = rng_seeded(900);
    for (int round = 0; round < 50; round++) {
        const int count = 1 + rng_below(&r, 40);
        double random[40], rate[40];
        for (int k = 0; k < count; k++)
            random[k] = k % 3 == 1 ? random[k - 1] : pow(rng_uniform(&r), 3); /* with ties */
        assert_int_equal(ggm_benjamini_hochberg(random, (size_t)count, rate), GGM_OK);
        for (int k = 0; k < count; k++) { /* the smallest level at which some cut-off at or above p_k rejects */
            double smallest = 1;
            for (int c = 0; c < count; c++) {
                int below = 0;
                for (int l = 0; l < count; l++)
                    below += random[l] <= random[c];
                if (random[c] >= random[k])
                    smallest = fmin(smallest, random[c] * count / below);
            }
            assert_near(rate[k], smallest, 1e-14);
        }
        memcpy(q, random, sizeof q);
        assert_int_equal(ggm_benjamini_hochberg(random, (size_t)count, random), GGM_OK); /* in place */
        assert_memory_equal(random, rate, (size_t)count * sizeof *rate);
    }
    const double bad[3] = {-1e-9, 1.1, NAN};
    for (int k = 0; k < 3; k++)
        assert_int_equal(ggm_benjamini_hochberg(&bad[k], 1, q), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_benjamini_hochberg(NULL, 0, NULL), GGM_OK);
}

/* D by three loops, on solved problems in odd units; every thread count gives the same bits */
static void test_loops_and_threads(void **state)
{
    (void)state;
    rng r = rng_seeded(901);
    for (int p = 1; p < 80; p = 2 * p + 1) {
        double *truth = sparse_truth(&r, p, 3), *s = sample_covariance(&r, truth, p, 2 * p + 10);
        double *dense = malloc((size_t)(p * p) * sizeof *dense), *middle = calloc((size_t)(p * p), sizeof *middle);
        for (int i = 0; i < p; i++)
            for (int j = 0; j < p; j++)
                s[i * p + j] *= (1 + 0.3 * i) * (1 + 0.3 * j);
        ggm_problem problem = {.p = (size_t)p, .s = s, .lambda = 0.1, .scale = true};
        ggm_result answer;
        assert_int_equal(ggm_solve(&problem, NULL, &answer), GGM_OK);
        ggm_sparse_to_dense(&answer.precision, dense);
        for (int i = 0; i < p; i++)
            for (int k = 0; k < p; k++)
                for (int j = 0; j < p; j++)
                    middle[i * p + j] += dense[i * p + k] * s[k * p + j];
        ggm_debias_settings chosen = {.false_discovery = 1, .confidence = 0.9, .dense = true};
        ggm_debias_result first = {0};
        for (int threads = 1; threads <= 3; threads++) {
            ggm_settings settings;
            ggm_default_settings(&settings);
            settings.threads = threads;
            ggm_debias_result result;
            assert_int_equal(ggm_debias(&problem, &answer.precision, 2 * p + 10, &settings, &chosen, &result), GGM_OK);
            assert_int_equal(result.count, p * (p - 1) / 2);
            for (int i = 0; i < p; i++)
                for (int j = 0; j < p; j++) {
                    double d = 2 * dense[i * p + j];
                    for (int k = 0; k < p; k++)
                        d -= middle[i * p + k] * dense[k * p + j];
                    assert_true(fabs(result.estimate[i * p + j] - d) <= 1e-12 * sqrt(dense[i * p + i] * dense[j * p + j]));
                }
            for (size_t k = 0; k < result.count; k++) {
                const ggm_debias_pair *pair = &result.pairs[k];
                const int at = pair->i * p + pair->j;
                assert_true(pair->i < pair->j && (k == 0 || fabs(result.pairs[k - 1].z) >= fabs(pair->z)));
                assert_true(pair->estimate == result.estimate[at] && pair->z == result.z[at] && pair->p_value == result.p_value[at]);
                assert_near(pair->q_value, result.q_value[at], 1e-14);
            }
            if (threads == 1) {
                first = result;
                continue;
            }
            if (first.count > 0)
                assert_memory_equal(first.pairs, result.pairs, first.count * sizeof *first.pairs);
            assert_memory_equal(first.estimate, result.estimate, (size_t)(p * p) * sizeof(double));
            assert_memory_equal(first.q_value, result.q_value, (size_t)(p * p) * sizeof(double));
            ggm_debias_result_release(&result);
        }
        ggm_debias_result_release(&first);
        ggm_result_release(&answer);
        free(truth);
        free(s);
        free(dense);
        free(middle);
    }
}

/* On Gaussian samples from a known precision: intervals cover it, absent edges' p-values are uniform, the false discovery rate is kept. The
 * numbers of the coverage are for all pairs together; limits are wider than binomial ones, for pairs of one sample hang together. */
static void test_coverage(void **state)
{
    (void)state;
    rng r = rng_seeded(902);
    const int p = 15, n = 600, rounds = 60;
    double *truth = sparse_truth(&r, p, 3);
    int covered = 0, all = 0, small = 0, absent = 0, edges = 0, covered_edges = 0;
    double false_share = 0, power = 0;
    for (int round = 0; round < rounds; round++) {
        double *x = draw_samples(&r, truth, p, n);
        ggm_samples samples = {.n = (size_t)n, .p = (size_t)p, .x = x};
        ggm_problem problem = {.p = (size_t)p, .samples = &samples, .lambda = sqrt(log(p) / n), .scale = true};
        ggm_result answer;
        assert_int_equal(ggm_solve(&problem, NULL, &answer), GGM_OK);
        ggm_debias_settings chosen = {.false_discovery = 1, .confidence = 0.95};
        ggm_debias_result result;
        assert_int_equal(ggm_debias(&problem, &answer.precision, n, NULL, &chosen, &result), GGM_OK);
        int found = 0, wrong = 0;
        for (size_t k = 0; k < result.count; k++) {
            const ggm_debias_pair *pair = &result.pairs[k];
            const double t = truth[pair->i * p + pair->j];
            const bool inside = pair->lower <= t && t <= pair->upper;
            all++;
            covered += inside;
            edges += t != 0;
            covered_edges += t != 0 && inside;
            absent += t == 0;
            small += t == 0 && pair->p_value <= 0.05;
            found += pair->q_value <= 0.1;
            wrong += pair->q_value <= 0.1 && t == 0;
        }
        false_share += (found > 0 ? (double)wrong / found : 0) / rounds;
        power += (double)(found - wrong) / (edges / (round + 1)) / rounds;
        ggm_debias_result_release(&result);
        ggm_result_release(&answer);
        free(x);
    }
    print_message("coverage %.3f, of edges %.3f; p <= 0.05 without edge %.3f; false discoveries %.3f at 0.1, power %.2f\n", (double)covered / all,
                  (double)covered_edges / edges, (double)small / absent, false_share, power);
    assert_true((double)covered / all > 0.93 && (double)covered / all < 0.975);
    assert_true((double)covered_edges / edges > 0.90);
    assert_true((double)small / absent > 0.025 && (double)small / absent < 0.065);
    assert_true(false_share < 0.12 && power > 0.5);
    free(truth);
}

static bool at_once(void *user_data)
{
    (void)user_data;
    return true;
}

static void test_refusals_and_stops(void **state)
{
    (void)state;
    ggm_sparse t;
    size_t start[5];
    int index[16];
    double value[16];
    sparse_of(fixed_t, 4, &t, start, index, value);
    ggm_problem problem = {.p = 4, .s = fixed_s, .lambda = 0.1, .scale = true};
    ggm_debias_result result;
    assert_int_equal(ggm_debias(&problem, &t, 50, NULL, NULL, NULL), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_debias(NULL, &t, 50, NULL, NULL, &result), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_debias(&problem, NULL, 50, NULL, NULL, &result), GGM_ERROR_ARGUMENT);
    const double bad_n[] = {0, -3, NAN, INFINITY};
    for (int k = 0; k < 4; k++)
        assert_int_equal(ggm_debias(&problem, &t, bad_n[k], NULL, NULL, &result), GGM_ERROR_ARGUMENT);
    const ggm_debias_settings bad[] = {{-0.1, 0.95, false}, {1.1, 0.95, false}, {NAN, 0.95, false},
                                       {0.05, 0, false},    {0.05, 1, false},   {0.05, NAN, false}};
    for (int k = 0; k < 6; k++)
        assert_int_equal(ggm_debias(&problem, &t, 50, NULL, &bad[k], &result), GGM_ERROR_ARGUMENT);
    value[1] = 0.4; /* T_01 alone */
    assert_int_equal(ggm_debias(&problem, &t, 50, NULL, NULL, &result), GGM_ERROR_NOT_SYMMETRIC);
    value[1] = -0.15;
    value[0] = -1;
    assert_int_equal(ggm_debias(&problem, &t, 50, NULL, NULL, &result), GGM_ERROR_ARGUMENT);
    value[0] = 0.6;
    static const ggm_debias_result nothing = {0};
    assert_memory_equal(&result, &nothing, sizeof nothing);
    ggm_settings settings;
    ggm_default_settings(&settings);
    settings.threads = 1; /* else the other threads may be done before the first question */
    settings.interrupt = at_once;
    const ggm_debias_settings dense = {1, 0.95, true};
    assert_int_equal(ggm_debias(&problem, &t, 50, &settings, &dense, &result), GGM_OK);
    assert_int_equal(result.outcome, GGM_INTERRUPTED);
    assert_true(result.count == 0 && !result.pairs && !result.estimate && !result.q_value);
    ggm_debias_result_release(&result);
    ggm_debias_result_release(&result);
    ggm_debias_result_release(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden), cmocka_unit_test(test_log_tail), cmocka_unit_test(test_benjamini_hochberg),
        cmocka_unit_test(test_coverage), cmocka_unit_test(test_loops_and_threads), cmocka_unit_test(test_refusals_and_stops)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
