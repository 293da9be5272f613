/* The joint graphical lasso against GGLasso's numbers, against ggm_solve where it must agree with it, against plain loops, and planted truth. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/joint_case.h"

#include <math.h>
#include <stdlib.h>

/* ---- golden numbers, golden_joint.py ---- */
static double *formula_matrix(int p, int n, int k)
{
    double *s = calloc((size_t)(p * p), sizeof *s);
    for (int i = 0; i < p; i++)
        for (int j = 0; j < p; j++) {
            for (int t = 0; t < n; t++)
                s[i * p + j] += (sin(1.0 + 3 * i + 7 * t + i * t) + 0.5 * sin(k * (2.0 + i + 3 * t))) *
                                (sin(1.0 + 3 * j + 7 * t + j * t) + 0.5 * sin(k * (2.0 + j + 3 * t))) / n;
            s[i * p + j] += i == j ? 0.3 : 0;
        }
    return s;
}

static const struct {
    int p, n, classes;
    ggm_joint_penalty penalty;
    double lambda1, lambda2, objective;
    size_t nonzeros;
    double first, second, last; /* T_1 at (0, 0), T_2 at (1, 0), T_K at (p - 1, p - 3) */
} goldens[] = {
    {6, 9, 2, GGM_JOINT_GROUP, 0.05, 0.05, 11.6805222421, 54, 1.04437187, 0.04830734, 0.01770301},
    {10, 12, 3, GGM_JOINT_GROUP, 0.1, 0.05, 27.8617932040, 174, 1.05939337, 0.00000000, -0.15228805},
    {15, 12, 4, GGM_JOINT_GROUP, 0.05, 0.1, 53.3405709855, 650, 1.24420186, 0.00000000, 0.00000000},
    {6, 9, 2, GGM_JOINT_FUSED, 0.05, 0.05, 11.6491559597, 60, 1.05147177, 0.04879474, 0.08398432},
    {12, 10, 2, GGM_JOINT_FUSED, 0.1, 0.03, 21.1070918694, 156, 1.27188128, 0.00000000, 0.00000000},
};

static void test_gglasso(void **state)
{
    (void)state;
    for (size_t g = 0; g < sizeof goldens / sizeof *goldens; g++) {
        case_of c;
        const int p = goldens[g].p, classes = goldens[g].classes;
        for (int k = 0; k < classes; k++) {
            c.s[k] = formula_matrix(p, goldens[g].n, k + 1);
            to_correlation(c.s[k], p);
        }
        set_up(&c, classes, p, false);
        c.joint.penalty = goldens[g].penalty;
        c.joint.lambda1 = goldens[g].lambda1;
        c.joint.lambda2 = goldens[g].lambda2;
        ggm_settings settings = tight(1e-12);
        ggm_joint_result result;
        assert_int_equal(ggm_joint_solve(&c.joint, &settings, &result), GGM_OK);
        assert_int_equal(result.info.outcome, GGM_CONVERGED);
        assert_joint(&c.joint, &result, 1e-12);
        assert_true(fabs(result.info.objective - goldens[g].objective) < 1e-9 * goldens[g].objective);
        assert_int_equal(result.info.nonzeros, goldens[g].nonzeros);
        assert_true(fabs(entry(&result.precisions[0], 0, 0) - goldens[g].first) < 1e-6);
        assert_true(fabs(entry(&result.precisions[1], 1, 0) - goldens[g].second) < 1e-6);
        assert_true(fabs(entry(&result.precisions[classes - 1], p - 1, p - 3) - goldens[g].last) < 1e-6);
        ggm_joint_result_release(&result);
        tear_down(&c);
    }
}

