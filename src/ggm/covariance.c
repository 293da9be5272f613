/* See covariance.h for formulas and sources. This file says what is done in which order; product.c multiplies, ranks.c and kendall.c
 * rank, repair.c makes definite.
 *
 * Transformed samples are a copy of the same type as the samples, freed before ggm_covariance returns; means are kept that long too. */
#include "ggm/covariance.h"
#include "ggm/internal.h"
#include "ggm/simd.h"

#include <limits.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#define BAND 256 /* samples whose fourth moments one task sums */

static const double pi = 3.14159265358979323846;

void ggm_default_covariance_settings(ggm_covariance_settings *settings)
{
    *settings = (ggm_covariance_settings){.winsor = 0.01, .repair = true};
}

static ggm_status check(const ggm_samples *samples, const ggm_covariance_settings *settings, int threads, const double *s)
{
    if (!samples || !s || threads < 0 || samples->n == 0 || samples->p == 0 || (samples->x != NULL) + (samples->x32 != NULL) != 1)
        return GGM_ERROR_ARGUMENT;
    if (settings->transform < GGM_TRANSFORM_NONE || settings->transform > GGM_TRANSFORM_KENDALL || !(settings->winsor >= 0 && settings->winsor < 0.5))
        return GGM_ERROR_ARGUMENT;
    if (!isnan(settings->shrinkage) && !(settings->shrinkage >= 0 && settings->shrinkage <= 1))
        return GGM_ERROR_ARGUMENT;
    if (samples->p > INT_MAX || samples->n > INT_MAX)
        return GGM_ERROR_ARGUMENT;
    const size_t longer = samples->n > samples->p ? samples->n : samples->p;
    return longer > SIZE_MAX / sizeof(double) / samples->p ? GGM_ERROR_MEMORY : GGM_OK;
}

/* ---- correlations ---- */
/* Diagonal 1, or 0 where the variance is, and then the row and column too */
static void to_correlations(double *s, size_t p, int threads, double *scale)
{
    for (size_t i = 0; i < p; i++)
        scale[i] = s[i * (p + 1)] > 0 ? 1 / sqrt(s[i * (p + 1)]) : 0;
#pragma omp parallel for num_threads(threads) schedule(static, 16)
    for (size_t i = 0; i < p; i++) {
        for (size_t j = 0; j < p; j++)
            s[i * p + j] = fmin(fmax(s[i * p + j] * (scale[i] * scale[j]), -1), 1);
        s[i * (p + 1)] = scale[i] > 0 ? 1 : 0;
    }
}

/* factor sin(angle S_ij) off the diagonal, where both sine transforms are the identity */
static void to_sines(double *s, size_t p, int threads, double factor, double angle)
{
#pragma omp parallel for num_threads(threads) schedule(static, 16)
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j < p; j++)
            s[i * p + j] = i == j ? s[i * p + j] : factor * sin(angle * s[i * p + j]);
}

/* ---- shrinkage ---- */
/* (sum_j z_j^2)^2 - sum_j z_j^4 of one sample = sum over i != j of z_i^2 z_j^2 */
#define CROSS_SQUARES(NAME, TYPE) \
    GGM_CLONES static double NAME(const TYPE *restrict x, const double *restrict mean, const double *restrict scale, size_t p) \
    { \
        double squares = 0, fourths = 0; \
        _Pragma("omp simd reduction(+ : squares, fourths)") for (size_t j = 0; j < p; j++) { \
            const double z = ((double)x[j] - mean[j]) * scale[j], square = z * z; \
            squares += square; \
            fourths += square * square; \
        } \
        return squares * squares - fourths; \
    }

CROSS_SQUARES(cross_squares, double)
CROSS_SQUARES(cross_squares32, float)

/* Mean over the samples of the sum over i != j of z_i^2 z_j^2. space: (n). */
static double mean_cross_squares(const ggm_samples *samples, const double *mean, const double *scale, int threads, double *space)
{
    const size_t n = samples->n, p = samples->p;
#pragma omp parallel for num_threads(threads) schedule(static, BAND)
    for (size_t i = 0; i < n; i++) {
        const size_t at = ggm_sample_row(samples, i) * p;
        space[i] = samples->x ? cross_squares(samples->x + at, mean, scale, p) : cross_squares32(samples->x32 + at, mean, scale, p);
    }
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += space[i];
    return sum / (double)n;
}

/* Sum over i != j of the squared correlations that s holds */
static double squared_correlations(const double *s, size_t p, const double *scale)
{
    double sum = 0;
    for (size_t i = 0; i < p; i++) {
        double row = 0;
        for (size_t j = 0; j < i; j++)
            row += s[i * p + j] * s[i * p + j] * scale[j] * scale[j];
        sum += 2 * row * scale[i] * scale[i];
    }
    return sum;
}

static void shrink(double *s, size_t p, int threads, double intensity)
{
#pragma omp parallel for num_threads(threads) schedule(static, 16)
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j < p; j++)
            s[i * p + j] *= i == j ? 1 : 1 - intensity;
}

/* ---- all of it ---- */
typedef struct {
    const ggm_covariance_settings *settings;
    const ggm_samples *given;
    ggm_samples samples;  /* transformed, or as given */
    void *owned;          /* array of the transformed ones, or NULL */
    double *s;
    double *mean, *variance; /* (p) of the transformed samples */
    double *scale;        /* (p) scratch */
    int threads;
} former;

