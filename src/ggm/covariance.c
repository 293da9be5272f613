/* See covariance.h. Samples are centred by columns in blocks of rows and multiplied by BLAS's symmetric product, always in double precision. */
#include "ggm/covariance.h"
#include "ggm/internal.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#define ROWS 512 /* samples centred and multiplied at once */

static double sample_entry(const ggm_samples *samples, size_t row, size_t j)
{
    const size_t at = (samples->rows ? samples->rows[row] : row) * samples->p + j;
    return samples->x ? samples->x[at] : (double)samples->x32[at];
}

static bool means(const ggm_samples *samples, double *mean)
{
    memset(mean, 0, samples->p * sizeof *mean);
    for (size_t i = 0; i < samples->n; i++)
        for (size_t j = 0; j < samples->p; j++)
            mean[j] += sample_entry(samples, i, j);
    bool finite = true;
    for (size_t j = 0; j < samples->p; j++) {
        mean[j] /= (double)samples->n;
        finite = finite && isfinite(mean[j]);
    }
    return finite;
}

void ggm_default_covariance_settings(ggm_covariance_settings *settings)
{
    *settings = (ggm_covariance_settings){.winsor = 0.01, .repair = true};
}

ggm_status ggm_covariance(const ggm_samples *samples, const ggm_covariance_settings *settings, int threads, double *s)
{
    if (settings && settings->transform != GGM_TRANSFORM_NONE)
        return GGM_ERROR_ARGUMENT;
    if (!samples || !s || samples->n == 0 || samples->p == 0 || threads < 0 || (samples->x != NULL) + (samples->x32 != NULL) != 1)
        return GGM_ERROR_ARGUMENT;
    const size_t n = samples->n, p = samples->p;
    double *mean = ggm_alloc(p, sizeof *mean), *block = ggm_alloc(ROWS * p, sizeof *block);
    ggm_status status = !mean || !block ? GGM_ERROR_MEMORY : means(samples, mean) ? GGM_OK : GGM_ERROR_NOT_FINITE;
    const int before = omp_get_max_threads();
    omp_set_num_threads(ggm_thread_count(threads));
    for (size_t from = 0; status == GGM_OK && from < n; from += ROWS) {
        const size_t count = n - from < ROWS ? n - from : ROWS;
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < p; j++)
                block[i * p + j] = sample_entry(samples, from + i, j) - mean[j];
        cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, (int)p, (int)count, 1.0 / (double)n, block, (int)p, from == 0 ? 0.0 : 1.0, s, (int)p);
    }
    omp_set_num_threads(before);
    for (size_t i = 0; status == GGM_OK && i < p; i++)
        for (size_t j = 0; j < i; j++)
            s[j * p + i] = s[i * p + j];
    ggm_free(mean);
    ggm_free(block);
    return status;
}