/* ---- random problems: screening, certificate, tolerances ---- */
static void test_random(void **state)
{
    (void)state;
    for (int trial = 0; trial < 120; trial++) {
        rng r = rng_seeded(400 + (uint64_t)trial);
        const int classes = 2 + rng_below(&r, 4), p = 2 + rng_below(&r, 24);
        double weights[CLASSES];
        case_of c;
        random_case(&c, 900 + (uint64_t)trial, classes, p, 5 + rng_below(&r, 60), rng_below(&r, 2));
        for (int k = 0; k < classes; k++)
            weights[k] = 0.3 + 2 * rng_uniform(&r);
        c.joint.weights = trial % 3 == 0 ? weights : NULL;
        c.joint.penalty = trial % 2 ? GGM_JOINT_GROUP : GGM_JOINT_FUSED;
        c.joint.lambda1 = 0.02 + 0.3 * rng_uniform(&r) * rng_uniform(&r);
        c.joint.lambda2 = 0.3 * rng_uniform(&r) * rng_uniform(&r);
        c.joint.penalize_diagonal = trial % 5 == 0;
        ggm_settings settings = tight(1e-11), loose = tight(1e-3);
        loose.screening = false;
        ggm_joint_result a, b;
        assert_int_equal(ggm_joint_solve(&c.joint, &settings, &a), GGM_OK);
        assert_int_equal(ggm_joint_solve(&c.joint, &loose, &b), GGM_OK);
        assert_int_equal(a.info.outcome, GGM_CONVERGED);
        assert_int_equal(b.info.outcome, GGM_CONVERGED);
        assert_int_equal(b.info.components, 1);
        ggm_certificate exact = assert_joint(&c.joint, &a, 1e-11), rough = assert_joint(&c.joint, &b, 1e-3);
        const double distance = b.info.objective - a.info.objective, rounding = 1e-11 * (double)(p * classes);
        assert_true(distance >= -a.info.duality_gap - rounding);
        assert_true(b.info.duality_gap >= distance - rounding && rough.duality_gap >= distance - rounding);
        assert_true(exact.relative_duality_gap < 1e-9 && exact.kkt_residual < 1e-4);
        settings.screening = false;
        ggm_joint_result_release(&b);
        assert_int_equal(ggm_joint_solve(&c.joint, &settings, &b), GGM_OK);
        assert_true(fabs(a.info.objective - b.info.objective) <= 2e-11 * fmax(1, fabs(a.info.objective)) + rounding);
        for (int k = 0; k < classes; k++)
            for (int i = 0; i < p; i++)
                for (int j = 0; j < p; j++) {
                    double unit = c.problems[k].scale ? sqrt(c.s[k][i * p + i] * c.s[k][j * p + j]) : 1;
                    assert_true(fabs(entry(&a.precisions[k], i, j) - entry(&b.precisions[k], i, j)) * unit < 1e-3);
                }
        ggm_joint_result_release(&a);
        ggm_joint_result_release(&b);
        tear_down(&c);
    }
}

/* ---- special cases ---- */
/* lambda2 = 0: each class by itself; K = 1: lambda1 + lambda2 for the group penalty, lambda1 for the fused */
static void test_apart(void **state)
{
    (void)state;
    const int p = 30;
    const double weights[3] = {1, 2, 0.5};
    for (int penalize = 0; penalize < 2; penalize++) {
        case_of c;
        random_case(&c, 31, 3, p, 40, true);
        c.joint.lambda1 = 0.15;
        c.joint.weights = weights;
        c.joint.penalize_diagonal = penalize;
        for (int classes = 1; classes <= 3; classes += 2)
            for (int fused = 0; fused < 2; fused++) {
                c.joint.classes = (size_t)classes;
                c.joint.penalty = fused ? GGM_JOINT_FUSED : GGM_JOINT_GROUP;
                c.joint.lambda2 = classes == 1 ? 0.05 : 0;
                ggm_joint_result result;
                ggm_settings settings = tight(1e-9);
                assert_int_equal(ggm_joint_solve(&c.joint, &settings, &result), GGM_OK);
                assert_joint(&c.joint, &result, 1e-9);
                for (int k = 0; k < classes; k++) {
                    ggm_problem one = c.problems[k];
                    one.lambda = (0.15 + (classes == 1 && !fused ? 0.05 : 0)) / weights[k];
                    one.penalize_diagonal = penalize;
                    ggm_result alone;
                    assert_int_equal(ggm_solve(&one, &settings, &alone), GGM_OK);
                    assert_same_bits(&alone.precision, &result.precisions[k]);
                    ggm_result_release(&alone);
                }
                ggm_joint_result_release(&result);
            }
        c.joint.classes = 3;
        tear_down(&c);
    }
}

