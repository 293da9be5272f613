/* A model's weights as the forward pass wants them: linears packed, norms as f32 vectors, embeddings left in the file. */
#pragma once
#include "model/checkpoint.h"
#include "model/dnn.h"
#include "model/ops.h"

typedef struct {
    GliLinear *qkv, *proj, *gate, *up /* NULL: plain MLP */, *down;
    GliNorm attn_norm, attn_post_norm, q_norm, k_norm, mlp_norm, mlp_post_norm; /* weight NULL = the family has none */
} GliLayerWeights;

typedef struct {
    const GliMatrixOps *ops;
    GliDevice *device;
    gboolean bf16;
    GliLayerWeights *layers;
    GliNorm final_norm;
    GliLinear *head;           /* packed when logits are first asked for */
    float *positions;          /* learned, [max_tokens, H], or NULL */
    const GlintTensor *tokens; /* [V, H] in the file */
    GPtrArray *vectors;        /* what the norms point to */
} GliWeights;

/* Every tensor is looked at (shape, then NaN) before this returns, the output matrix too. */
GliWeights *gli_weights_load(GliCheckpoint *checkpoint, GliArch *arch, gboolean bf16, int threads, GError **error);
gboolean gli_weights_need_head(GliWeights *self, GliCheckpoint *checkpoint, const GliArch *arch, GError **error);
void gli_weights_free(GliWeights *self, const GliArch *arch);
