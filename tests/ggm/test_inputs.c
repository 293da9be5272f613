/* The same problem in every form that ggm_problem takes gives the same answer: S in double or single precision, samples, a penalty
 * matrix, a matrix to start from. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/check.h"
#include "ggm/covariance.h"
#include "ggm/support.h"

#include <math.h>
#include <stdlib.h>

#define P 90 /* beyond the size from which on blocks are kept in single precision */
#define N 70

static double *samples_of(rng *r)
{
    double *x = malloc((size_t)N * P * sizeof *x);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < P; j++)
            x[i * P + j] = rng_normal(r) + (j % 5 > 0 ? 0.8 * x[i * P + j - 1] : 3.0);
    return x;
}

/* (P, P) covariance with divisor n, by plain loops over the rows given */
static double *covariance_of(const double *x, const size_t *rows, size_t n)
{
    double *s = calloc((size_t)P * P, sizeof *s), mean[P] = {0};
    for (size_t k = 0; k < n; k++)
        for (size_t j = 0; j < P; j++)
            mean[j] += x[(rows ? rows[k] : k) * P + j] / (double)n;
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < P; i++)
            for (size_t j = 0; j < P; j++)
                s[i * P + j] += (x[(rows ? rows[k] : k) * P + i] - mean[i]) * (x[(rows ? rows[k] : k) * P + j] - mean[j]) / (double)n;
    return s;
}

static ggm_settings tight(double tolerance)
{
    ggm_settings settings;
    ggm_default_settings(&settings);
    settings.tolerance = tolerance;
    settings.threads = 2;
    return settings;
}

/* Solves `given`, has the judge look at it as an answer to `plain`, and compares objectives: within `agreement` of the optimum of each other */
static void assert_same_answer(const ggm_problem *plain, const ggm_problem *given, double tolerance, double agreement)
{
    const ggm_settings settings = tight(tolerance);
    ggm_result a, b;
    assert_int_equal(ggm_solve(plain, &settings, &a), GGM_OK);
    assert_int_equal(ggm_solve(given, &settings, &b), GGM_OK);
    assert_answer(plain, &a, tolerance);
    assert_true(check_answer(plain, &b.precision).relative_gap < agreement);
    assert_true(fabs(a.info.objective - b.info.objective) <= agreement * fabs(a.info.objective));
    ggm_certificate certificate;
    assert_int_equal(ggm_certify(given, &b.precision, 1, &certificate), GGM_OK);
    assert_true(fabs(certificate.objective - b.info.objective) <= 1e-9 * fabs(b.info.objective));
    ggm_result_release(&a);
    ggm_result_release(&b);
}

static void test_forms(void **state)
{
    (void)state;
    rng r = rng_seeded(7);
    double *x = samples_of(&r), *s = covariance_of(x, NULL, N);
    float *x32 = malloc((size_t)N * P * sizeof *x32), *s32 = malloc((size_t)P * P * sizeof *s32);
    for (int k = 0; k < N * P; k++)
        x32[k] = (float)x[k];
    for (int k = 0; k < P * P; k++)
        s32[k] = (float)s[k];
    const size_t rows[] = {5, 1, 1, 60, 33, 2, 9, 14, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51};
    double *resampled = covariance_of(x, rows, sizeof rows / sizeof *rows);
    for (int scale = 0; scale < 2; scale++) {
        const ggm_problem plain = {.p = P, .s = s, .lambda = 0.2, .scale = scale == 1};
        const ggm_samples wide = {.n = N, .p = P, .x = x}, narrow = {.n = N, .p = P, .x32 = x32};
        const ggm_samples some = {.n = sizeof rows / sizeof *rows, .p = P, .x = x, .rows = rows};
        ggm_problem given = plain, of_rows = plain;
        given.s = NULL;
        given.samples = &wide;
        assert_same_answer(&plain, &given, 1e-10, 1e-7);
        given.samples = &narrow;
        assert_same_answer(&plain, &given, 1e-8, 1e-4);
        given.samples = NULL;
        given.s32 = s32;
        assert_same_answer(&plain, &given, 1e-8, 1e-4);
        of_rows.s = resampled;
        of_rows.lambda = given.lambda = 0.4;
        given.s32 = NULL;
        given.samples = &some;
        assert_same_answer(&of_rows, &given, 1e-10, 1e-7);
    }
    free(x);
    free(s);
    free(x32);
    free(s32);
    free(resampled);
}

/* lambda = 1 and the penalty matrix as weights; S with rounding in one triangle */
static void test_penalty_matrix_and_rounding(void **state)
{
    (void)state;
    rng r = rng_seeded(8);
    double *x = samples_of(&r), *s = covariance_of(x, NULL, N), *penalties = malloc((size_t)P * P * sizeof *penalties), *rounded = malloc((size_t)P * P * sizeof *rounded);
    for (int k = 0; k < P * P; k++)
        penalties[k] = 0.2;
    for (int i = 0; i < P; i++)
        for (int j = 0; j < P; j++)
            rounded[i * P + j] = s[i * P + j] * (i < j ? 1 + 1e-9 : 1);
    const ggm_problem plain = {.p = P, .s = s, .lambda = 0.2, .scale = true};
    ggm_problem given = plain;
    given.lambda = 1;
    given.weights = penalties;
    assert_same_answer(&plain, &given, 1e-10, 1e-7);
    given = plain;
    given.s = rounded;
    assert_same_answer(&plain, &given, 1e-10, 1e-6);
    free(x);
    free(s);
    free(penalties);
    free(rounded);
}

