/* A transformer read from a Hugging Face folder, run over packed batches, watched and edited through taps.
 *
 * Letters used throughout src/model: N tokens of the batch (all sequences one behind the other, no padding), H hidden
 * size, F MLP width (d_ff), A heads, K key/value heads, D head size, L layers, V vocabulary. Row-major [N, width].
 *
 * Promises: a sequence's results do not depend on what else is in the batch, beyond rounding; the bits of a batch's results
 * are the same at any number of threads (same machine, same compute type). f32 compute is f32 throughout. One model serves
 * one thread at a time; it uses `threads` OpenMP threads itself. */
#pragma once
#include "model/site.h"
#include <glib.h>

typedef enum { GLINT_DTYPE_AUTO, GLINT_DTYPE_F32, GLINT_DTYPE_BF16 } GlintComputeType;

typedef struct {
    GlintComputeType dtype; /* AUTO: bf16 for bf16 checkpoints on CPUs with bf16 instructions, else f32 */
    int threads;            /* 0 = as many as OpenMP would start (glint sets that, see base/cores.h) */
} GlintModelOptions;

typedef struct GlintModel GlintModel;
/* Reads, checks (every tensor present, of the right shape, finite; none left over) and packs the weights. */
GlintModel *glint_model_open(const char *folder, const GlintModelOptions *options, GError **error);
void glint_model_free(GlintModel *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintModel, glint_model_free)

typedef struct {
    const char *family;       /* "gemma3_text", "llama", "gpt2", "gpt_neox" */
    gsize n_layers, hidden, n_heads, n_kv_heads, head_size, mlp_width, vocab, max_tokens;
    gsize n_parameters;
    const char *weight_type;  /* dtype of the checkpoint: "BF16", ... */
    const char *compute_type; /* "f32" or "bf16" */
    const char *sha256;       /* over config.json and the weight files (sampled above 256 MB, see identity.c): for resuming */
} GlintModelInfo;
const GlintModelInfo *glint_model_info(const GlintModel *self);
const char *glint_model_layer_kind(const GlintModel *self, gsize layer); /* "full" or "sliding" */
/* 0 = the family has no such site: MLP_PRE_LINEAR without a gate, RESID_MID where attention and MLP are parallel. */
gsize glint_model_site_width(const GlintModel *self, GlintSiteKind kind);

/* Packed sequences: tokens of sequence s are tokens[start[s]] .. tokens[start[s+1]-1]. */
typedef struct {
    const guint32 *tokens; /* N */
    const gsize *start;    /* n_sequences + 1, start[0] = 0, start[n_sequences] = N */
    gsize n_sequences;
} GlintBatch;

/* A tap is called at its site with the whole batch's activations; it may read them, or change them in place (the change
 * is what the rest of the model sees). All sites deliver f32, whatever the compute type. Taps of one site run in order. */
typedef struct {
    GlintSite site;
    gboolean (*function)(const GlintSite *site, const GlintBatch *batch, float *rows /* [N, width] */, gsize width, gpointer user_data, GError **error);
    gpointer user_data;
    gboolean only_reads; /* it never changes the rows, which spares mlp.hook_post a pass over memory */
} GlintTap;

typedef enum { GLINT_LOGITS_NONE, GLINT_LOGITS_LAST /* of each sequence */, GLINT_LOGITS_ALL } GlintLogits;

/* Runs the batch. `logits` receives [n_sequences or N, V] f32 (may be NULL with NONE). With NONE, computation stops behind
 * the last tapped layer. Errors: token id outside the vocabulary, sequence longer than the model takes, a tap's own. */
gboolean glint_model_forward(GlintModel *self, const GlintBatch *batch, const GlintTap *taps, gsize n_taps, GlintLogits which, float *logits, GError **error);
