/* GPT-Neo and the TinyStories models: GPT-2's block with linear layers stored [out, in], queries, keys and values apart and
 * without biases, scores that are not scaled, and local layers that see a window, in turn with global ones. */
#include "model/family.h"
#include "base/error.h"
#include "base/files.h"
#include <math.h>

static const char *const model_types[] = {"gpt_neo", NULL};
static const char *const prefixes[] = {"transformer.", "", NULL};
static const char *const ignore[] = {"*.attn.attention.bias", "*.attn.attention.masked_bias", NULL}; /* the causal mask, stored by old versions */

static void names(GliArch *arch)
{
    static const GliRole biased[] = {GLI_ATTN_PROJ, GLI_GATE, GLI_DOWN, GLI_ATTN_NORM, GLI_MLP_NORM, GLI_FINAL_NORM};
    arch->prefixes = prefixes;
    arch->ignore = ignore;
    arch->layer_stem = "h.";
    arch->name[GLI_TOKENS] = "wte";
    arch->name[GLI_POSITIONS] = "wpe";
    arch->name[GLI_FINAL_NORM] = "ln_f";
    arch->name[GLI_LM_HEAD] = "lm_head";
    arch->name[GLI_ATTN_NORM] = "ln_1";
    arch->name[GLI_Q] = "attn.attention.q_proj";
    arch->name[GLI_K] = "attn.attention.k_proj";
    arch->name[GLI_V] = "attn.attention.v_proj";
    arch->name[GLI_ATTN_PROJ] = "attn.attention.out_proj";
    arch->name[GLI_MLP_NORM] = "ln_2";
    arch->name[GLI_GATE] = "mlp.c_fc";
    arch->name[GLI_DOWN] = "mlp.c_proj";
    for (gsize i = 0; i < G_N_ELEMENTS(biased); i++)
        arch->bias[biased[i]] = GLI_BIAS_REQUIRED;
}

static void set_kind(const GliConfig *config, GliArch *arch, gsize layer, const json_t *kind, gsize window, GError **problem)
{
    const char *name = json_string_value(kind);
    if (!*problem && g_strcmp0(name, "global") != 0 && g_strcmp0(name, "local") != 0)
        glint_fail(problem, GLINT_ERROR_UNSUPPORTED, "%s: the attention of layer %zu is \"%s\" (glint knows global and local)", config->path, layer,
                   name ? name : "not a string");
    arch->layers[layer].window = g_strcmp0(name, "local") == 0 ? window : 0;
}

/* `attention_types`: [[["global", "local"], 12]], repeated as often as each number says. Returns how many layers it covers. */
static gsize expand(const GliConfig *config, GliArch *arch, const json_t *types, gsize window, GError **problem)
{
    gsize layer = 0;
    for (gsize i = 0; i < json_array_size(types) && !*problem; i++) {
        const json_t *kinds = json_array_get(json_array_get(types, i), 0), *times = json_array_get(json_array_get(types, i), 1);
        if (json_array_size(kinds) == 0 || !json_is_number(times) || json_number_value(times) != floor(json_number_value(times)))
            return 0;
        for (double t = 0; t < json_number_value(times) && layer <= arch->n_layers; t++)
            for (gsize k = 0; k < json_array_size(kinds); k++, layer++)
                if (layer < arch->n_layers)
                    set_kind(config, arch, layer, json_array_get(kinds, k), window, problem);
    }
    return layer;
}

/* `attention_layers` names every layer; files of transformers hold it beside attention_types, from which it is made. */
static void windows(const GliConfig *config, GliArch *arch, GError **problem)
{
    const gsize window = gli_config_size(config, "window_size", 256, problem);
    const json_t *layers = gli_config_value(config, "attention_layers"), *types = gli_config_value(config, "attention_types");
    g_autoptr(json_t) usual = json_pack("[[[s, s], i]]", "global", "local", 12);
    gsize covered = json_array_size(layers);
    for (gsize l = 0; l < arch->n_layers && l < covered; l++)
        set_kind(config, arch, l, json_array_get(layers, l), window, problem);
    if (!layers)
        covered = expand(config, arch, types ? types : usual, window, problem);
    if (!*problem && covered != arch->n_layers)
        glint_fail(problem, GLINT_ERROR_FORMAT, "%s: \"%s\" should say \"global\" or \"local\" for each of %zu layers", config->path,
                   layers ? "attention_layers" : "attention_types", arch->n_layers);
}

static gboolean describe(const GliConfig *config, GliArch *arch, GError **error)
{
    GError *problem = NULL;
    arch->family = "gpt_neo";
    arch->hidden = gli_config_size(config, "hidden_size", GLI_REQUIRED, &problem);
    arch->n_layers = gli_config_layers(config, "num_layers", GLI_REQUIRED, &problem);
    arch->n_heads = arch->n_kv_heads = gli_config_size(config, "num_heads", GLI_REQUIRED, &problem);
    arch->head_size = MAX(arch->hidden / arch->n_heads, 1);
    arch->mlp_width = gli_config_size(config, "intermediate_size", 4 * arch->hidden, &problem);
    arch->vocab = gli_config_size(config, "vocab_size", GLI_REQUIRED, &problem);
    arch->max_tokens = gli_config_size(config, "max_position_embeddings", GLI_REQUIRED, &problem);
    arch->norm = GLI_NORM_LAYER;
    arch->norm_eps = gli_config_real(config, "layer_norm_epsilon", 1e-5, &problem);
    arch->position = GLI_POSITION_LEARNED;
    arch->mlp = GLI_MLP_PLAIN;
    arch->activation = gli_config_activation(config, "activation_function", "gelu_new", &problem);
    arch->tied = gli_config_bool(config, "tie_word_embeddings", TRUE, &problem);
    names(arch);
    gli_arch_make_layers(arch, 1);
    windows(config, arch, &problem);
    return gli_describe_done(problem, error);
}

const GliFamily gli_family_gpt_neo = {model_types, describe};
