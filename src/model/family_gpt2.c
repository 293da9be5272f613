/* GPT-2: LayerNorm, learned positions, one joined q|k|v projection, plain GELU MLP. Linear weights lie [in, out] (Conv1D). */
#include "model/family.h"
#include <math.h>

static const char *const model_types[] = {"gpt2", NULL};
static const char *const prefixes[] = {"transformer.", "", NULL};
static const char *const ignore[] = {"*.attn.bias", "*.attn.masked_bias", NULL}; /* the causal mask, stored as tensors by old versions */

static void names(GliArch *arch)
{
    static const GliRole biased[] = {GLI_QKV, GLI_ATTN_PROJ, GLI_GATE, GLI_DOWN, GLI_ATTN_NORM, GLI_MLP_NORM, GLI_FINAL_NORM};
    arch->prefixes = prefixes;
    arch->ignore = ignore;
    arch->layer_stem = "h.";
    arch->name[GLI_TOKENS] = "wte";
    arch->name[GLI_POSITIONS] = "wpe";
    arch->name[GLI_FINAL_NORM] = "ln_f";
    arch->name[GLI_LM_HEAD] = "lm_head";
    arch->name[GLI_ATTN_NORM] = "ln_1";
    arch->name[GLI_QKV] = "attn.c_attn";
    arch->name[GLI_ATTN_PROJ] = "attn.c_proj";
    arch->name[GLI_MLP_NORM] = "ln_2";
    arch->name[GLI_GATE] = "mlp.c_fc";
    arch->name[GLI_DOWN] = "mlp.c_proj";
    for (gsize i = 0; i < G_N_ELEMENTS(biased); i++)
        arch->bias[biased[i]] = GLI_BIAS_IF_PRESENT; /* minGPT's and nanoGPT's descendants leave some out */
}

static gboolean describe(const GliConfig *config, GliArch *arch, GError **error)
{
    GError *problem = NULL;
    arch->family = "gpt2";
    arch->hidden = gli_config_size(config, "n_embd", GLI_REQUIRED, &problem);
    arch->n_layers = gli_config_layers(config, "n_layer", GLI_REQUIRED, &problem);
    arch->n_heads = arch->n_kv_heads = gli_config_size(config, "n_head", GLI_REQUIRED, &problem);
    arch->head_size = MAX(arch->hidden / arch->n_heads, 1);
    arch->mlp_width = gli_config_size(config, "n_inner", 4 * arch->hidden, &problem);
    arch->vocab = gli_config_size(config, "vocab_size", GLI_REQUIRED, &problem);
    arch->max_tokens = gli_config_size(config, "n_positions", GLI_REQUIRED, &problem);
    arch->norm = GLI_NORM_LAYER;
    arch->norm_eps = gli_config_real(config, "layer_norm_epsilon", 1e-5, &problem);
    arch->position = GLI_POSITION_LEARNED;
    arch->qkv = GLI_QKV_JOINED;
    arch->mlp = GLI_MLP_PLAIN;
    arch->activation = gli_config_activation(config, "activation_function", "gelu_new", &problem);
    arch->tied = gli_config_bool(config, "tie_word_embeddings", TRUE, &problem);
    arch->in_out = TRUE;
    names(arch);
    const gboolean scaled = gli_config_bool(config, "scale_attn_weights", TRUE, &problem);
    const gboolean by_layer = gli_config_bool(config, "scale_attn_by_inverse_layer_idx", FALSE, &problem);
    gli_arch_make_layers(arch, scaled ? 1 / sqrt((double)arch->head_size) : 1);
    for (gsize l = 0; by_layer && l < arch->n_layers; l++)
        arch->layers[l].scale /= (double)(l + 1);
    return gli_describe_done(problem, error);
}

const GliFamily gli_family_gpt2 = {model_types, describe};
