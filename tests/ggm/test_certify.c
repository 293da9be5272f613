/* ggm_certify on matrices that no solver made: good ones, bad ones, and ones that are not even precision matrices. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/check.h"
#include "ggm/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Dense (p, p) to sparse */
static ggm_sparse sparse_of(const double *dense, size_t p)
{
    ggm_sparse t = {.p = p, .start = calloc(p + 1, sizeof(size_t)), .index = malloc(p * p * sizeof(int)), .value = malloc(p * p * sizeof(double))};
    for (size_t i = 0; i < p; i++) {
        for (size_t j = 0; j < p; j++)
            if (dense[i * p + j] != 0) {
                t.index[t.nnz] = (int)j;
                t.value[t.nnz++] = dense[i * p + j];
            }
        t.start[i + 1] = t.nnz;
    }
    return t;
}

static void release(ggm_sparse *t)
{
    free(t->start);
    free(t->index);
    free(t->value);
}

static void test_perturbed(void **state)
{
    (void)state;
    rng r = rng_seeded(70);
    const int p = 25;
    double *truth = sparse_truth(&r, p, 3), *s = sample_covariance(&r, truth, p, 40);
    for (int scale = 0; scale < 2; scale++)
        for (int penalize = 0; penalize < 2; penalize++) {
            ggm_problem problem = {.p = (size_t)p, .s = s, .lambda = 0.1, .penalize_diagonal = penalize, .scale = scale};
            ggm_settings settings;
            ggm_default_settings(&settings);
            settings.tolerance = 1e-10;
            ggm_result result;
            assert_int_equal(ggm_solve(&problem, &settings, &result), GGM_OK);
            double best = result.info.objective;
            for (double noise = 1e-6; noise < 2; noise *= 10) { /* T moved off the optimum: its gap says at least how far */
                for (int i = 0; i < p; i++)
                    for (size_t k = result.precision.start[i]; k < result.precision.start[i + 1]; k++)
                        if (result.precision.index[k] == i)
                            result.precision.value[k] *= 1 + noise;
                ggm_certificate certificate;
                assert_int_equal(ggm_certify(&problem, &result.precision, 1, &certificate), GGM_OK);
                verdict v = check_answer(&problem, &result.precision);
                assert_true(certificate.positive_definite);
                assert_true(fabs(certificate.objective - v.objective) < 1e-10 * p);
                assert_true(fabs(certificate.kkt_residual - v.kkt) < 1e-9);
                assert_true(certificate.duality_gap >= certificate.objective - best - 1e-10 * p);
                assert_true(certificate.duality_gap > 0.1 * noise * noise);
                assert_true(fabs(certificate.objective - certificate.dual_objective - certificate.duality_gap) < 1e-10 * p);
                assert_int_equal(certificate.nonzeros, v.nonzeros);
            }
            ggm_result_release(&result);
        }
    free(truth);
    free(s);
}

static void test_not_positive_definite(void **state)
{
    (void)state;
    const double s[4] = {1, 0.2, 0.2, 1}, indefinite[4] = {1, 2, 2, 1}, negative[4] = {-1, 0, 0, 1};
    ggm_problem problem = {.p = 2, .s = s, .lambda = 0.1};
    for (int k = 0; k < 2; k++) {
        ggm_sparse t = sparse_of(k ? indefinite : negative, 2);
        ggm_certificate certificate;
        assert_int_equal(ggm_certify(&problem, &t, 0, &certificate), GGM_OK);
        assert_false(certificate.positive_definite);
        assert_true(isinf(certificate.duality_gap));
        release(&t);
    }
}

/* Edges missing between what T holds apart, although S does not: the residual must see them */
static void test_missing_edge(void **state)
{
    (void)state;
    const double s[9] = {1, 0.6, 0, 0.6, 1, 0, 0, 0, 1}, identity[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    ggm_problem problem = {.p = 3, .s = s, .lambda = 0.1};
    ggm_sparse t = sparse_of(identity, 3);
    ggm_certificate certificate;
    assert_int_equal(ggm_certify(&problem, &t, 0, &certificate), GGM_OK);
    assert_true(fabs(certificate.kkt_residual - 0.5) < 1e-15);
    assert_true(fabs(certificate.duality_gap + log(1 - 0.25)) < 1e-12); /* W_12 = 0.5 is the best dual point */
    release(&t);
}

static void test_malformed(void **state)
{
    (void)state;
    const double s[4] = {1, 0.2, 0.2, 1}, good[4] = {1, 0.1, 0.1, 1}, asymmetric[4] = {1, 0.1, 0.2, 1}, nan[4] = {1, NAN, NAN, 1};
    ggm_problem problem = {.p = 2, .s = s, .lambda = 0.1};
    ggm_certificate certificate;
    ggm_sparse t = sparse_of(good, 2);
    assert_int_equal(ggm_certify(NULL, &t, 0, &certificate), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_certify(&problem, NULL, 0, &certificate), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_certify(&problem, &t, 0, NULL), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_certify(&problem, &t, -1, &certificate), GGM_ERROR_ARGUMENT);
    t.index[1] = 2;
    assert_int_equal(ggm_certify(&problem, &t, 0, &certificate), GGM_ERROR_ARGUMENT);
    t.index[1] = 0;
    assert_int_equal(ggm_certify(&problem, &t, 0, &certificate), GGM_ERROR_ARGUMENT);
    t.index[1] = 1;
    t.p = 3;
    assert_int_equal(ggm_certify(&problem, &t, 0, &certificate), GGM_ERROR_ARGUMENT);
    release(&t);
    t = sparse_of(asymmetric, 2);
    assert_int_equal(ggm_certify(&problem, &t, 0, &certificate), GGM_ERROR_NOT_SYMMETRIC);
    release(&t);
    t = sparse_of(nan, 2);
    assert_int_equal(ggm_certify(&problem, &t, 0, &certificate), GGM_ERROR_NOT_FINITE);
    release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_perturbed), cmocka_unit_test(test_not_positive_definite), cmocka_unit_test(test_missing_edge),
                                       cmocka_unit_test(test_malformed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
