/* From samples to covariances: against scipy, R and plain loops, and on data whose truth is known. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/covariance.h"
#include "ggm/support.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LAST GGM_TRANSFORM_KENDALL
enum { N = 12, P = 4, BELOW = P * (P - 1) / 2 };

/* Ties in columns 1 and 3; every number is exact in single precision */
static const double small[N * P] = {0.5, 2, -1.25, 0, 1.5, 3, 0.75, 0, -2.25, 1, 8.5, 1.5, 0.25, 2, -0.5, 0, 3.75, 5, 40, 2.5, -1, 1, -0.25, 0,
                                    2.5, 3, 6.25, 0, -0.75, 2, -3, 1.5, 1.25, 4, 1, 0, 0.75, 2, 2, 3.25, -3.5, 1, -7, 0, 2, 4, 12.5, 0.5};

/* Lower triangles, row by row. numpy 2 / scipy 1: cov(bias=True); the same of mstats.winsorize(limits=(.1, .1)); then without the diagonal
 * corrcoef(norm.ppf(rankdata / (n + 1))), corrcoef(norm.ppf(clip(rankdata / n, d, 1 - d))), spearmanr, 2 sin(pi/6 spearmanr),
 * sin(pi/2 kendalltau). The npn ones agree with R: cor(huge.npn(x)), npn.func = "truncation", huge.npn(x, npn.func = "skeptic"), and the last
 * with sin(pi/2 * cor(x, method = "kendall")), all to 1e-15. */
static const double plain[BELOW + P] = {3.8159722222222219, 2.1666666666666661, 1.5833333333333333, 14.753472222222223, 10.270833333333332,
                                        136.90972222222223, 0.37152777777777773, 0.19791666666666666, 6.2934027777777786, 1.2026909722222221};
static const double winsor[BELOW + P] = {2.5659722222222219, 1.5763888888888886, 1.2430555555555554, 4.1944444444444446, 3.2465277777777777,
                                         28.685763888888886, 0.090277777777777762, 0.079861111111111063, 2.1336805555555554, 0.93576388888888895};
static const double by_rank[][BELOW] = {
    {0.92201871534003932, 0.69812386964775452, 0.60508866651160598, 0.1852760893405079, 0.16789700750896322, 0.48211606146576785},
    {0.90532377423622079, 0.68882698534555009, 0.60542959781029548, 0.18717802783601578, 0.17930136036274885, 0.49638616017108261},
    {0.92844206173819066, 0.65734265734265729, 0.56858079749858181, 0.14067008278173052, 0.13070245279297782, 0.49234528973605679},
    {0.93441748096384802, 0.67485693762742016, 0.58666000262131923, 0.14717620981786086, 0.1367644754971834, 0.50989109778469688},
    {0.9572975553249703, 0.7237340381050702, 0.68607076455726101, 0.17400292709557735, 0.19041597444335417, 0.55051181721751674},
};
/* Optimal shrinkage. Plain, npn, Spearman: Schaefer & Strimmer's Var(r_ij) = n/(n-1)^3 sum_k (w_kij - mean)^2 written out in numpy with r and
 * scaling unbiased as theirs; skeptic and Kendall: the formula of covariance.h in numpy. */
static const struct {
    ggm_transform transform;
    double intensity;
} optimal[] = {{GGM_TRANSFORM_NONE, 0.44990998916147296}, {GGM_TRANSFORM_NPN, 0.2882417575848024}, {GGM_TRANSFORM_SPEARMAN, 0.26809199047328286},
               {GGM_TRANSFORM_SKEPTIC, 0.2541858658538434}, {GGM_TRANSFORM_KENDALL, 0.2076674499263428}};

static ggm_covariance_settings settings_of(ggm_transform transform)
{
    ggm_covariance_settings settings;
    ggm_default_covariance_settings(&settings);
    settings.transform = transform;
    settings.winsor = 0.1;
    return settings;
}

