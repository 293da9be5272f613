/* Moments of a sample: n, mean, and the centred second moment M2 = sum (x-mean)(x-mean)', all f64.
 * Rows are gathered into blocks of fixed size, each block is centred on its own mean, its M2 formed tile by tile with
 * BLAS, and merged with Chan's formula (Chan, Golub & LeVeque 1983): accurate for any offset, and the same bits at any
 * number of threads, because tiles and their order do not depend on it. Memory: p^2 + block*p doubles. */
#pragma once
#include <glib.h>

typedef struct GlintMoments GlintMoments;
GlintMoments *glint_moments_new(gsize p);
void glint_moments_free(GlintMoments *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintMoments, glint_moments_free)

gsize glint_moments_p(const GlintMoments *self);
gsize glint_moments_n(const GlintMoments *self);                     /* includes rows not yet flushed */
void glint_moments_add(GlintMoments *self, const float *rows, gsize n, gsize stride);
void glint_moments_flush(GlintMoments *self);                        /* folds the pending rows in */
gboolean glint_moments_merge(GlintMoments *self, const GlintMoments *other, GError **error); /* flushes copies as needed; p must agree */
const double *glint_moments_mean(GlintMoments *self);                /* p; flushes */
const double *glint_moments_m2(GlintMoments *self);                  /* p*p, full symmetric; flushes */
void glint_moments_covariance(GlintMoments *self, double *out);      /* p*p; M2/(n-1) */

/* safetensors: `mean` [p], `m2` [p,p], `pending` [k,p] F32, metadata n, and whatever `metadata` (string->string) adds. */
gboolean glint_moments_save(GlintMoments *self, const char *path, GHashTable *metadata, GError **error);
GlintMoments *glint_moments_load(const char *path, GHashTable **metadata /* out, may be NULL */, GError **error);