/* Correlations, or covariances, of the transformed samples into s; of ranks for SKEPTIC and KENDALL. Their moments are kept. */
static ggm_status form_products(former *f)
{
    const ggm_transform transform = f->settings->transform;
    const size_t p = f->given->p;
    ggm_status status = GGM_OK;
    f->samples = *f->given;
    if (transform != GGM_TRANSFORM_NONE)
        status = ggm_transform_samples(f->given, transform, f->settings->winsor, f->threads, &f->samples, &f->owned);
    if (status == GGM_OK)
        status = ggm_sample_covariance(&f->samples, f->threads, f->s, f->mean);
    for (size_t i = 0; status == GGM_OK && i < p; i++)
        f->variance[i] = f->s[i * (p + 1)];
    if (status == GGM_OK && transform != GGM_TRANSFORM_NONE && transform != GGM_TRANSFORM_WINSOR)
        to_correlations(f->s, p, f->threads, f->scale);
    return status;
}

/* Kendall's matrix needs no products of samples, but an intensity of shrinkage that is to be found needs the ranks' moments. */
static ggm_status form(former *f)
{
    const ggm_transform transform = f->settings->transform;
    const size_t p = f->given->p;
    ggm_status status = transform == GGM_TRANSFORM_KENDALL && !isnan(f->settings->shrinkage) ? GGM_OK : form_products(f);
    if (status == GGM_OK && transform == GGM_TRANSFORM_KENDALL)
        status = ggm_kendall(f->given, f->threads, f->s);
    if (status == GGM_OK && transform == GGM_TRANSFORM_SKEPTIC)
        to_sines(f->s, p, f->threads, 2, pi / 6);
    if (status == GGM_OK && transform == GGM_TRANSFORM_KENDALL)
        to_sines(f->s, p, f->threads, 1, pi / 2);
    return status;
}

/* Returns how many variables vary */
static size_t inverse_roots(const double *variance, size_t step, size_t p, double *scale)
{
    size_t varying = 0;
    for (size_t i = 0; i < p; i++) {
        scale[i] = variance[i * step] > 0 ? 1 / sqrt(variance[i * step]) : 0;
        varying += scale[i] > 0;
    }
    return varying;
}

/* The a of covariance.h. space: (n). */
static double best_intensity(const former *f, double *space)
{
    const size_t n = f->given->n, p = f->given->p;
    if (inverse_roots(f->variance, 1, p, f->scale) < 2) /* so it is for a single sample */
        return 0;
    const double cross = mean_cross_squares(&f->samples, f->mean, f->scale, f->threads, space);
    inverse_roots(f->s, p + 1, p, f->scale);
    const double squares = squared_correlations(f->s, p, f->scale), noise = (cross - squares) / (double)(n - 1);
    if (squares > 0)
        return fmin(fmax(noise / squares, 0), 1);
    return noise > 0 ? 1 : 0;
}

static ggm_status shrink_and_repair(const former *f, ggm_covariance_info *info)
{
    const ggm_transform transform = f->settings->transform;
    info->shrinkage = f->settings->shrinkage;
    if (isnan(info->shrinkage)) {
        double *space = ggm_alloc(f->given->n, sizeof *space);
        if (!space)
            return GGM_ERROR_MEMORY;
        info->shrinkage = best_intensity(f, space);
        ggm_free(space);
    }
    if (info->shrinkage > 0)
        shrink(f->s, f->given->p, f->threads, info->shrinkage);
    if (f->settings->repair && (transform == GGM_TRANSFORM_SKEPTIC || transform == GGM_TRANSFORM_KENDALL))
        return ggm_repair_checked(f->s, f->given->p, f->threads, info);
    return GGM_OK;
}

ggm_status ggm_covariance_with_info(const ggm_samples *samples, const ggm_covariance_settings *settings, int threads, double *s,
                                    ggm_covariance_info *info)
{
    ggm_covariance_settings plain;
    ggm_default_covariance_settings(&plain);
    former f = {.settings = settings ? settings : &plain, .given = samples, .s = s, .threads = ggm_thread_count(threads)};
    ggm_covariance_info own = {.smallest_eigenvalue = (double)NAN};
    if (info)
        *info = (ggm_covariance_info){0};
    ggm_status status = check(samples, f.settings, threads, s);
    if (status != GGM_OK)
        return status;
    f.mean = ggm_alloc(3 * samples->p, sizeof *f.mean);
    if (!f.mean)
        return GGM_ERROR_MEMORY;
    f.variance = f.mean + samples->p;
    f.scale = f.variance + samples->p;
    const int before = omp_get_max_threads();
    omp_set_num_threads(1); /* of BLAS; our own teams say how many they are */
    status = form(&f);
    if (status == GGM_OK)
        status = shrink_and_repair(&f, &own);
    omp_set_num_threads(before);
    ggm_free(f.owned);
    ggm_free(f.mean);
    if (info && status == GGM_OK)
        *info = own;
    return status;
}

ggm_status ggm_covariance(const ggm_samples *samples, const ggm_covariance_settings *settings, int threads, double *s)
{
    return ggm_covariance_with_info(samples, settings, threads, s, NULL);
}