static ggm_samples samples_of(const double *x, size_t n, size_t p)
{
    return (ggm_samples){.n = n, .p = p, .x = x};
}

/* S of the transform; the caller frees it */
static double *form(const ggm_samples *samples, ggm_transform transform, int threads)
{
    const ggm_covariance_settings settings = settings_of(transform);
    double *s = malloc(samples->p * samples->p * sizeof *s);
    assert_int_equal(ggm_covariance(samples, &settings, threads, s), GGM_OK);
    return s;
}

static void assert_matrix(const double *s, size_t p, const double *want, double tolerance)
{
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j < p; j++) {
            const double unit = sqrt(want[i * (p + 1)] * want[j * (p + 1)]);
            if (!(fabs(s[i * p + j] - want[i * p + j]) <= tolerance * unit))
                fail_msg("entry (%zu, %zu) of %zu: %.17g, wanted %.17g", i, j, p, s[i * p + j], want[i * p + j]);
        }
}

static void golden(ggm_transform transform, double *want)
{
    const bool moments = transform == GGM_TRANSFORM_NONE || transform == GGM_TRANSFORM_WINSOR;
    const double *below = transform == GGM_TRANSFORM_NONE ? plain : transform == GGM_TRANSFORM_WINSOR ? winsor : by_rank[transform - GGM_TRANSFORM_NPN];
    for (int i = 0; i < P; i++) {
        want[i * (P + 1)] = 1;
        for (int j = 0; j < i + moments; j++)
            want[i * P + j] = want[j * P + i] = *below++;
    }
}

static float *narrowed(const double *x, size_t count)
{
    float *y = malloc(count * sizeof *y);
    for (size_t k = 0; k < count; k++)
        y[k] = (float)x[k];
    return y;
}

static void test_golden(void **state)
{
    (void)state;
    float *x32 = narrowed(small, N * P);
    const ggm_samples wide = samples_of(small, N, P), narrow = {.n = N, .p = P, .x32 = x32};
    for (int transform = 0; transform <= (int)LAST; transform++) {
        double want[P * P], *s = form(&wide, (ggm_transform)transform, 1), *s32 = form(&narrow, (ggm_transform)transform, 1);
        golden((ggm_transform)transform, want);
        assert_matrix(s, P, want, 1e-14);
        assert_matrix(s32, P, want, 3e-7);
        free(s);
        free(s32);
    }
    free(x32);
}

/* A resample, repeats and any order, is its rows copied out */
static void test_rows(void **state)
{
    (void)state;
    const size_t rows[] = {3, 3, 11, 0, 7, 7, 7, 2, 9, 4, 10, 1, 5, 8, 6, 11, 3};
    const size_t n = sizeof rows / sizeof *rows;
    double copy[17 * P];
    for (size_t i = 0; i < n; i++)
        memcpy(copy + i * P, small + rows[i] * P, P * sizeof *copy);
    float *x32 = narrowed(small, N * P), *copy32 = narrowed(copy, n * P);
    for (int transform = 0; transform <= (int)LAST; transform++) {
        const ggm_samples picked[] = {{.n = n, .p = P, .x = small, .rows = rows}, {.n = n, .p = P, .x32 = x32, .rows = rows}};
        const ggm_samples copied[] = {{.n = n, .p = P, .x = copy}, {.n = n, .p = P, .x32 = copy32}};
        for (int narrow = 0; narrow < 2; narrow++) {
            double *a = form(&picked[narrow], (ggm_transform)transform, 1), *b = form(&copied[narrow], (ggm_transform)transform, 1);
            assert_memory_equal(a, b, P * P * sizeof *a);
            free(a);
            free(b);
        }
    }
    free(x32);
    free(copy32);
}

/* (n, p) samples with a common part, far from 0 */
static double *correlated(size_t n, size_t p, uint64_t seed)
{
    rng r = rng_seeded(seed);
    double *x = malloc(n * p * sizeof *x);
    for (size_t i = 0; i < n; i++) {
        const double common = rng_normal(&r);
        for (size_t j = 0; j < p; j++)
            x[i * p + j] = (double)(float)(100 + (double)(j % 7) * (common + rng_normal(&r)) + rng_normal(&r));
    }
    return x;
}

