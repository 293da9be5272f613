/* What a model folder holds and what running it would take, from config.json and the headers of the weight files alone: no
 * weight is read, so a model of any size is described at once. Every tensor is looked for and its shape checked. */
#pragma once
#include "model/model.h"

typedef struct {
    gsize window;             /* keys a token sees, itself included; 0 = all before it */
    double rope_base;         /* 0: this layer has no rotary positions */
    gsize rope_width;         /* dimensions of a head that turn */
    const char *rope_scaling; /* "none", "linear", "llama3" */
    double rope_factor;       /* of the scaling; 1 without */
} GlintLayerSummary;

typedef struct {
    GlintModelInfo info;       /* compute_type: what --dtype auto chooses on this machine, or what was asked for; sha256 NULL */
    GlintLayerSummary *layers; /* n_layers */
    gboolean tied;             /* the output matrix is the embedding */
    gboolean learned_positions;
    gsize n_files, file_bytes;
    gsize site_width[GLINT_SITE_COUNT]; /* 0 = the family has no such site */
    gsize embedding_bytes;     /* stays in the mapped file */
    gsize packed_bytes[2];     /* what the layers take in memory once packed: f32, bf16 */
    gsize head_bytes[2];       /* and the output matrix, packed when logits are first asked for */
    gsize batch_bytes[2];      /* working memory of a batch of GLINT_SUMMARY_TOKENS tokens in sequences of GLINT_SUMMARY_LENGTH */
} GlintModelSummary;

enum { GLINT_SUMMARY_TOKENS = 4096, GLINT_SUMMARY_LENGTH = 512 };

gboolean glint_model_summarize(const char *folder, const GlintModelOptions *options, GlintModelSummary *self, GError **error);
void glint_model_summary_clear(GlintModelSummary *self);

/* What multiplies matrices on this machine. */
typedef struct {
    char *version;            /* of oneDNN, as loaded */
    const char *instructions; /* the best set it uses here: "AVX-512 with AMX" */
    char *kernel_f32, *kernel_bf16; /* oneDNN's own names of the kernels it chose; kernel_bf16 NULL where it has none */
    gboolean fast_bf16;       /* --dtype auto takes bf16 for bf16 checkpoints */
} GlintEngine;
void glint_engine_describe(GlintEngine *self);
void glint_engine_clear(GlintEngine *self);
