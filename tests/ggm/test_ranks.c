/* Ranks and Kendall's correlation against counting all pairs of samples, and against what closed forms say of large samples. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/covariance.h"
#include "ggm/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static ggm_samples samples_of(const double *x, size_t n, size_t p)
{
    return (ggm_samples){.n = n, .p = p, .x = x};
}

/* Kendall's tau of larger samples by all pairs of samples: ties in none, one or both variables; several levels of the counting tree */
static void test_kendall(void **state)
{
    (void)state;
    enum { p = 5 };
    const size_t sizes[] = {2, 3, 63, 64, 65, 700, 2049, 4500};
    rng r = rng_seeded(3);
    for (size_t which = 0; which < sizeof sizes / sizeof *sizes; which++) {
        const size_t n = sizes[which];
        double *x = malloc(n * p * sizeof *x);
        for (size_t k = 0; k < n; k++) {
            const double z = rng_normal(&r);
            const double row[p] = {z, z + rng_normal(&r), floor(2 * z), fmax(0, -z + rng_normal(&r)), k % 2 ? 0.0 : -0.0};
            memcpy(x + k * p, row, sizeof row);
        }
        const ggm_samples samples = samples_of(x, n, p);
        const ggm_covariance_settings settings = {.transform = GGM_TRANSFORM_KENDALL};
        double s[p * p], want[p * p];
        assert_int_equal(ggm_covariance(&samples, &settings, 2, s), GGM_OK);
        for (int i = 0; i < p; i++)
            for (int j = 0; j < p; j++) {
                double sum = 0, a = 0, b = 0;
                for (size_t k = 0; k < n; k++)
                    for (size_t l = 0; l < k; l++) {
                        const double u = x[k * p + (size_t)i] - x[l * p + (size_t)i], v = x[k * p + (size_t)j] - x[l * p + (size_t)j];
                        sum += ((u > 0) - (u < 0)) * ((v > 0) - (v < 0));
                        a += u != 0;
                        b += v != 0;
                    }
                want[i * p + j] = a > 0 && b > 0 ? sin(1.5707963267948966 * (sum / sqrt(a * b))) : 0;
                assert_true(fabs(s[i * p + j] - want[i * p + j]) < 1e-14);
            }
        free(x);
    }
}

/* More samples than one vector of the tree's counters spans. y is x turned round by m, which makes m (n - m) discordant pairs; and the same of
 * groups of three, which are tied. */
static void test_kendall_large(void **state)
{
    (void)state;
    const size_t groups = 23333, n = 3 * groups, m = 4567;
    double *x = malloc(3 * n * sizeof *x), s[9];
    for (size_t k = 0; k < n; k++) {
        x[3 * k] = (double)k;
        x[3 * k + 1] = (double)((k + 3 * m) % n);
        x[3 * k + 2] = (double)((k / 3 + m) % groups);
    }
    const ggm_samples samples = samples_of(x, n, 3);
    const ggm_covariance_settings settings = {.transform = GGM_TRANSFORM_KENDALL};
    assert_int_equal(ggm_covariance(&samples, &settings, 1, s), GGM_OK);
    const double pairs = 0.5 * (double)n * (double)(n - 1), tied = 3.0 * (double)groups, discordant = 9.0 * (double)m * (double)(groups - m);
    const double plain_tau = 1 - 2 * discordant / pairs, tied_tau = (pairs - tied - 2 * discordant) / sqrt(pairs * (pairs - tied));
    assert_true(fabs(s[1] - sin(1.5707963267948966 * plain_tau)) < 1e-14);
    assert_true(fabs(s[2] - sin(1.5707963267948966 * tied_tau)) < 1e-14);
    assert_true(fabs(s[5] - sin(1.5707963267948966 * sqrt((pairs - tied) / pairs))) < 1e-14);
    free(x);
}

/* Ranks of many values, of both signs and sizes, against counting */
static void test_ranks(void **state)
{
    (void)state;
    enum { n = 400, p = 2 };
    rng r = rng_seeded(11);
    double *x = malloc(n * p * sizeof *x), *ranks = malloc(n * p * sizeof *ranks);
    for (int k = 0; k < n; k++) {
        x[k * p] = rng_normal(&r) * pow(10, rng_below(&r, 600) - 300);
        x[k * p + 1] = x[k * p] > 0 ? rng_below(&r, 5) - 2 : k % 3 ? 0.0 : -0.0;
    }
    for (int j = 0; j < p; j++)
        for (int k = 0; k < n; k++) {
            double below = 0, equal = 0;
            for (int l = 0; l < n; l++) {
                below += x[l * p + j] < x[k * p + j];
                equal += x[l * p + j] == x[k * p + j];
            }
            ranks[k * p + j] = below + (equal + 1) / 2;
        }
    const ggm_samples given = samples_of(x, n, p), ranked = samples_of(ranks, n, p);
    double s[p * p], want[p * p];
    const ggm_covariance_settings settings = {.transform = GGM_TRANSFORM_SPEARMAN};
    assert_int_equal(ggm_covariance(&given, &settings, 1, s), GGM_OK);
    assert_int_equal(ggm_covariance(&ranked, NULL, 1, want), GGM_OK);
    assert_true(fabs(s[1] - want[1] / sqrt(want[0] * want[3])) < 1e-14);
    free(x);
    free(ranks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kendall), cmocka_unit_test(test_kendall_large), cmocka_unit_test(test_ranks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