static void loops(const double *x, size_t n, size_t p, double *s)
{
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j <= i; j++) {
            double a = 0, b = 0, sum = 0;
            for (size_t k = 0; k < n; k++) {
                a += x[k * p + i] / (double)n;
                b += x[k * p + j] / (double)n;
            }
            for (size_t k = 0; k < n; k++)
                sum += (x[k * p + i] - a) * (x[k * p + j] - b);
            s[i * p + j] = s[j * p + i] = sum / (double)n;
        }
}

/* Sizes around tiles (512, 1024), blocks of rows (4096, 1024) and bands: both precisions against plain loops */
static void test_sizes(void **state)
{
    (void)state;
    const struct {
        size_t n, p;
    } sizes[] = {{1, 1}, {2, 3}, {7, 129}, {5, 513}, {9, 1601}, {1025, 20}, {4099, 9}, {9000, 3}, {300, 64}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const size_t n = sizes[k].n, p = sizes[k].p;
        double *x = correlated(n, p, k + 1), *want = malloc(p * p * sizeof *want);
        float *x32 = narrowed(x, n * p);
        loops(x, n, p, want);
        const ggm_samples wide = samples_of(x, n, p), narrow = {.n = n, .p = p, .x32 = x32};
        double *s = form(&wide, GGM_TRANSFORM_NONE, 1), *s32 = form(&narrow, GGM_TRANSFORM_NONE, 1);
        assert_matrix(s, p, want, 1e-12);
        assert_matrix(s32, p, want, 5e-7);
        free(x);
        free(x32);
        free(want);
        free(s);
        free(s32);
    }
}

/* Columns of 6 in units 1e30 .. 1e-30: single precision neither overflows nor vanishes; a huge mean does not drown a small variance */
static void test_units(void **state)
{
    (void)state;
    enum { n = 50, p = 6 };
    double *x = correlated(n, p, 5), *same = malloc(n * p * sizeof *same);
    for (int k = 0; k < n * p; k++) {
        same[k] = x[k] - 100;
        x[k] = (double)(float)((x[k] - 100) * pow(10, 30 - 12 * (k % p)));
    }
    float *x32 = narrowed(x, n * p);
    const ggm_samples given = samples_of(same, n, p), wide = samples_of(x, n, p), narrow = {.n = n, .p = p, .x32 = x32};
    double *want = form(&given, GGM_TRANSFORM_NONE, 1), *s = form(&wide, GGM_TRANSFORM_NONE, 1), *s32 = form(&narrow, GGM_TRANSFORM_NONE, 1);
    for (int i = 0; i < p; i++)
        for (int j = 0; j < p; j++)
            want[i * p + j] *= pow(10, 60 - 12 * (i + j));
    assert_matrix(s, p, want, 1e-6); /* x was rounded to single precision */
    assert_matrix(s32, p, want, 1e-6);
    for (int k = 0; k < n * p; k++)
        x[k] = 1e9 + same[k];
    double *far = form(&wide, GGM_TRANSFORM_NONE, 1);
    loops(x, n, p, want);
    assert_matrix(far, p, want, 1e-12);
    free(x);
    free(same);
    free(x32);
    free(want);
    free(s);
    free(s32);
    free(far);
}

