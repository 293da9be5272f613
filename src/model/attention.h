/* Causal attention over packed sequences of different lengths, without padding and without [T, T] matrices.
 *
 * Keys and values live in blocks of GLI_BLOCK positions, keys transposed, so that both products of attention run along
 * memory: keys [block][kv head][D][GLI_BLOCK], values [block][kv head][GLI_BLOCK][padded D]. A forward pass without cache
 * uses one store for all layers in turn; a cache keeps one per layer. */
#pragma once
#include "model/arch.h"
#include "model/ops.h"

enum { GLI_BLOCK = 64, GLI_LANES = 16 };

/* Where a sequence's tokens lie: rows of the batch, and blocks of the store. */
typedef struct {
    gsize first_row, n_rows; /* new tokens */
    gsize past;              /* tokens already in the store */
    gsize first_block;
} GliSpan;

typedef struct {
    float *keys, *values;
} GliStore;

static inline gsize gli_padded_head(gsize head_size) { return (head_size + GLI_LANES - 1) / GLI_LANES * GLI_LANES; }
gsize gli_store_key_floats(const GliArch *arch, gsize n_blocks);
gsize gli_store_value_floats(const GliArch *arch, gsize n_blocks);
gsize gli_attention_scratch_floats(const GliArch *arch); /* per thread */

typedef struct {
    const GliArch *arch;
    const GliLayer *layer;
    const GliSpan *spans;
    gsize n_spans;
    GliStore store;
    const GliNorm *q_norm, *k_norm;     /* NULL = none */
    const float *cosine, *sine;         /* rotary tables of this layer's base, NULL = none */
    float *scratch;                     /* gli_attention_scratch_floats() per thread, 64-byte aligned */
    int threads;
} GliAttention;

/* Norms and turns q (in place) and k of qkv [N, (A + 2K) D], and writes keys and values into the store. */
void gli_attention_store(const GliAttention *self, float *qkv);
/* z [N, A D] = softmax(scale q k') v over everything each query may see. */
void gli_attention_run(const GliAttention *self, const float *qkv, float *z);
