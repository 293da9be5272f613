/* The model behind model.h, and the one function that runs it. */
#pragma once
#include "model/attention.h"
#include "model/checkpoint.h"
#include "model/model.h"
#include "model/weights.h"

/* A piece of memory that grows and is kept between runs. */
typedef struct { void *bytes; gsize size; } GliBuffer;
gboolean gli_buffer_reserve(GliBuffer *self, gsize bytes, GError **error); /* 64-byte aligned; the old content is lost */
void gli_buffer_clear(GliBuffer *self);

typedef struct { float *cosine, *sine; gsize length; } GliRopeTable;

struct GlintModel {
    GliArch arch;
    GliCheckpoint *checkpoint;
    GliWeights *weights;
    GlintModelInfo info;
    char *sha256;
    int threads;
    float embed_scale;
    GliRopeTable rope[2];
    GliBuffer residual, normed, qkv, z, attn, mlp, gate, up, input, neurons, keys, values, scratch; /* see forward.c */
};

/* What both an open model and a summary of one are asked. */
gboolean gli_choose_bf16(const GliCheckpoint *checkpoint, GlintComputeType wanted);
GlintModelInfo gli_model_info(const GliArch *arch, const GliCheckpoint *checkpoint, gboolean bf16); /* without sha256 */
gsize gli_site_width(const GliArch *arch, GlintSiteKind kind);

/* Keys and values of sequences already seen; see generate.h. */
struct GlintCache {
    const GlintModel *model;
    gsize n_sequences, blocks; /* per sequence */
    gsize *length;             /* n_sequences */
    GliStore *layers;          /* n_layers */
};

/* glint_model_forward() with a cache, or without (NULL). */
gboolean gli_forward(GlintModel *self, struct GlintCache *cache, const GlintBatch *batch, const GlintTap *taps, gsize n_taps, GlintLogits which,
                     float *logits, GError **error);
