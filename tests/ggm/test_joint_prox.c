/* The penalty of one K-vector, against optimality conditions written out and, for the fused one, against its dual solved by plain coordinate
 * descent. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/joint_internal.h"
#include "ggm/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double value(const ggm_joint_norm *norm, const double *x)
{
    double size = 0, square = 0, apart = 0;
    for (int k = 0; k < norm->classes; k++) {
        size += fabs(x[k]);
        square += x[k] * x[k];
        for (int l = 0; l < k; l++)
            apart += fabs(x[k] - x[l]);
    }
    return norm->lambda1 * size + norm->lambda2 * (norm->penalty == GGM_JOINT_GROUP ? sqrt(square) : apart);
}

/* sum a x^2/2 - b x + P(x) */
static double primal(const ggm_joint_norm *norm, const double *a, const double *b, const double *x)
{
    double sum = value(norm, x);
    for (int k = 0; k < norm->classes; k++)
        sum += a[k] * x[k] * x[k] / 2 - b[k] * x[k];
    return sum;
}

/* -sum (b - u)^2 / 2a at the best u = sum of pulls y_k in [-lambda1, lambda1] and z_kl in [-lambda2, lambda2] that coordinate descent finds: a
 * lower bound on the primal whatever it finds. u: (K) out. */
static double fused_dual(const ggm_joint_norm *norm, const double *a, const double *b, double *u)
{
    const int n = norm->classes;
    double *z = calloc((size_t)(n * n), sizeof *z), y[GGM_K] = {0};
    memset(u, 0, (size_t)n * sizeof *u);
    double moved = 1;
    for (int sweep = 0; sweep < 100000 && moved > 1e-13; sweep++) {
        moved = 0;
        for (int k = 0; k < n; k++) {
            double best = fmax(-norm->lambda1, fmin(norm->lambda1, y[k] + b[k] - u[k]));
            moved = fmax(moved, fabs(best - y[k]));
            u[k] += best - y[k];
            y[k] = best;
            for (int l = 0; l < k; l++) {
                double step = ((b[k] - u[k]) / a[k] - (b[l] - u[l]) / a[l]) / (1 / a[k] + 1 / a[l]);
                best = fmax(-norm->lambda2, fmin(norm->lambda2, z[k * n + l] + step));
                moved = fmax(moved, fabs(best - z[k * n + l]));
                u[k] += best - z[k * n + l];
                u[l] -= best - z[k * n + l];
                z[k * n + l] = best;
            }
        }
    }
    free(z);
    double sum = 0;
    for (int k = 0; k < n; k++)
        sum -= (b[k] - u[k]) * (b[k] - u[k]) / (2 * a[k]);
    return sum;
}

static ggm_joint_norm random_norm(rng *r, int classes)
{
    static const double strengths[] = {0, 0.1, 0.5, 2};
    return (ggm_joint_norm){.penalty = rng_below(r, 2) ? GGM_JOINT_FUSED : GGM_JOINT_GROUP, .classes = classes, .lambda1 = strengths[rng_below(r, 4)],
                            .lambda2 = strengths[rng_below(r, 4)]};
}

/* b - a x is a subgradient of the group penalty at x */
static void assert_group_optimal(const ggm_joint_norm *norm, const double *a, const double *b, const double *x)
{
    double size = 0, excess = 0;
    for (int k = 0; k < norm->classes; k++) {
        size += x[k] * x[k];
        double over = fmax(0, fabs(b[k]) - norm->lambda1);
        excess += over * over;
    }
    size = sqrt(size);
    if (size == 0)
        assert_true(sqrt(excess) <= norm->lambda2 * (1 + 1e-14));
    for (int k = 0; size > 0 && k < norm->classes; k++) {
        double u = b[k] - a[k] * x[k];
        if (x[k] != 0)
            assert_true(fabs(u - copysign(norm->lambda1, x[k]) - norm->lambda2 * x[k] / size) < 1e-10);
        else
            assert_true(fabs(u) <= norm->lambda1 + 1e-14);
    }
}

static void test_prox(void **state)
{
    (void)state;
    rng r = rng_seeded(300);
    int ties = 0, zeros = 0, turned = 0;
    for (int trial = 0; trial < 3000; trial++) {
        const int classes = trial % 50 == 0 ? 1 + rng_below(&r, 24) : 1 + rng_below(&r, 5);
        ggm_joint_norm norm = random_norm(&r, classes);
        double a[GGM_K], b[GGM_K], x[GGM_K] = {0}, u[GGM_K];
        for (int k = 0; k < classes; k++) {
            a[k] = trial % 3 == 0 ? 1.5 : exp(2 * rng_normal(&r));
            b[k] = (trial % 7 == 0 ? rng_below(&r, 3) - 1 : 2 * rng_normal(&r)) * sqrt(a[k]);
        }
        ggm_joint_prox(&norm, a, b, x);
        if (norm.penalty == GGM_JOINT_GROUP) {
            assert_group_optimal(&norm, a, b, x);
        } else {
            const double dual = fused_dual(&norm, a, b, u), best = primal(&norm, a, b, x);
            assert_true(best - dual > -1e-9 * (1 + fabs(best)) && best - dual < 1e-7 * (1 + fabs(best)));
        }
        for (int k = 0; k < classes; k++) {
            zeros += x[k] == 0;
            for (int l = 0; l < k; l++) {
                assert_true(x[k] == x[l] || fabs(x[k] - x[l]) > 1e-12); /* equal to the last bit, or not equal */
                ties += x[k] == x[l] && x[k] != 0;
                turned += (x[k] - x[l]) * (b[k] / a[k] - b[l] / a[l]) < 0;
            }
        }
    }
    assert_true(ties > 500 && zeros > 500 && turned > 20); /* the cases that are hard do occur */
}

