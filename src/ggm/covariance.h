/* libggm: from samples to a covariance matrix.
 *
 * Row-major arrays of doubles; variables are columns. See ggm.h for threads, ownership and determinism. */
#pragma once
#include <ggm/ggm.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

void ggm_default_covariance_settings(ggm_covariance_settings *settings);

/* s (p, p) = covariance of the samples with divisor n, the maximum likelihood estimate (means are estimated too). settings may be
 * NULL (defaults). NaN or infinite samples: GGM_ERROR_NOT_FINITE. Cost: n p^2 flops. */
ggm_status ggm_covariance(const ggm_samples *samples, const ggm_covariance_settings *settings, int threads, double *s);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
