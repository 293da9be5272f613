/* Gemma 3 (text): norms that multiply by 1 + w, four of them a block, norms on queries and keys, five sliding layers to
 * one full one with rotary bases of their own, scaled embeddings, tied output. The multimodal wrapper's language model too. */
#include "model/family.h"
#include <math.h>

static const char *const model_types[] = {"gemma3_text", "gemma3", NULL};

/* transformers' Gemma3TextConfig; published configs leave keys out (the 4B one even its head count). */
static const GliDefaults defaults = {2304, 26, 8, 4, 256, 9216, 262208, 131072, "hidden_activation", "gelu_pytorch_tanh", TRUE, 0};

static const GliRopeKeys global = {.theta = "rope_theta", .default_theta = 1e6, .layer_type = "full_attention"};
static const GliRopeKeys local = {.theta = "rope_local_base_freq", .default_theta = 1e4, .layer_type = "sliding_attention", .unscaled = TRUE};

static const char *const refused[] = {"attn_logit_softcapping", NULL}, *const refused_in_wrapper[] = {"final_logit_softcapping", NULL};

static void layers(const GliConfig *config, GliArch *arch, GError **problem)
{
    const gsize window = gli_config_window(config, problem);
    const gsize saved = gli_config_size(config, "_sliding_window_pattern", 6, problem); /* as transformers 5 writes it */
    const gsize pattern = gli_config_size(config, "sliding_window_pattern", saved, problem);
    gli_arch_make_layers(arch, gli_config_query_scale(config, problem));
    for (gsize l = 0; l < arch->n_layers; l++)
        arch->layers[l].window = (l + 1) % pattern != 0 ? window : 0;
    gli_describe_layer_types(config, arch, window, problem);
    for (gsize l = 0; l < arch->n_layers; l++)
        arch->layers[l].rope = arch->layers[l].window ? 1 : 0;
}

static gboolean describe(const GliConfig *config, GliArch *arch, GError **error)
{
    GError *problem = NULL;
    arch->family = "gemma3_text";
    gli_describe_llama_like(config, &defaults, arch, &problem);
    arch->norm = GLI_NORM_RMS_PLUS_ONE;
    arch->name[GLI_Q_NORM] = "self_attn.q_norm";
    arch->name[GLI_K_NORM] = "self_attn.k_norm";
    arch->name[GLI_ATTN_POST_NORM] = "post_attention_layernorm"; /* of the attention's output, where Llama has the MLP's input norm */
    arch->name[GLI_MLP_NORM] = "pre_feedforward_layernorm";
    arch->name[GLI_MLP_POST_NORM] = "post_feedforward_layernorm";
    arch->embed_scale = sqrt((double)arch->hidden);
    arch->attn_softcap = gli_config_real(config, "attn_logit_softcapping", 0, &problem);
    if (!problem) /* implementations disagree on it: transformers ignores it here, Google's code applies it; no released model sets it */
        gli_config_refuse(config, refused, &problem);
    if (!problem && config->text != config->root) /* the same, between transformers' classes with and without vision */
        gli_config_refuse(config, refused_in_wrapper, &problem);
    arch->final_softcap = gli_config_real(config, "final_logit_softcapping", 0, &problem);
    layers(config, arch, &problem);
    if (!problem && gli_config_rope(config, &global, arch->head_size, &arch->rope[0], &problem))
        gli_config_rope(config, &local, arch->head_size, &arch->rope[1], &problem);
    return gli_describe_done(problem, error);
}

const GliFamily gli_family_gemma3 = {model_types, describe};