/* Pooling of adjacent violators, for equal curvatures and the most classes */
static void test_many_classes(void **state)
{
    (void)state;
    rng r = rng_seeded(301);
    for (int trial = 0; trial < 20; trial++) {
        ggm_joint_norm norm = {.penalty = GGM_JOINT_FUSED, .classes = GGM_K, .lambda1 = 0.05 * (trial % 4), .lambda2 = 0.004 * trial};
        double ones[GGM_K], b[GGM_K], x[GGM_K] = {0}, mean[GGM_K];
        int count[GGM_K], blocks = 0;
        for (int k = 0; k < GGM_K; k++) {
            ones[k] = 1;
            b[k] = rng_normal(&r) + (k ? b[k - 1] : -3) * (k > 0); /* to be sorted */
        }
        for (int k = 1; k < GGM_K; k++) /* ascending */
            for (int l = k; l > 0 && b[l - 1] > b[l]; l--) {
                double swap = b[l];
                b[l] = b[l - 1];
                b[l - 1] = swap;
            }
        for (int k = 0; k < GGM_K; k++) {
            mean[blocks] = b[k] - norm.lambda2 * (2 * k - GGM_K + 1);
            count[blocks++] = 1;
            for (; blocks > 1 && mean[blocks - 2] >= mean[blocks - 1]; blocks--) {
                mean[blocks - 2] = (mean[blocks - 2] * count[blocks - 2] + mean[blocks - 1] * count[blocks - 1]) / (count[blocks - 2] + count[blocks - 1]);
                count[blocks - 2] += count[blocks - 1];
            }
        }
        ggm_joint_prox(&norm, ones, b, x);
        for (int k = 0, block = 0, left = count[0]; k < GGM_K; k++, left--) {
            if (left == 0)
                left = count[++block];
            double want = copysign(fmax(0, fabs(mean[block]) - norm.lambda1), mean[block]);
            assert_true(fabs(x[k] - want) < 1e-11);
        }
    }
}

static bool in_ball_by_subsets(const ggm_joint_norm *norm, const double *v)
{
    double excess = 0;
    for (int k = 0; k < norm->classes; k++)
        excess += pow(fmax(0, fabs(v[k]) - norm->lambda1), 2);
    if (norm->penalty == GGM_JOINT_GROUP)
        return excess <= norm->lambda2 * norm->lambda2;
    for (int set = 1; set < 1 << norm->classes; set++) {
        double sum = 0;
        int size = 0;
        for (int k = 0; k < norm->classes; k++)
            if (set >> k & 1) {
                sum += v[k];
                size++;
            }
        if (fabs(sum) > norm->lambda1 * size + norm->lambda2 * size * (norm->classes - size))
            return false;
    }
    return true;
}

static void test_ball(void **state)
{
    (void)state;
    rng r = rng_seeded(302);
    int inside = 0;
    for (int trial = 0; trial < 20000; trial++) {
        ggm_joint_norm norm = random_norm(&r, 1 + rng_below(&r, 6));
        double v[GGM_K], ones[GGM_K], x[GGM_K] = {0};
        const double size = exp(rng_normal(&r)) * (norm.lambda1 + norm.lambda2);
        bool zero = true;
        for (int k = 0; k < norm.classes; k++) {
            v[k] = size * rng_normal(&r);
            ones[k] = 1;
        }
        ggm_joint_prox(&norm, ones, v, x);
        for (int k = 0; k < norm.classes; k++)
            zero = zero && x[k] == 0;
        inside += zero;
        assert_int_equal(ggm_joint_in_ball(&norm, v), in_ball_by_subsets(&norm, v));
        assert_int_equal(ggm_joint_in_ball(&norm, v), zero);
        assert_true(fabs(ggm_joint_value(&norm, x) - value(&norm, x)) < 1e-12);
    }
    assert_true(inside > 2000 && inside < 18000);
}

/* u is a subgradient at x (in the ball, u'x = P(x)), and no other is nearer: (v - u)'(w - u) <= 0 for every subgradient w */
static void test_nearest(void **state)
{
    (void)state;
    rng r = rng_seeded(303);
    for (int trial = 0; trial < 20000; trial++) {
        ggm_joint_norm norm = random_norm(&r, 1 + rng_below(&r, 6));
        double x[GGM_K], v[GGM_K], u[GGM_K], w[GGM_K], inner = 0, angle = 0;
        for (int k = 0; k < norm.classes; k++) {
            x[k] = (double)(rng_below(&r, 5) - 2) * (rng_below(&r, 4) > 0) * (trial % 5 > 0);
            v[k] = 2 * rng_normal(&r);
            w[k] = 2 * rng_normal(&r);
        }
        ggm_joint_nearest(&norm, x, v, u);
        ggm_joint_nearest(&norm, x, w, w);
        ggm_joint_norm wider = norm;
        wider.lambda1 += 1e-9;
        wider.lambda2 += 1e-9;
        assert_true(in_ball_by_subsets(&wider, u));
        for (int k = 0; k < norm.classes; k++) {
            inner += u[k] * x[k];
            angle += (v[k] - u[k]) * (w[k] - u[k]);
        }
        assert_true(fabs(inner - value(&norm, x)) < 1e-10);
        assert_true(angle < 1e-9);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_prox), cmocka_unit_test(test_many_classes), cmocka_unit_test(test_ball), cmocka_unit_test(test_nearest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
