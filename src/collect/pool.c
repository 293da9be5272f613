/* Pooling: from a batch's activations [tokens, width] to one f32 row per text.
 *
 * This reads every activation of a site once, which at the width of the neurons is as much as memory delivers. Columns are taken
 * in strips, wide ones (memory likes long runs) whose f64 sums still fit the second cache; four tokens at a time, fetching the next
 * four ahead, for the processor does not by itself go on from one row's piece to the next row's. Strips of all texts are shared out
 * among the threads. Sums are in token order: a row does not depend on threads or strips. What is not finite in any token of a mean or
 * maximum is not finite in the row. */
#include "base/error.h"
#include "base/simd.h"
#include "collect/collect_private.h"
#include <math.h>
#include <string.h>

enum { PARALLEL_FROM = 1 << 19, STRIP = 4096, LINE = 16 /* floats of a cache line */ };

static const char *const names[] = {"mean", "last", "max", "tokens", "first", "punct"};

const char *glint_pool_name(GlintPool pool) { return (gsize)pool < G_N_ELEMENTS(names) ? names[pool] : "?"; }

gboolean glint_pool_parse(const char *text, GlintPool *pool, GError **error)
{
    for (gsize k = 0; k < G_N_ELEMENTS(names); k++) {
        if (g_ascii_strcasecmp(text, names[k]) == 0) {
            *pool = (GlintPool)k;
            return TRUE;
        }
    }
    return glint_fail(error, GLINT_ERROR_USAGE, "--pool %s: there is no such pooling; choose mean, last, max, tokens, first or punct", text);
}

/* Columns [0, width) of the mean of n rows; width is at most STRIP. */
GLINT_CLONES
static void mean_strip(const float *restrict rows, gsize n, gsize stride, gsize width, float *restrict out)
{
    double sum[STRIP];
    gsize t = 0;
    for (gsize j = 0; j < width; j++)
        sum[j] = 0;
    for (; t + 4 <= n; t += 4) {
        const float *a = rows + t * stride, *b = a + stride, *c = b + stride, *d = c + stride;
        for (gsize first = 0; first < width; first += LINE) {
            const gsize end = MIN(first + LINE, width);
            for (gsize ahead = 4; ahead < 8 && t + ahead < n; ahead++)
                __builtin_prefetch(a + ahead * stride + first);
            for (gsize j = first; j < end; j++)
                sum[j] = (((sum[j] + (double)a[j]) + (double)b[j]) + (double)c[j]) + (double)d[j];
        }
    }
    for (; t < n; t++)
        for (gsize j = 0; j < width; j++)
            sum[j] += (double)rows[t * stride + j];
    for (gsize j = 0; j < width; j++)
        out[j] = (float)(sum[j] / (double)n);
}

GLINT_CLONES
static void max_strip(const float *restrict rows, gsize n, gsize stride, gsize width, float *restrict out)
{
    for (gsize j = 0; j < width; j++)
        out[j] = rows[j];
    for (gsize t = 1; t < n; t++)
        for (gsize j = 0; j < width; j++) {
            float x = rows[t * stride + j];
            out[j] = x > out[j] || x != x ? x : out[j]; /* NaN stays: the check behind must see it */
        }
}

/* Columns [0, width) of the mean of those rows whose token is punctuation: at least one. */
static void punctuation_strip(const float *rows, const guint32 *tokens, const guint8 *punctuation, gsize n, gsize stride, gsize width, float *out)
{
    double sum[STRIP] = {0};
    gsize taken = 0;
    for (gsize t = 0; t < n; t++) {
        if (!punctuation[tokens[t]])
            continue;
        for (gsize j = 0; j < width; j++)
            sum[j] += (double)rows[t * stride + j];
        taken++;
    }
    for (gsize j = 0; j < width; j++)
        out[j] = (float)(sum[j] / (double)taken);
}

/* One text's strip of columns from its tokens' rows. */
static void pool_strip(GlintPool pool, gsize prefix, const float *rows, const guint32 *tokens, const guint8 *punctuation, gsize n, gsize stride, gsize width, float *out)
{
    switch (pool) {
    case GLINT_POOL_MEAN:
        mean_strip(rows + prefix * stride, n - prefix, stride, width, out);
        break;
    case GLINT_POOL_MAX:
        max_strip(rows + prefix * stride, n - prefix, stride, width, out);
        break;
    case GLINT_POOL_PUNCT:
        punctuation_strip(rows + prefix * stride, tokens + prefix, punctuation, n - prefix, stride, width, out);
        break;
    case GLINT_POOL_LAST:
        memcpy(out, rows + (n - 1) * stride, width * sizeof *out);
        break;
    case GLINT_POOL_FIRST:
    case GLINT_POOL_TOKENS: /* not pooled: the caller's */
        memcpy(out, rows, width * sizeof *out);
        break;
    }
}

gsize glint_first_bad(const float *rows, gsize n, gsize width)
{
    for (gsize k = 0; k < n * width; k++)
        if (!isfinite(rows[k]))
            return k % width;
    return width;
}

void glint_pool_rows(GlintPool pool, gsize prefix, const guint8 *punctuation, const GlintBatch *batch, const float *rows, gsize width, gsize first, gsize n, float *out, gsize *bad)
{
    const gsize strips = (width + STRIP - 1) / STRIP, strip = ((width + strips - 1) / strips + LINE - 1) / LINE * LINE;
    const gsize work = (batch->start[first + n] - batch->start[first]) * width; /* little work is not worth waking threads for */
#pragma omp parallel if (work > PARALLEL_FROM)
    {
#pragma omp for schedule(dynamic) collapse(2)
        for (gsize k = 0; k < n; k++)
            for (gsize s = 0; s < strips; s++) {
                gsize start = batch->start[first + k], length = batch->start[first + k + 1] - start, column = s * strip;
                pool_strip(pool, prefix, rows + start * width + column, batch->tokens + start, punctuation, length, width, MIN(strip, width - column), out + k * width + column);
            }
#pragma omp for schedule(static)
        for (gsize k = 0; k < n; k++)
            bad[k] = glint_first_bad(out + k * width, 1, width);
    }
}
