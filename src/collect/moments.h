/* Moments of a sample: n, mean, and the centred second moment M2 = sum (x-mean)(x-mean)', all f64.
 * Rows are gathered into blocks of fixed size, each block is centred on its own mean, its M2 formed tile by tile with
 * BLAS, and merged with Chan's formula (Chan, Golub & LeVeque 1983): accurate for any offset, and the same bits at any
 * number of threads, because tiles and their order do not depend on it. Memory: p^2 + block*p doubles.
 *
 * Which bits come out depends on the order of the rows, not on how they were split over calls of add, nor on saves and
 * loads in between. flush, mean, m2, covariance and merge close the block under way: rows added afterwards start a new one.
 * Rows must be finite: callers check, for only they know whose they are. Use from one thread (the work inside is shared out). */
#pragma once
#include <glib.h>

/* Rows gathered before they are folded in: with the row of the merge 384, which is the depth that OpenBLAS goes through in one piece. */
enum { GLINT_MOMENTS_BLOCK = 383 };

typedef struct GlintMoments GlintMoments;
GlintMoments *glint_moments_new(gsize p); /* NULL when there is no memory for p^2 doubles, or p is 0 */
void glint_moments_free(GlintMoments *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintMoments, glint_moments_free)

gsize glint_moments_p(const GlintMoments *self);
gsize glint_moments_n(const GlintMoments *self);                     /* includes rows not yet flushed */
/* `stride`: elements from one row to the next, at least p. */
void glint_moments_add(GlintMoments *self, const float *rows, gsize n, gsize stride);
void glint_moments_add_f64(GlintMoments *self, const double *rows, gsize n, gsize stride);
void glint_moments_flush(GlintMoments *self);                        /* folds the pending rows in */
gboolean glint_moments_merge(GlintMoments *self, const GlintMoments *other, GError **error); /* `other` keeps its pending rows; p must agree */
const double *glint_moments_mean(GlintMoments *self);                /* p; flushes */
const double *glint_moments_m2(GlintMoments *self);                  /* p*p, full symmetric; flushes */
void glint_moments_covariance(GlintMoments *self, double *out);      /* p*p; M2/(n-1); zeros when n < 2 */

/* safetensors, all F64: `mean` [p], `m2` [p,p], `pending` [k,p] when rows are pending; metadata `n` (all rows), `p`, `keys`
 * (comma-separated names of the caller's entries) and the entries of `metadata` (char* -> char*, keys without commas; may be
 * NULL). What is loaded continues bit for bit where the saved one stood. */
gboolean glint_moments_save(GlintMoments *self, const char *path, GHashTable *metadata, GError **error);
GlintMoments *glint_moments_load(const char *path, GHashTable **metadata /* out: the caller's entries; may be NULL */, GError **error);