/* Very large lambda2. Fused: all classes equal, to the last bit, and equal to the solution of the weighted mean. Group: no edge. */
static void test_limits(void **state)
{
    (void)state;
    const int p = 20;
    const double weights[3] = {1, 2, 0.5};
    case_of c;
    random_case(&c, 32, 3, p, 30, false);
    c.joint.weights = weights;
    c.joint.lambda1 = 0.1;
    c.joint.lambda2 = 50;
    c.joint.penalty = GGM_JOINT_FUSED;
    ggm_settings settings = tight(1e-11);
    ggm_joint_result result;
    assert_int_equal(ggm_joint_solve(&c.joint, &settings, &result), GGM_OK);
    assert_joint(&c.joint, &result, 1e-11);
    double *pooled = malloc((size_t)(p * p) * sizeof *pooled);
    for (int e = 0; e < p * p; e++)
        pooled[e] = (c.s[0][e] + 2 * c.s[1][e] + 0.5 * c.s[2][e]) / 3.5;
    ggm_problem one = {.p = (size_t)p, .s = pooled, .lambda = 0.1 * 3 / 3.5};
    ggm_result alone;
    assert_int_equal(ggm_solve(&one, &settings, &alone), GGM_OK);
    assert_true(fabs(result.info.objective - 3.5 * alone.info.objective) < 1e-9);
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < p; i++)
            for (int j = 0; j < p; j++) {
                assert_true(i == j || entry(&result.precisions[k], i, j) == entry(&result.precisions[0], i, j));
                assert_true(fabs(entry(&result.precisions[k], i, j) - entry(&alone.precision, i, j)) < 1e-4);
            }
    ggm_result_release(&alone);
    ggm_joint_result_release(&result);
    c.joint.penalty = GGM_JOINT_GROUP;
    c.joint.penalize_diagonal = true;
    assert_int_equal(ggm_joint_solve(&c.joint, &settings, &result), GGM_OK);
    assert_joint(&c.joint, &result, 1e-11);
    assert_int_equal(result.info.nonzeros, 3 * p);
    assert_int_equal(result.info.components, p);
    ggm_joint_result_release(&result);
    free(pooled);
    tear_down(&c);
}

/* Classes are unordered: another order gives the same answer in that order */
static void test_order(void **state)
{
    (void)state;
    static const int order[4] = {2, 0, 3, 1};
    const int p = 25;
    for (int fused = 0; fused < 2; fused++) {
        case_of c, d;
        random_case(&c, 33, 4, p, 30, false);
        for (int k = 0; k < 4; k++)
            d.s[k] = c.s[order[k]];
        set_up(&d, 4, p, false);
        c.joint.penalty = d.joint.penalty = fused ? GGM_JOINT_FUSED : GGM_JOINT_GROUP;
        c.joint.lambda1 = d.joint.lambda1 = 0.1;
        c.joint.lambda2 = d.joint.lambda2 = 0.04;
        ggm_settings settings = tight(1e-12);
        ggm_joint_result a, b;
        assert_int_equal(ggm_joint_solve(&c.joint, &settings, &a), GGM_OK);
        assert_int_equal(ggm_joint_solve(&d.joint, &settings, &b), GGM_OK);
        assert_true(fabs(a.info.objective - b.info.objective) < 1e-10 * fabs(a.info.objective));
        int equal = 0, zero = 0;
        for (int i = 0; i < p; i++)
            for (int j = 0; j < i; j++)
                for (int k = 0; k < 4; k++) {
                    double x = entry(&b.precisions[k], i, j), y = entry(&a.precisions[order[k]], i, j);
                    assert_true(fabs(x - y) < 1e-5);
                    zero += x == 0;
                    equal += k > 0 && x != 0 && x == entry(&b.precisions[0], i, j);
                }
        assert_true(zero > 100);
        assert_true(fused ? equal > 20 : equal == 0);
        ggm_joint_result_release(&a);
        ggm_joint_result_release(&b);
        tear_down(&c);
    }
}