static void test_threads(void **state)
{
    (void)state;
    const size_t n = 1300, p = 600;
    double *x = correlated(n, p, 9);
    float *x32 = narrowed(x, n * p);
    for (int transform = 0; transform <= (int)LAST; transform++)
        for (int narrow = 0; narrow < 2; narrow++) {
            const size_t few = transform == (int)LAST ? 100 : n; /* Kendall's is slow */
            const ggm_samples samples = {.n = few, .p = p, .x = narrow ? NULL : x, .x32 = narrow ? x32 : NULL};
            ggm_covariance_settings settings = settings_of((ggm_transform)transform);
            settings.shrinkage = (double)NAN;
            settings.repair = transform == (int)LAST || narrow;
            double *s[3];
            ggm_covariance_info info[3];
            for (int threads = 1; threads <= 3; threads++) {
                s[threads - 1] = malloc(p * p * sizeof **s);
                assert_int_equal(ggm_covariance_with_info(&samples, &settings, threads, s[threads - 1], &info[threads - 1]), GGM_OK);
                assert_memory_equal(s[threads - 1], s[0], p * p * sizeof **s);
                assert_true(info[threads - 1].shrinkage == info[0].shrinkage);
            }
            for (int k = 0; k < 3; k++)
                free(s[k]);
        }
    free(x);
    free(x32);
}

/* Gaussian data seen through x^3 and exp(2x): Pearson's correlations are far off, the rank-based ones are not */
static void test_recovery(void **state)
{
    (void)state;
    enum { n = 4000, p = 8 };
    rng r = rng_seeded(21);
    double *x = malloc(n * p * sizeof *x);
    for (int k = 0; k < n; k++) { /* an autoregression: correlations 0.8^|i-j| */
        double z = 0;
        for (int j = 0; j < p; j++) {
            z = j == 0 ? rng_normal(&r) : 0.8 * z + 0.6 * rng_normal(&r);
            x[k * p + j] = j % 2 ? exp(2 * z) : z * z * z;
        }
    }
    const ggm_samples samples = samples_of(x, n, p);
    const ggm_transform transforms[] = {GGM_TRANSFORM_NPN, GGM_TRANSFORM_NPN_TRUNCATED, GGM_TRANSFORM_SKEPTIC, GGM_TRANSFORM_KENDALL,
                                        GGM_TRANSFORM_NONE};
    for (int t = 0; t < 5; t++) {
        double *s = form(&samples, transforms[t], 2), worst = 0;
        for (int i = 0; i < p; i++)
            for (int j = 0; j < p; j++)
                worst = fmax(worst, fabs(s[i * p + j] / sqrt(s[i * (p + 1)] * s[j * (p + 1)]) - pow(0.8, abs(i - j))));
        if (transforms[t] == GGM_TRANSFORM_NONE)
            assert_true(worst > 0.25);
        else
            assert_true(worst < 0.06); /* four standard errors 1 / sqrt(n) */
        free(s);
    }
    free(x);
}

static void test_shrinkage(void **state)
{
    (void)state;
    const ggm_samples samples = samples_of(small, N, P);
    for (size_t k = 0; k < sizeof optimal / sizeof *optimal; k++) {
        ggm_covariance_settings settings = settings_of(optimal[k].transform);
        double *whole = form(&samples, optimal[k].transform, 1), s[P * P];
        ggm_covariance_info info;
        settings.shrinkage = (double)NAN;
        assert_int_equal(ggm_covariance_with_info(&samples, &settings, 1, s, &info), GGM_OK);
        assert_true(fabs(info.shrinkage - optimal[k].intensity) < 1e-13);
        assert_false(info.repaired);
        assert_true(isnan(info.smallest_eigenvalue) && info.repair_distance == 0);
        for (int i = 0; i < P * P; i++)
            assert_true(fabs(s[i] - whole[i] * (i % (P + 1) == 0 ? 1 : 1 - optimal[k].intensity)) < 1e-13);
        settings.shrinkage = 1;
        assert_int_equal(ggm_covariance_with_info(&samples, &settings, 1, s, &info), GGM_OK);
        assert_true(info.shrinkage == 1 && s[1] == 0 && s[0] == whole[0]);
        free(whole);
    }
    /* units do not matter; pure noise is shrunk hard, much data hardly */
    double scaled[N * P];
    for (int k = 0; k < N * P; k++)
        scaled[k] = small[k] * pow(10, k % P);
    ggm_covariance_settings settings = settings_of(GGM_TRANSFORM_NONE);
    settings.shrinkage = (double)NAN;
    const ggm_samples other = samples_of(scaled, N, P);
    double s[P * P];
    ggm_covariance_info info;
    assert_int_equal(ggm_covariance_with_info(&other, &settings, 1, s, &info), GGM_OK);
    assert_true(fabs(info.shrinkage - optimal[0].intensity) < 1e-13);
    rng r = rng_seeded(4);
    double *noise = malloc(40 * 200 * sizeof *noise), *large = malloc(200 * 200 * sizeof *large), *much = correlated(5000, 4, 2);
    for (int k = 0; k < 40 * 200; k++)
        noise[k] = rng_normal(&r);
    const ggm_samples noisy = samples_of(noise, 40, 200), plenty = samples_of(much, 5000, 4);
    assert_int_equal(ggm_covariance_with_info(&noisy, &settings, 2, large, &info), GGM_OK);
    assert_true(info.shrinkage > 0.9);
    assert_int_equal(ggm_covariance_with_info(&plenty, &settings, 2, large, &info), GGM_OK);
    assert_true(info.shrinkage < 0.01);
    free(noise);
    free(large);
    free(much);
}

