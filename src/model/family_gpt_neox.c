/* GPT-NeoX and Pythia: LayerNorm, rotary positions on the first part of each head, queries, keys and values of a head side
 * by side in one projection, attention and MLP in parallel on the same residual, exact GELU, an output matrix of its own. */
#include "model/family.h"
#include <math.h>

static const char *const model_types[] = {"gpt_neox", NULL};
static const char *const prefixes[] = {"gpt_neox.", "", NULL};
static const char *const ignore[] = {"*.attention.bias", "*.attention.masked_bias", "*rotary_emb.inv_freq", NULL};

static const GliRopeKeys rope = {.theta = "rotary_emb_base", .default_theta = 10000, .part = 0.25};

static void names(GliArch *arch, gboolean attention_bias)
{
    static const GliRole biased[] = {GLI_GATE, GLI_DOWN, GLI_ATTN_NORM, GLI_MLP_NORM, GLI_FINAL_NORM};
    arch->prefixes = prefixes;
    arch->ignore = ignore;
    arch->layer_stem = "layers.";
    arch->name[GLI_TOKENS] = "embed_in";
    arch->name[GLI_FINAL_NORM] = "final_layer_norm";
    arch->name[GLI_LM_HEAD] = "embed_out";
    arch->name[GLI_ATTN_NORM] = "input_layernorm";
    arch->name[GLI_QKV] = "attention.query_key_value";
    arch->name[GLI_ATTN_PROJ] = "attention.dense";
    arch->name[GLI_MLP_NORM] = "post_attention_layernorm";
    arch->name[GLI_GATE] = "mlp.dense_h_to_4h";
    arch->name[GLI_DOWN] = "mlp.dense_4h_to_h";
    for (gsize i = 0; i < G_N_ELEMENTS(biased); i++)
        arch->bias[biased[i]] = GLI_BIAS_REQUIRED;
    arch->bias[GLI_QKV] = arch->bias[GLI_ATTN_PROJ] = attention_bias ? GLI_BIAS_REQUIRED : GLI_BIAS_NONE;
}

static gboolean describe(const GliConfig *config, GliArch *arch, GError **error)
{
    GError *problem = NULL;
    arch->family = "gpt_neox";
    arch->hidden = gli_config_size(config, "hidden_size", GLI_REQUIRED, &problem);
    arch->n_layers = gli_config_layers(config, "num_hidden_layers", GLI_REQUIRED, &problem);
    arch->n_heads = arch->n_kv_heads = gli_config_size(config, "num_attention_heads", GLI_REQUIRED, &problem);
    arch->head_size = MAX(arch->hidden / arch->n_heads, 1);
    arch->mlp_width = gli_config_size(config, "intermediate_size", GLI_REQUIRED, &problem);
    arch->vocab = gli_config_size(config, "vocab_size", GLI_REQUIRED, &problem);
    arch->max_tokens = gli_config_size(config, "max_position_embeddings", 2048, &problem);
    arch->norm = GLI_NORM_LAYER;
    arch->norm_eps = gli_config_real(config, "layer_norm_eps", 1e-5, &problem);
    arch->qkv = GLI_QKV_PER_HEAD;
    arch->mlp = GLI_MLP_PLAIN;
    arch->activation = gli_config_activation(config, "hidden_act", "gelu", &problem);
    arch->residual = gli_config_bool(config, "use_parallel_residual", TRUE, &problem) ? GLI_RESIDUAL_PARALLEL : GLI_RESIDUAL_SEQUENTIAL;
    arch->tied = gli_config_bool(config, "tie_word_embeddings", FALSE, &problem);
    arch->position = GLI_POSITION_ROPE;
    names(arch, gli_config_bool(config, "attention_bias", TRUE, &problem));
    gli_arch_make_layers(arch, 1 / sqrt((double)arch->head_size));
    gli_describe_no_windows(config, arch, &problem);
    if (!problem)
        gli_config_rope(config, &rope, arch->head_size, &arch->rope[0], &problem);
    return gli_describe_done(problem, error);
}

const GliFamily gli_family_gpt_neox = {model_types, describe};
