/* Which family a model belongs to, and the checks every descriptor must pass. See arch.h. */
#include "model/arch.h"
#include "base/error.h"
#include <string.h>

#define FAMILY(name) extern const GliFamily gli_family_##name;
#include "model/family_list.h"
#undef FAMILY
#define FAMILY(name) &gli_family_##name,
static const GliFamily *const families[] = {
#include "model/family_list.h"
};
#undef FAMILY

/* Mathematics that no family here computes, whatever the model. */
static const char *const refused[] = {"quantization_config", "compression_config", "num_experts", "num_local_experts", "n_routed_experts",
                                      "num_experts_per_tok", "moe_num_experts", "enable_moe_block", "use_bidirectional_attention", "is_encoder_decoder",
                                      "add_cross_attention", "alibi", "use_alibi", "clip_qkv", "use_qk_norm", "qk_layernorm", "use_mrope",
                                      "attention_chunk_size", "pruned_heads", NULL};

/* Ends of names in `architectures` that are language models; the bare model too, for many have a tied output. */
static const char *const language_models[] = {"ForCausalLM", "LMHeadModel", "ForConditionalGeneration", "Model"};

static const GliFamily *find_family(const char *model_type)
{
    for (gsize i = 0; i < G_N_ELEMENTS(families); i++)
        if (g_strv_contains(families[i]->model_types, model_type))
            return families[i];
    return NULL;
}

static char *known_types(void)
{
    GString *list = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(families); i++)
        for (const char *const *type = families[i]->model_types; *type; type++)
            g_string_append_printf(list, "%s%s", list->len ? ", " : "", *type);
    return g_string_free(list, FALSE);
}

void gli_arch_make_layers(GliArch *arch, double scale)
{
    arch->layers = g_new0(GliLayer, arch->n_layers);
    for (gsize l = 0; l < arch->n_layers; l++)
        arch->layers[l].scale = scale;
}

void gli_arch_clear(GliArch *arch) { g_clear_pointer(&arch->layers, g_free); }

static gboolean check(const GliConfig *config, const GliArch *arch, GError **error)
{
    if (arch->hidden > 1u << 20 || arch->mlp_width > 1u << 22 || arch->n_heads > 1u << 16 || arch->head_size > 1u << 14)
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s: %zu layers of width %zu (MLP %zu, %zu heads of %zu) is no model glint can run",
                          config->path, arch->n_layers, arch->hidden, arch->mlp_width, arch->n_heads, arch->head_size);
    if (arch->n_heads % arch->n_kv_heads)
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s: %zu attention heads cannot share %zu key/value heads evenly", config->path,
                          arch->n_heads, arch->n_kv_heads);
    if (!(arch->norm_eps >= 0 && arch->norm_eps < 1))
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s: the norm's epsilon %g is not in [0, 1)", config->path, arch->norm_eps);
    if (!(arch->attn_softcap >= 0 && arch->final_softcap >= 0))
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s: soft-caps must not be negative", config->path);
    return TRUE;
}

/* A model with another head (a classifier) or with code of its own is not the one its model_type names. */
static gboolean check_class(const GliConfig *config, GError **error)
{
    const json_t *classes = gli_config_value(config, "architectures"), *code = gli_config_value(config, "auto_map");
    const char *name = json_string_value(json_array_get(classes, 0));
    gboolean known = !name;
    for (gsize i = 0; i < G_N_ELEMENTS(language_models) && !known; i++)
        known = g_str_has_suffix(name, language_models[i]) && !strstr(name, "DoubleHeads");
    if (!known)
        return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "%s: \"architectures\" is %s, which is no language model (glint runs ...ForCausalLM)",
                          config->path, name);
    if (json_object_get(code, "AutoModelForCausalLM") || json_object_get(code, "AutoModel"))
        return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "%s: \"auto_map\" says that the model brings its own program, which may compute "
                          "something else than a %s model does", config->path, config->model_type);
    if (json_is_false(gli_config_value(config, "is_causal")))
        return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "%s: \"is_causal\" is false; glint runs causal models", config->path);
    return TRUE;
}

/* Only a wrapper has a `text_config`, and what is in it must be of the wrapper's family. */
static gboolean check_text(const GliConfig *config, const GliFamily *family, GError **error)
{
    const char *inner = json_string_value(json_object_get(config->text, "model_type"));
    if (config->text == config->root || !inner || g_strv_contains(family->model_types, inner))
        return TRUE;
    return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "%s: the model_type of \"text_config\" is \"%s\", which does not go with \"%s\"", config->path,
                      inner, config->model_type);
}

gboolean gli_arch_describe(const GliConfig *config, GliArch *arch, GError **error)
{
    memset(arch, 0, sizeof *arch);
    const GliFamily *family = find_family(config->model_type);
    if (!family) {
        g_autofree char *known = known_types();
        return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "%s: model_type \"%s\" is not supported (glint knows %s)", config->path,
                          config->model_type, known);
    }
    arch->embed_scale = 1;
    if (check_class(config, error) && check_text(config, family, error) && gli_config_refuse(config, refused, error) &&
        family->describe(config, arch, error) && check(config, arch, error))
        return TRUE;
    gli_arch_clear(arch);
    return FALSE;
}

gboolean gli_role_is_linear(GliRole role)
{
    return (role >= GLI_Q && role <= GLI_QKV) || role == GLI_ATTN_PROJ || role == GLI_GATE || role == GLI_UP || role == GLI_DOWN || role == GLI_LM_HEAD;
}

void gli_arch_shape(const GliArch *arch, GliRole role, gsize *out, gsize *in)
{
    const gsize q = arch->n_heads * arch->head_size, kv = arch->n_kv_heads * arch->head_size;
    *in = 0;
    switch (role) {
    case GLI_TOKENS: case GLI_LM_HEAD: *out = arch->vocab; *in = arch->hidden; return;
    case GLI_POSITIONS: *out = arch->max_tokens; *in = arch->hidden; return;
    case GLI_Q: *out = q; *in = arch->hidden; return;
    case GLI_K: case GLI_V: *out = kv; *in = arch->hidden; return;
    case GLI_QKV: *out = q + 2 * kv; *in = arch->hidden; return;
    case GLI_ATTN_PROJ: *out = arch->hidden; *in = q; return;
    case GLI_GATE: case GLI_UP: *out = arch->mlp_width; *in = arch->hidden; return;
    case GLI_DOWN: *out = arch->hidden; *in = arch->mlp_width; return;
    case GLI_Q_NORM: case GLI_K_NORM: *out = arch->head_size; return;
    case GLI_FINAL_NORM: case GLI_ATTN_NORM: case GLI_ATTN_POST_NORM: case GLI_MLP_NORM: case GLI_MLP_POST_NORM: *out = arch->hidden; return;
    case GLI_ROLE_COUNT: break;
    }
    g_assert_not_reached();
}