static bool has_cholesky(const double *s, size_t p)
{
    double *l = malloc(p * p * sizeof *l);
    bool good = true;
    for (size_t i = 0; good && i < p; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = s[i * p + j];
            for (size_t k = 0; k < j; k++)
                sum -= l[i * p + k] * l[j * p + k];
            good = good && (i != j || sum > 0);
            l[i * p + j] = i == j ? sqrt(sum) : sum / l[j * p + j];
        }
    free(l);
    return good;
}

/* numpy: eigenvalues by eigh, clipped at 1e-8, scaled back to unit diagonal */
static const double indefinite[16] = {1, .9, -.3, .2, .9, 1, .5, -.1, -.3, .5, 1, .7, .2, -.1, .7, 1};
static const double repaired[6] = {0.70765584513359037, -0.17895758183365407, 0.35351619659089245,
                                   0.11495971760929966, -0.018537941181161241, 0.58288800356656045};

static void test_repair(void **state)
{
    (void)state;
    double s[16], scale[4] = {1, 10, 0.01, 3};
    for (int scaled = 0; scaled < 2; scaled++) {
        ggm_covariance_info info;
        for (int k = 0; k < 16; k++)
            s[k] = indefinite[k] * (scaled ? scale[k / 4] * scale[k % 4] : 1);
        double before[16];
        memcpy(before, s, sizeof s);
        assert_int_equal(ggm_repair(s, 4, 1, &info), GGM_OK);
        assert_true(info.repaired && info.shrinkage == 0);
        assert_true(fabs(info.smallest_eigenvalue + 0.3778566678721996) < 1e-13 && fabs(info.repair_distance - 0.4487497786801637) < 1e-13);
        for (int i = 0, k = 0; i < 4; i++) {
            assert_true(s[5 * i] == before[5 * i]);
            for (int j = 0; j < i; j++, k++) {
                assert_true(fabs(s[4 * i + j] / (scaled ? scale[i] * scale[j] : 1) - repaired[k]) < 1e-13);
                assert_true(s[4 * i + j] == s[4 * j + i]);
            }
        }
        assert_true(has_cholesky(s, 4));
        memcpy(before, s, sizeof s);
        assert_int_equal(ggm_repair(s, 4, 1, &info), GGM_OK); /* what is definite stays as it is */
        assert_false(info.repaired);
        assert_true(isnan(info.smallest_eigenvalue));
        assert_memory_equal(before, s, sizeof s);
    }
}

