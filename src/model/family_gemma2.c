/* Gemma 2: norms that multiply by 1 + w, four of them a block, sliding and full layers in turn on one rotary base,
 * soft-caps on scores and logits, scaled embeddings, tied output. */
#include "model/family.h"
#include <math.h>

static const char *const model_types[] = {"gemma2", NULL};

/* transformers' Gemma2Config, which is the 2B model. */
static const GliDefaults defaults = {2304, 26, 8, 4, 256, 9216, 256000, 8192, "hidden_activation", "gelu_pytorch_tanh", TRUE, 10000};

/* Absent means the release's value, null means none. */
static double softcap(const GliConfig *config, const char *key, double release, GError **problem)
{
    return gli_config_is_null(config, key) ? 0 : gli_config_real(config, key, release, problem);
}

static void layers(const GliConfig *config, GliArch *arch, GError **problem)
{
    const gsize window = gli_config_window(config, problem);
    gli_arch_make_layers(arch, gli_config_query_scale(config, problem));
    for (gsize l = 0; l < arch->n_layers; l += 2)
        arch->layers[l].window = window;
    gli_describe_layer_types(config, arch, window, problem);
}

static gboolean describe(const GliConfig *config, GliArch *arch, GError **error)
{
    GError *problem = NULL;
    arch->family = "gemma2";
    gli_describe_llama_like(config, &defaults, arch, &problem);
    arch->norm = GLI_NORM_RMS_PLUS_ONE;
    arch->name[GLI_ATTN_POST_NORM] = "post_attention_layernorm"; /* of the attention's output, where Llama has the MLP's input norm */
    arch->name[GLI_MLP_NORM] = "pre_feedforward_layernorm";
    arch->name[GLI_MLP_POST_NORM] = "post_feedforward_layernorm";
    arch->embed_scale = sqrt((double)arch->hidden);
    arch->attn_softcap = softcap(config, "attn_logit_softcapping", 50, &problem);
    arch->final_softcap = softcap(config, "final_logit_softcapping", 30, &problem);
    layers(config, arch, &problem);
    return gli_describe_done(problem, error);
}

const GliFamily gli_family_gemma2 = {model_types, describe};
