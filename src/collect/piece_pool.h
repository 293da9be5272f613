/* The mean over each text's tokens, from pieces of a site as the model computes them (GlintTap.piece): no activation goes through memory.
 *
 * A piece adds up its rows, in f64, for each text that they belong to; these sums are kept apart, by text and by block of GLINT_PIECE_ROWS
 * rows, and put together in the order of the rows. So the result does not depend on threads, nor on which columns come in which piece. */
#pragma once
#include "model/model.h"

typedef struct {
    gsize stride, prefix; /* columns of the widest site; leading tokens of every text that are left out */
    double *sums;         /* [parts][stride] */
    gsize n_sums;         /* there is room for */
} GlintPiecePool;

/* Room for a batch's sums of one site at a time, the widest of which has `stride` columns. FALSE when there is no memory. */
gboolean glint_piece_pool_begin(GlintPiecePool *self, const GlintBatch *batch, gsize stride, gsize prefix);
/* A piece; see GlintTap. */
void glint_piece_pool_add(GlintPiecePool *self, const GlintBatch *batch, gsize row, gsize n_rows, gsize column, gsize n_columns, const float *values);
/* Means of texts [first, first + n) of the batch to out [n, width], when all pieces are there. */
void glint_piece_pool_means(const GlintPiecePool *self, const GlintBatch *batch, gsize width, gsize first, gsize n, float *out);
void glint_piece_pool_clear(GlintPiecePool *self);