/* Fewer samples than variables make skeptic's and Kendall's matrices indefinite */
static void test_repair_of_samples(void **state)
{
    (void)state;
    const size_t n = 20, p = 60;
    double *x = correlated(n, p, 31), *raw = malloc(p * p * sizeof *raw), *s = malloc(p * p * sizeof *s), *again = malloc(p * p * sizeof *again);
    for (size_t k = 0; k < n; k++)
        x[k * p + 17] = 4; /* a constant among them */
    const ggm_samples samples = samples_of(x, n, p);
    for (int transform = GGM_TRANSFORM_SKEPTIC; transform <= (int)LAST; transform++) {
        ggm_covariance_settings settings = settings_of((ggm_transform)transform);
        ggm_covariance_info info;
        settings.repair = false;
        assert_int_equal(ggm_covariance_with_info(&samples, &settings, 1, raw, &info), GGM_OK);
        assert_true(!info.repaired && isnan(info.smallest_eigenvalue));
        settings.repair = true;
        assert_int_equal(ggm_covariance_with_info(&samples, &settings, 1, s, &info), GGM_OK);
        assert_true(info.repaired && info.smallest_eigenvalue < -1e-3 && info.repair_distance > 0.01);
        double change = 0;
        for (size_t k = 0; k < p * p; k++)
            change += (s[k] - raw[k]) * (s[k] - raw[k]);
        assert_true(fabs(sqrt(change) - info.repair_distance) < 1e-10);
        for (size_t i = 0; i < p; i++) {
            assert_true(s[i * (p + 1)] == (i == 17 ? 0 : 1) && s[17 * p + i] == 0 && s[i * p + 17] == 0);
            for (size_t j = 0; j < p; j++)
                assert_true(s[i * p + j] == s[j * p + i] && fabs(s[i * p + j]) <= 1);
        }
        memcpy(again, raw, p * p * sizeof *raw);
        assert_int_equal(ggm_repair(again, p, 3, NULL), GGM_OK);
        assert_memory_equal(again, s, p * p * sizeof *s);
        s[17 * (p + 1)] = 1;
        assert_true(has_cholesky(s, p));
    }
    free(x);
    free(raw);
    free(s);
    free(again);
}

static void test_repair_refuses(void **state)
{
    (void)state;
    double negative[4] = {1, 0, 0, -1}, empty[4] = {0, 0.5, 0.5, 1}, nan[4] = {1, NAN, NAN, 1}, asymmetric[4] = {1, 0.5, 0.4, 1};
    double infinite[4] = {INFINITY, 0, 0, 1}, beyond[4] = {1, 2, 2, 1}, zero[4] = {0, 0, 0, 1}, one = 3;
    ggm_covariance_info info;
    assert_int_equal(ggm_repair(NULL, 2, 1, NULL), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_repair(zero, 0, 1, NULL), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_repair(zero, 2, -1, NULL), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_repair(zero, SIZE_MAX, 1, NULL), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_repair(negative, 2, 1, NULL), GGM_ERROR_DIAGONAL);
    assert_int_equal(ggm_repair(empty, 2, 1, NULL), GGM_ERROR_DIAGONAL);
    assert_int_equal(ggm_repair(nan, 2, 1, NULL), GGM_ERROR_NOT_FINITE);
    assert_int_equal(ggm_repair(infinite, 2, 1, NULL), GGM_ERROR_NOT_FINITE);
    assert_int_equal(ggm_repair(asymmetric, 2, 1, NULL), GGM_ERROR_NOT_SYMMETRIC);
    assert_int_equal(ggm_repair(zero, 2, 1, &info), GGM_OK);
    assert_false(info.repaired);
    assert_int_equal(ggm_repair(&one, 1, 1, NULL), GGM_OK);
    assert_true(one == 3);
    assert_int_equal(ggm_repair(beyond, 2, 1, &info), GGM_OK); /* a "correlation" of 2 becomes one below 1 */
    assert_true(info.repaired && fabs(info.smallest_eigenvalue + 1) < 1e-14 && beyond[1] < 1 && beyond[1] > 0.999 && beyond[0] == 1);
}