static void test_lambda1_max(void **state)
{
    (void)state;
    for (int trial = 0; trial < 20; trial++) {
        case_of c;
        random_case(&c, 500 + (uint64_t)trial, 2 + trial % 4, 15, 20, true);
        c.joint.penalty = trial % 2 ? GGM_JOINT_GROUP : GGM_JOINT_FUSED;
        c.joint.lambda2 = 0.02 * trial;
        double largest;
        assert_int_equal(ggm_joint_lambda1_max(&c.joint, 1, &largest), GGM_OK);
        for (int below = 0; below < (largest > 0 ? 2 : 1); below++) {
            ggm_joint_result result;
            c.joint.lambda1 = largest * (below ? 1 - 1e-6 : 1);
            ggm_settings settings = tight(1e-13);
            assert_int_equal(ggm_joint_solve(&c.joint, &settings, &result), GGM_OK);
            assert_true(below ? result.info.components < 15 : result.info.components == 15);
            assert_true(below || result.info.nonzeros == 15 * c.joint.classes);
            ggm_joint_result_release(&result);
        }
        tear_down(&c);
    }
}

/* ---- planted truth ---- */
static double f1(const ggm_joint_result *result, double *const *truth, int classes, int p)
{
    int found = 0, there = 0, right = 0;
    for (int k = 0; k < classes; k++)
        for (int i = 0; i < p; i++)
            for (int j = 0; j < i; j++) {
                const bool is = truth[k][i * p + j] != 0, said = entry(&result->precisions[k], i, j) != 0;
                found += said;
                there += is;
                right += is && said;
            }
    return 2.0 * right / (found + there);
}

/* The best F1 over a grid of lambda1, jointly and separately, for classes that share their graph */
static void test_planted(void **state)
{
    (void)state;
    enum { P = 40, K = 4, N = 60 };
    rng r = rng_seeded(600);
    double *truth[K], best[3] = {0};
    case_of c;
    truth[0] = sparse_truth(&r, P, 3);
    for (int k = 0; k < K; k++) {
        truth[k] = truth[0];
        c.s[k] = sample_covariance(&r, truth[k], P, N);
    }
    set_up(&c, K, P, true);
    for (double lambda1 = 0.02; lambda1 < 0.5; lambda1 *= 1.2)
        for (int kind = 0; kind < 3; kind++) { /* apart, group, fused */
            c.joint.penalty = kind == 2 ? GGM_JOINT_FUSED : GGM_JOINT_GROUP;
            c.joint.lambda1 = lambda1;
            c.joint.lambda2 = kind == 0 ? 0 : kind == 1 ? 2 * lambda1 : lambda1;
            ggm_joint_result result;
            assert_int_equal(ggm_joint_solve(&c.joint, NULL, &result), GGM_OK);
            best[kind] = fmax(best[kind], f1(&result, truth, K, P));
            ggm_joint_result_release(&result);
        }
    print_message("F1 of %d classes sharing a graph, %d samples each, p %d: apart %.3f, group %.3f, fused %.3f\n", K, N, P, best[0], best[1], best[2]);
    assert_true(best[1] > best[0] + 0.05 && best[2] > best[0] + 0.1);
    free(truth[0]);
    tear_down(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gglasso), cmocka_unit_test(test_random), cmocka_unit_test(test_apart), cmocka_unit_test(test_limits),
                                       cmocka_unit_test(test_order), cmocka_unit_test(test_lambda1_max), cmocka_unit_test(test_planted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