static void test_start(void **state)
{
    (void)state;
    rng r = rng_seeded(9);
    double *x = samples_of(&r), *s = covariance_of(x, NULL, N);
    const ggm_problem plain = {.p = P, .s = s, .lambda = 0.15, .scale = true};
    const ggm_settings settings = tight(1e-9);
    ggm_result cold, warm;
    assert_int_equal(ggm_solve(&plain, &settings, &cold), GGM_OK);
    for (int kind = 0; kind < 4; kind++) { /* the answer itself, that of another lambda, an indefinite matrix, a diagonal one */
        ggm_problem given = plain;
        ggm_result other = {0};
        given.lambda = kind == 1 ? 0.2 : 0.15;
        assert_int_equal(ggm_solve(&given, &settings, &other), GGM_OK);
        for (size_t i = 0; kind >= 2 && i < P; i++)
            for (size_t k = other.precision.start[i]; k < other.precision.start[i + 1]; k++)
                if ((size_t)other.precision.index[k] != i)
                    other.precision.value[k] *= kind == 2 ? 10 : 0;
        given.lambda = 0.15;
        given.start = &other.precision;
        assert_int_equal(ggm_solve(&given, &settings, &warm), GGM_OK);
        assert_answer(&plain, &warm, settings.tolerance);
        assert_true(fabs(warm.info.objective - cold.info.objective) < 1e-8 * fabs(cold.info.objective));
        assert_true(kind > 0 || warm.info.iterations <= 3);
        ggm_result_release(&warm);
        ggm_result_release(&other);
    }
    size_t start[] = {0, 1};
    int index[] = {0};
    double value[] = {1};
    ggm_sparse wrong = {.p = 1, .nnz = 1, .start = start, .index = index, .value = value};
    ggm_problem given = plain;
    given.start = &wrong;
    assert_int_equal(ggm_solve(&given, &settings, &warm), GGM_ERROR_ARGUMENT);
    ggm_result_release(&cold);
    free(x);
    free(s);
}

static void test_refused(void **state)
{
    (void)state;
    const double s[4] = {1, 0.5, 0.5, 1};
    const float s32[4] = {1, 0.5f, 0.5f, 1}, infinite[4] = {1, INFINITY, INFINITY, 1};
    const ggm_samples both = {.n = 2, .p = 2, .x = s, .x32 = s32}, none = {.n = 2, .p = 2}, other = {.n = 2, .p = 1, .x = s}, empty = {.n = 0, .p = 2, .x = s};
    const ggm_problem bad[] = {
        {.p = 2, .s = s, .s32 = s32}, {.p = 2}, {.p = 2, .samples = &both}, {.p = 2, .samples = &none}, {.p = 2, .samples = &other}, {.p = 2, .samples = &empty}};
    ggm_result result;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        assert_int_equal(ggm_solve(&bad[k], NULL, &result), GGM_ERROR_ARGUMENT);
    const ggm_problem problem = {.p = 2, .s32 = infinite};
    assert_int_equal(ggm_solve(&problem, NULL, &result), GGM_ERROR_NOT_FINITE);
    ggm_settings settings;
    ggm_default_settings(&settings);
    settings.solver = (ggm_solver)17;
    const ggm_problem good = {.p = 2, .s = s, .lambda = 0.1};
    assert_int_equal(ggm_solve(&good, &settings, &result), GGM_ERROR_ARGUMENT);
}

static void test_dense(void **state)
{
    (void)state;
    const double s[9] = {1, 0.5, 0, 0.5, 1, 0, 0, 0, 1};
    const ggm_problem problem = {.p = 3, .s = s, .lambda = 0.1, .scale = true};
    ggm_result result;
    assert_int_equal(ggm_solve(&problem, NULL, &result), GGM_OK);
    double dense[9];
    ggm_sparse_to_dense(&result.precision, dense);
    assert_true(fabs(dense[0] - 1 / (1 - 0.16)) < 1e-6 && fabs(dense[1] + 0.4 / (1 - 0.16)) < 1e-6); /* two variables with covariance 0.5 - lambda */
    assert_true(dense[1] == dense[3] && dense[2] == 0 && dense[5] == 0 && dense[6] == 0 && fabs(dense[8] - 1) < 1e-12);
    ggm_result_release(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms), cmocka_unit_test(test_penalty_matrix_and_rounding), cmocka_unit_test(test_start),
                                       cmocka_unit_test(test_refused), cmocka_unit_test(test_dense)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