static void test_constants(void **state)
{
    (void)state;
    enum { n = 30, p = 3 };
    double x[n * p];
    for (int k = 0; k < n; k++) {
        x[k * p] = sin(k);
        x[k * p + 1] = 0.1; /* 30 times 0.1 is not 3 */
        x[k * p + 2] = cos(k);
    }
    float *x32 = narrowed(x, n * p);
    const ggm_samples samples[] = {samples_of(x, n, p), {.n = n, .p = p, .x32 = x32}};
    for (int narrow = 0; narrow < 2; narrow++)
        for (int transform = 0; transform <= (int)LAST; transform++)
            for (int shrink = 0; shrink < 2; shrink++) {
                ggm_covariance_settings settings = settings_of((ggm_transform)transform);
                settings.shrinkage = shrink ? (double)NAN : 0;
                double s[p * p];
                assert_int_equal(ggm_covariance(&samples[narrow], &settings, 1, s), GGM_OK);
                assert_true(s[1] == 0 && s[3] == 0 && s[4] == 0 && s[5] == 0 && s[7] == 0);
                assert_true(s[0] > 0.4 && s[8] > 0.4 && isfinite(s[2]));
                const ggm_problem problem = {.p = p, .samples = &samples[narrow], .covariance = &settings, .lambda = 0.1, .scale = true};
                ggm_result result;
                assert_int_equal(ggm_solve(&problem, NULL, &result), GGM_ERROR_DIAGONAL);
            }
    free(x32);
}

static void test_few(void **state)
{
    (void)state;
    const double two[4] = {1, 5, 3, 4};
    for (int transform = 0; transform <= (int)LAST; transform++)
        for (int shrink = 0; shrink < 2; shrink++) {
            ggm_covariance_settings settings = settings_of((ggm_transform)transform);
            settings.shrinkage = shrink ? (double)NAN : 0;
            const ggm_samples one_sample = samples_of(two, 1, 4), one_variable = samples_of(two, 4, 1), pair = samples_of(two, 2, 2);
            double s[16];
            ggm_covariance_info info;
            assert_int_equal(ggm_covariance_with_info(&one_sample, &settings, 1, s, &info), GGM_OK);
            for (int k = 0; k < 16; k++)
                assert_true(s[k] == 0);
            assert_true(info.shrinkage == 0);
            assert_int_equal(ggm_covariance_with_info(&one_variable, &settings, 1, s, &info), GGM_OK);
            assert_true(fabs(s[0] - (transform <= GGM_TRANSFORM_WINSOR ? 2.1875 : 1)) < 1e-15 && info.shrinkage == 0);
            assert_int_equal(ggm_covariance_with_info(&pair, &settings, 1, s, &info), GGM_OK);
            assert_true(fabs(s[1] / sqrt(s[0] * s[3]) + (1 - info.shrinkage)) < 1e-15);
        }
    /* cut as far as winsor allows: the middle is left */
    ggm_covariance_settings settings = settings_of(GGM_TRANSFORM_WINSOR);
    const double seven[7] = {100, -1, 0, 0, 0, -70, 3};
    const ggm_samples samples = samples_of(seven, 7, 1);
    double s;
    settings.winsor = 0.43;
    assert_int_equal(ggm_covariance(&samples, &settings, 1, &s), GGM_OK);
    assert_true(s == 0);
}

