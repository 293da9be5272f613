/* The descriptor of a decoder-only transformer, and what a family has to supply.
 *
 * One generic block (forward.c) runs every family. What differs between families is data: which norm, which positions,
 * which projections carry a bias, what the tensors are called. A family is one file that fills a GliArch from
 * config.json, and one line in family_list.h. `research/architectures.md` is the specification the families follow.
 *
 *   n = norm(r; ATTN_NORM)                       q, k, v = n W + b;  q, k = norm per head if Q_NORM is named
 *   q, k = rope(q, k)                            s = softcap(scale q k'), causal, window;  z = softmax(s) v
 *   a = z W_o (+ norm ATTN_POST_NORM)            r = r + a            (parallel residual: the MLP reads the same r)
 *   m = norm(r; MLP_NORM)                        post = act(m W_gate) * (m W_up)       or act(m W_gate)
 *   d = post W_down (+ norm MLP_POST_NORM)       r = r + d */
#pragma once
#include "model/config.h"
#include <glib.h>

typedef enum { GLI_NORM_RMS, GLI_NORM_RMS_PLUS_ONE /* multiplies by 1 + w: Gemma */, GLI_NORM_LAYER } GliNormKind;
typedef enum { GLI_POSITION_ROPE, GLI_POSITION_LEARNED } GliPositionKind;
typedef enum { GLI_ACT_SILU, GLI_ACT_GELU_TANH, GLI_ACT_GELU_ERF, GLI_ACT_RELU } GliActivation;
typedef enum { GLI_MLP_GATED, GLI_MLP_PLAIN } GliMlpKind;
typedef enum { GLI_RESIDUAL_SEQUENTIAL, GLI_RESIDUAL_PARALLEL /* attention and MLP read the same residual: GPT-NeoX */ } GliResidualKind;
typedef enum {
    GLI_QKV_SEPARATE, /* three tensors */
    GLI_QKV_JOINED,   /* one tensor whose outputs are q | k | v: GPT-2 */
    GLI_QKV_PER_HEAD, /* one tensor, outputs [head][q, k, v][D]: GPT-NeoX */
} GliQkvKind;
typedef enum { GLI_BIAS_NONE, GLI_BIAS_REQUIRED, GLI_BIAS_IF_PRESENT /* in all layers or in none */ } GliBias;

/* Every tensor a block may have. A role is in use when the descriptor gives it a name. */
typedef enum {
    GLI_TOKENS, GLI_POSITIONS, GLI_FINAL_NORM, GLI_LM_HEAD, /* of the model */
    GLI_ATTN_NORM, GLI_Q, GLI_K, GLI_V, GLI_QKV, GLI_Q_NORM, GLI_K_NORM, GLI_ATTN_PROJ, GLI_ATTN_POST_NORM, /* of a layer */
    GLI_MLP_NORM, GLI_GATE /* of a plain MLP: its only input projection */, GLI_UP, GLI_DOWN, GLI_MLP_POST_NORM,
    GLI_ROLE_COUNT
} GliRole;
#define GLI_FIRST_LAYER_ROLE GLI_ATTN_NORM

typedef struct {
    gsize window; /* keys visible to a query, itself included; 0 = all before it */
    guint rope;   /* index into GliArch.rope */
    double scale; /* of the scores q.k */
} GliLayer;

typedef struct {
    const char *family;
    gsize n_layers, hidden, n_heads, n_kv_heads, head_size, mlp_width, vocab, max_tokens;
    GliNormKind norm;
    double norm_eps;
    GliPositionKind position;
    GliRope rope[2];
    GliQkvKind qkv;
    GliMlpKind mlp;
    GliActivation activation;
    GliResidualKind residual;
    double attn_softcap, final_softcap; /* c tanh(x / c); 0 = none */
    double embed_scale;                 /* of the token embeddings; bf16 compute rounds it to bf16, as transformers does */
    gboolean tied;                      /* the output matrix is the token embedding */
    gboolean in_out;                    /* linear weights are stored [in, out] (GPT-2's Conv1D), else [out, in] */
    GliLayer *layers;                   /* n_layers, owned */

    /* Tensor names: prefix + stem + ".weight", prefix + layer_stem + "3." + stem + ".weight". */
    const char *const *prefixes;        /* NULL-terminated; the one under which the embedding is found counts */
    const char *layer_stem;             /* "layers." */
    const char *name[GLI_ROLE_COUNT];   /* NULL = not in this family; GLI_LM_HEAD is a full stem, without prefix */
    GliBias bias[GLI_ROLE_COUNT];
    const char *const *ignore;          /* NULL-terminated glob patterns of tensors that carry no mathematics */
} GliArch;

typedef struct {
    const char *const *model_types; /* values of config.json's model_type, NULL-terminated */
    gboolean (*describe)(const GliConfig *config, GliArch *arch, GError **error); /* arch is zeroed before */
} GliFamily;

/* Picks the family by model_type, lets it fill `arch`, and checks that the numbers make a model. */
gboolean gli_arch_describe(const GliConfig *config, GliArch *arch, GError **error);
void gli_arch_clear(GliArch *arch);

/* Allocates arch->layers, all full attention with `scale` and rope[0]. Families adjust them afterwards. */
void gli_arch_make_layers(GliArch *arch, double scale);

/* Outputs and inputs of a linear role, or (vector length, 0) of a norm role, or (rows, columns) of an embedding. */
void gli_arch_shape(const GliArch *arch, GliRole role, gsize *out, gsize *in);
gboolean gli_role_is_linear(GliRole role);
static inline gsize gli_arch_qkv_width(const GliArch *arch) { return (arch->n_heads + 2 * arch->n_kv_heads) * arch->head_size; }
