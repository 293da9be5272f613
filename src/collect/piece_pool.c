/* See piece_pool.h. */
#include "collect/piece_pool.h"
#include "base/simd.h"

#include <string.h>

/* Where the sums of text s in the block of `row` are: both only grow along the rows, and one of them does at every new part. */
static gsize part_of(gsize s, gsize row) { return s + row / GLINT_PIECE_ROWS; }

gboolean glint_piece_pool_begin(GlintPiecePool *self, const GlintBatch *batch, gsize stride, gsize prefix)
{
    const gsize parts = part_of(batch->n_sequences, batch->start[batch->n_sequences]) + 1;
    self->stride = stride;
    self->prefix = prefix;
    if (parts * stride <= self->n_sums)
        return TRUE;
    g_free(self->sums);
    self->sums = g_try_new(double, parts * stride);
    self->n_sums = self->sums ? parts * stride : 0;
    return self->sums != NULL;
}

void glint_piece_pool_clear(GlintPiecePool *self)
{
    g_clear_pointer(&self->sums, g_free);
    self->n_sums = 0;
}

/* out = the sum of n rows; four rows at a time, for each sum is then read and written once for four. */
GLINT_CLONES static void sum_rows(const float *restrict rows, gsize n, gsize width, double *restrict out)
{
    gsize t = 0;
    for (gsize j = 0; j < width; j++)
        out[j] = 0;
    for (; t + 4 <= n; t += 4) {
        const float *a = rows + t * width, *b = a + width, *c = b + width, *d = c + width;
        for (gsize j = 0; j < width; j++)
            out[j] = (((out[j] + (double)a[j]) + (double)b[j]) + (double)c[j]) + (double)d[j];
    }
    for (; t < n; t++)
        for (gsize j = 0; j < width; j++)
            out[j] += (double)rows[t * width + j];
}

/* The text that a row belongs to: the last that starts at or before it. */
static gsize text_of(const GlintBatch *batch, gsize row)
{
    gsize low = 0, high = batch->n_sequences;
    while (high - low > 1) {
        const gsize middle = low + (high - low) / 2;
        if (batch->start[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

void glint_piece_pool_add(GlintPiecePool *self, const GlintBatch *batch, gsize row, gsize n_rows, gsize column, gsize n_columns, const float *values)
{
    const gsize end = row + n_rows;
    for (gsize from = row, s = text_of(batch, row), to; from < end; from = to, s++) {
        const gsize body = batch->start[s] + self->prefix;
        to = MIN(batch->start[s + 1], end);
        const gsize first = CLAMP(body, from, to);
        sum_rows(values + (first - row) * n_columns, to - first, n_columns, self->sums + part_of(s, from) * self->stride + column);
    }
}

void glint_piece_pool_means(const GlintPiecePool *self, const GlintBatch *batch, gsize width, gsize first, gsize n, float *out)
{
#pragma omp parallel for schedule(static) if (n * width > 100000)
    for (gsize k = 0; k < n; k++) {
        const gsize s = first + k, from = batch->start[s], to = batch->start[s + 1], head = part_of(s, from), last = part_of(s, to - 1);
        const double count = (double)(to - from - self->prefix);
        for (gsize j = 0; j < width; j++) {
            double sum = self->sums[head * self->stride + j];
            for (gsize part = head + 1; part <= last; part++)
                sum += self->sums[part * self->stride + j];
            out[k * width + j] = (float)(sum / count);
        }
    }
}