static void test_refusals(void **state)
{
    (void)state;
    const double x[4] = {1, 2, 3, 5}, huge[4] = {1e200, 1, -1e200, 2};
    const float x32[4] = {1, 2, 3, 5};
    double s[4];
    const ggm_samples good = samples_of(x, 2, 2);
    const size_t large_count = (size_t)INT_MAX + 1;
    const ggm_samples bad[] = {{.n = 0, .p = 2, .x = x}, {.n = 2, .p = 0, .x = x}, {.n = 2, .p = 2}, {.n = 2, .p = 2, .x = x, .x32 = x32},
                               {.n = 2, .p = large_count, .x = x}, {.n = large_count, .p = 2, .x = x}, {.n = SIZE_MAX, .p = SIZE_MAX, .x = x}};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        assert_int_equal(ggm_covariance(&bad[k], NULL, 1, s), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_covariance(NULL, NULL, 1, s), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_covariance(&good, NULL, 1, NULL), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_covariance(&good, NULL, -1, s), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_covariance(&good, NULL, 0, s), GGM_OK);
    const double shares[] = {-0.1, 0.5, NAN}, intensities[] = {-0.1, 1.1, INFINITY};
    for (int k = 0; k < 3; k++) {
        ggm_covariance_settings settings = settings_of(GGM_TRANSFORM_WINSOR);
        settings.winsor = shares[k];
        assert_int_equal(ggm_covariance(&good, &settings, 1, s), GGM_ERROR_ARGUMENT);
        settings = settings_of(GGM_TRANSFORM_NONE);
        settings.shrinkage = intensities[k];
        assert_int_equal(ggm_covariance(&good, &settings, 1, s), GGM_ERROR_ARGUMENT);
    }
    ggm_covariance_settings unknown = settings_of((ggm_transform)(LAST + 1));
    assert_int_equal(ggm_covariance(&good, &unknown, 1, s), GGM_ERROR_ARGUMENT);
    const ggm_samples large = samples_of(huge, 2, 2);
    assert_int_equal(ggm_covariance(&large, NULL, 1, s), GGM_ERROR_NOT_FINITE); /* its variance is above every double */
    const double wrong[] = {NAN, INFINITY, -INFINITY};
    for (int transform = 0; transform <= (int)LAST; transform++)
        for (int k = 0; k < 3; k++)
            for (int at = 0; at < 6; at++) {
                double y[6] = {1, 2, 3, 5, 4, 1};
                y[at] = wrong[k];
                float *y32 = narrowed(y, 6);
                const ggm_samples wide = samples_of(y, 3, 2), narrow = {.n = 3, .p = 2, .x32 = y32};
                const ggm_covariance_settings settings = settings_of((ggm_transform)transform);
                ggm_covariance_info info = {.repaired = true};
                assert_int_equal(ggm_covariance_with_info(&wide, &settings, 1, s, &info), GGM_ERROR_NOT_FINITE);
                assert_false(info.repaired);
                assert_int_equal(ggm_covariance(&narrow, &settings, 1, s), GGM_ERROR_NOT_FINITE);
                free(y32);
            }
}

/* A problem given by samples is the problem of their covariance */
static void test_solve(void **state)
{
    (void)state;
    const size_t n = 60, p = 20;
    double *x = correlated(n, p, 77);
    const ggm_samples samples = samples_of(x, n, p);
    for (int transform = 0; transform <= (int)LAST; transform++) {
        const ggm_covariance_settings settings = settings_of((ggm_transform)transform);
        double *s = form(&samples, (ggm_transform)transform, 1);
        const ggm_problem given = {.p = p, .samples = &samples, .covariance = &settings, .lambda = 0.2, .scale = true};
        const ggm_problem formed = {.p = p, .s = s, .lambda = 0.2, .scale = true};
        ggm_result a, b;
        assert_int_equal(ggm_solve(&given, NULL, &a), GGM_OK);
        assert_int_equal(ggm_solve(&formed, NULL, &b), GGM_OK);
        assert_int_equal(a.precision.nnz, b.precision.nnz);
        assert_memory_equal(a.precision.value, b.precision.value, a.precision.nnz * sizeof(double));
        ggm_result_release(&a);
        ggm_result_release(&b);
        free(s);
    }
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),    cmocka_unit_test(test_rows),      cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_units),     cmocka_unit_test(test_threads),   cmocka_unit_test(test_recovery),
        cmocka_unit_test(test_shrinkage), cmocka_unit_test(test_repair),    cmocka_unit_test(test_repair_of_samples),
        cmocka_unit_test(test_constants), cmocka_unit_test(test_few),       cmocka_unit_test(test_repair_refuses),
        cmocka_unit_test(test_refusals),  cmocka_unit_test(test_solve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
