/* Pooling: from a batch's activations [tokens, width] to one row per text (or per token), checked to be finite and added
 * to the moments. Sums over tokens are f64 and in token order: a row does not depend on threads. */
#include "base/error.h"
#include "base/simd.h"
#include "collect/collect_private.h"
#include <math.h>
#include <string.h>

enum { PARALLEL_FROM = 1 << 19 };

static const char *const names[] = {"mean", "last", "max", "tokens", "first"};

const char *glint_pool_name(GlintPool pool) { return (gsize)pool < G_N_ELEMENTS(names) ? names[pool] : "?"; }

gboolean glint_pool_parse(const char *text, GlintPool *pool, GError **error)
{
    for (gsize k = 0; k < G_N_ELEMENTS(names); k++) {
        if (g_ascii_strcasecmp(text, names[k]) == 0) {
            *pool = (GlintPool)k;
            return TRUE;
        }
    }
    return glint_fail(error, GLINT_ERROR_USAGE, "--pool %s: there is no such pooling; choose mean, last, max, tokens or first", text);
}

GLINT_CLONES
static void sum_rows(const float *rows, gsize n, gsize width, double *out)
{
    for (gsize j = 0; j < width; j++)
        out[j] = 0;
    for (gsize t = 0; t < n; t++)
        for (gsize j = 0; j < width; j++)
            out[j] += (double)rows[t * width + j];
    for (gsize j = 0; j < width; j++)
        out[j] /= (double)n;
}

GLINT_CLONES
static void max_rows(const float *rows, gsize n, gsize width, double *out)
{
    for (gsize j = 0; j < width; j++)
        out[j] = (double)rows[j];
    for (gsize t = 1; t < n; t++)
        for (gsize j = 0; j < width; j++) {
            double x = (double)rows[t * width + j];
            out[j] = x > out[j] || x != x ? x : out[j]; /* NaN stays: the check behind must see it */
        }
}

/* First column that is not finite; `width` when all are. */
static gsize first_bad(const double *row, gsize width)
{
    for (gsize j = 0; j < width; j++)
        if (!isfinite(row[j]))
            return j;
    return width;
}

static gsize first_bad_f32(const float *rows, gsize n, gsize width)
{
    for (gsize k = 0; k < n * width; k++)
        if (!isfinite(rows[k]))
            return k % width;
    return width;
}

/* One text's row from its tokens' rows. */
static void pool_text(GlintPool pool, gsize prefix, const float *rows, gsize n, gsize width, double *out)
{
    const float *one = pool == GLINT_POOL_LAST ? rows + (n - 1) * width : rows;
    switch (pool) {
    case GLINT_POOL_MEAN:
        sum_rows(rows + prefix * width, n - prefix, width, out);
        break;
    case GLINT_POOL_MAX:
        max_rows(rows + prefix * width, n - prefix, width, out);
        break;
    case GLINT_POOL_LAST:
    case GLINT_POOL_FIRST:
    case GLINT_POOL_TOKENS: /* goes its own way below */
        for (gsize j = 0; j < width; j++)
            out[j] = (double)one[j];
        break;
    }
}

static gboolean fail_not_finite(const GlintListener *self, const GlintSite *site, gsize sequence, gsize column, GError **error)
{
    const GlintText *text = &g_array_index(self->dataset->texts, GlintText, self->texts[sequence]);
    g_autofree char *name = glint_site_name(site);
    return glint_fail(error, GLINT_ERROR_DATA, "text %s (class %s): column %zu of %s is not finite; the model overflows on this text: run with --dtype f32, or leave the text out",
                      text->id, (char *)g_ptr_array_index(self->dataset->classes, text->label), column, name);
}

static gboolean add_tokens(GlintListener *self, const GlintSite *site, const GlintBatch *batch, const float *rows, gsize width, GError **error)
{
    for (gsize s = 0; s < batch->n_sequences; s++) {
        const float *first = rows + (batch->start[s] + self->prefix) * width;
        gsize n = batch->start[s + 1] - batch->start[s] - self->prefix, bad = first_bad_f32(first, n, width);
        if (bad < width)
            return fail_not_finite(self, site, s, bad, error);
        glint_moments_add(self->moments, first, n, width);
    }
    return TRUE;
}

gboolean glint_pool_tap(const GlintSite *site, const GlintBatch *batch, float *rows, gsize width, gpointer listener, GError **error)
{
    GlintListener *self = listener;
    gsize bad[GLINT_POOL_ROWS];
    if (width != glint_moments_p(self->moments))
        return glint_fail(error, GLINT_ERROR_FAILED, "the model delivers %zu columns where %zu were announced", width, glint_moments_p(self->moments));
    if (self->pool == GLINT_POOL_TOKENS)
        return add_tokens(self, site, batch, rows, width, error);
    for (gsize first = 0; first < batch->n_sequences; first += GLINT_POOL_ROWS) {
        gsize n = MIN((gsize)GLINT_POOL_ROWS, batch->n_sequences - first);
        gsize work = (batch->start[first + n] - batch->start[first]) * width; /* little work is not worth waking threads for */
#pragma omp parallel for schedule(dynamic) if (work > PARALLEL_FROM)
        for (gsize k = 0; k < n; k++) {
            gsize start = batch->start[first + k], length = batch->start[first + k + 1] - start;
            pool_text(self->pool, self->prefix, rows + start * width, length, width, self->rows + k * width);
            bad[k] = first_bad(self->rows + k * width, width);
        }
        for (gsize k = 0; k < n; k++)
            if (bad[k] < width)
                return fail_not_finite(self, site, first + k, bad[k], error);
        glint_moments_add_f64(self->moments, self->rows, n, width);
    }
    return TRUE;
}
