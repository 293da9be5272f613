/* Component sizes for every lambda, against union-find at each, and against what solves say. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/select.h"
#include "ggm/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    size_t count, largest;
} sizes;

/* By labels that are spread until nothing changes */
static sizes components_of(const double *strength, int p, double lambda)
{
    int *label = malloc((size_t)p * sizeof *label), *size = calloc((size_t)p, sizeof *size);
    for (int i = 0; i < p; i++)
        label[i] = i;
    for (bool changed = true; changed;) {
        changed = false;
        for (int i = 0; i < p; i++)
            for (int j = 0; j < p; j++)
                if (i != j && strength[i * p + j] > lambda && label[j] < label[i]) {
                    label[i] = label[j];
                    changed = true;
                }
    }
    sizes out = {0};
    for (int i = 0; i < p; i++) {
        out.count += label[i] == i;
        if ((size_t)++size[label[i]] > out.largest)
            out.largest = (size_t)size[label[i]];
    }
    free(label);
    free(size);
    return out;
}

static double *strengths(const ggm_problem *problem)
{
    const int p = (int)problem->p;
    double *out = calloc((size_t)(p * p), sizeof *out);
    for (int i = 0; i < p; i++)
        for (int j = 0; j < p; j++) {
            double entry = 0.5 * fabs(problem->s[i * p + j] + problem->s[j * p + i]), weight = problem->weights ? problem->weights[i * p + j] : 1;
            if (problem->scale)
                entry *= 1 / sqrt(problem->s[i * p + i]) * (1 / sqrt(problem->s[j * p + j]));
            out[i * p + j] = isinf(weight) || entry == 0 ? 0 : weight == 0 ? INFINITY : entry / weight;
        }
    return out;
}

static void check(const ggm_problem *problem)
{
    const int p = (int)problem->p;
    double *strength = strengths(problem);
    ggm_linkage linkage;
    assert_int_equal(ggm_linkage_new(problem, 1, &linkage), GGM_OK);
    assert_int_equal(linkage.p, p);
    for (int k = 0; k + 1 < p; k++) {
        assert_true(linkage.a[k] < linkage.b[k]);
        assert_true(k == 0 || linkage.lambda[k] <= linkage.lambda[k - 1]);
        double own = strength[linkage.a[k] * p + linkage.b[k]];
        assert_true(linkage.lambda[k] == own || fabs(linkage.lambda[k] - own) <= 1e-14 * own);
    }
    double most = 0;
    for (int k = 0; k < p * p; k++)
        if (k % (p + 1) != 0 && isfinite(strength[k]))
            most = fmax(most, strength[k]);
    for (int k = 0; k <= 60; k++) {
        double lambda = most * 1.001 * (1 - k / 60.0);
        sizes truth = components_of(strength, p, lambda);
        assert_int_equal(ggm_linkage_components(&linkage, lambda), truth.count);
        assert_int_equal(ggm_linkage_largest(&linkage, lambda), truth.largest);
    }
    for (size_t largest = 1; largest <= (size_t)p; largest++) {
        double lambda = ggm_linkage_lambda(&linkage, largest);
        assert_true(lambda == (double)INFINITY || ggm_linkage_largest(&linkage, lambda) <= largest);
        assert_true(lambda == 0 || ggm_linkage_largest(&linkage, lambda == (double)INFINITY ? most * 10 : lambda * (1 - 1e-9)) > largest);
    }
    ggm_linkage_release(&linkage);
    ggm_linkage_release(&linkage);
    free(strength);
}

static void test_against_union_find(void **state)
{
    (void)state;
    rng r = rng_seeded(300);
    for (int round = 0; round < 12; round++) {
        const int p = 2 + round * 4;
        double *truth = sparse_truth(&r, p, 2), *s = sample_covariance(&r, truth, p, 40), *weights = malloc((size_t)(p * p) * sizeof *weights);
        for (int i = 0; i < p; i++)
            for (int j = 0; j <= i; j++) {
                double u = rng_uniform(&r);
                weights[i * p + j] = weights[j * p + i] = u < 0.1 ? 0 : u < 0.2 && i != j ? (double)INFINITY : 0.5 + u;
                if (u > 0.97 && i != j)
                    s[i * p + j] = s[j * p + i] = 0;
            }
        if (p > 3) /* equal strengths, and rounding between the triangles */
            s[1] *= 1 + 1e-9;
        for (int weighted = 0; weighted < 2; weighted++)
            for (int scale = 0; scale < 2; scale++)
                check(&(ggm_problem){.p = (size_t)p, .s = s, .scale = scale, .weights = weighted ? weights : NULL, .lambda = NAN});
        free(truth);
        free(s);
        free(weights);
    }
}

static void test_against_solves(void **state)
{
    (void)state;
    rng r = rng_seeded(301);
    const int p = 50;
    double *truth = sparse_truth(&r, p, 2), *s = sample_covariance(&r, truth, p, 60);
    ggm_problem problem = {.p = (size_t)p, .s = s, .scale = true};
    ggm_linkage linkage;
    assert_int_equal(ggm_linkage_new(&problem, 0, &linkage), GGM_OK);
    for (int k = 0; k < p - 1; k += 5) { /* exactly at merges, where nothing may be off by one */
        problem.lambda = linkage.lambda[k];
        ggm_result result;
        assert_int_equal(ggm_solve(&problem, NULL, &result), GGM_OK);
        assert_int_equal(result.info.components, ggm_linkage_components(&linkage, problem.lambda));
        assert_int_equal(result.info.largest_component, ggm_linkage_largest(&linkage, problem.lambda));
        ggm_result_release(&result);
    }
    ggm_linkage_release(&linkage);
    free(truth);
    free(s);
}

static void test_degenerate(void **state)
{
    (void)state;
    double one = 3, diagonal[9] = {1, 0, 0, 0, 2, 0, 0, 0, 3}, same[4] = {1, 1, 1, 1}, broken[4] = {1, NAN, NAN, 1};
    ggm_linkage linkage;
    assert_int_equal(ggm_linkage_new(&(ggm_problem){.p = 1, .s = &one, .scale = true}, 0, &linkage), GGM_OK);
    assert_int_equal(ggm_linkage_components(&linkage, 0), 1);
    assert_int_equal(ggm_linkage_largest(&linkage, 0), 1);
    ggm_linkage_release(&linkage);
    assert_int_equal(ggm_linkage_new(&(ggm_problem){.p = 3, .s = diagonal}, 0, &linkage), GGM_OK);
    assert_int_equal(ggm_linkage_components(&linkage, 0), 3);
    assert_true(ggm_linkage_lambda(&linkage, 1) == 0);
    ggm_linkage_release(&linkage);
    assert_int_equal(ggm_linkage_new(&(ggm_problem){.p = 2, .s = same}, 0, &linkage), GGM_OK);
    assert_int_equal(ggm_linkage_components(&linkage, 1), 2);
    assert_int_equal(ggm_linkage_components(&linkage, 0.999), 1);
    ggm_linkage_release(&linkage);
    assert_int_equal(ggm_linkage_new(&(ggm_problem){.p = 2, .s = broken}, 0, &linkage), GGM_ERROR_NOT_FINITE);
    assert_null(linkage.lambda);
    assert_int_equal(ggm_linkage_new(NULL, 0, &linkage), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_linkage_new(&(ggm_problem){.p = 2, .s = same}, -1, &linkage), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_linkage_new(&(ggm_problem){.p = 2, .s = same}, 0, NULL), GGM_ERROR_ARGUMENT);
    ggm_linkage_release(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_union_find), cmocka_unit_test(test_against_solves), cmocka_unit_test(test_degenerate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
