/* Gemma 1: Llama's block and tensor names, with norms that multiply by 1 + w, scaled embeddings, a GELU gate and tied output. */
#include "model/family.h"
#include <math.h>
#include <string.h>

static const char *const model_types[] = {"gemma", NULL};

/* transformers' GemmaConfig, which is the 7B model. */
static const GliDefaults defaults = {3072, 28, 16, 16, 256, 24576, 256000, 8192, "hidden_act", "gelu_pytorch_tanh", TRUE, 10000};

/* The first configs said "gelu" and meant the tanh form; later ones name it, as hidden_activation or hidden_act. */
static GliActivation activation(const GliConfig *config, GError **problem)
{
    if (gli_config_has(config, "hidden_activation"))
        return gli_config_activation(config, "hidden_activation", defaults.activation, problem);
    if (strcmp(gli_config_string(config, "hidden_act", defaults.activation, problem), "gelu") == 0)
        return GLI_ACT_GELU_TANH;
    return gli_config_activation(config, "hidden_act", defaults.activation, problem);
}

static gboolean describe(const GliConfig *config, GliArch *arch, GError **error)
{
    GError *problem = NULL;
    arch->family = "gemma";
    gli_describe_llama_like(config, &defaults, arch, &problem);
    arch->norm = GLI_NORM_RMS_PLUS_ONE;
    arch->activation = activation(config, &problem);
    arch->embed_scale = sqrt((double)arch->hidden);
    gli_arch_make_layers(arch, 1 / sqrt((double)arch->head_size));
    gli_describe_no_windows(config, arch, &problem);
    return gli_describe_done(problem, error);
}

const GliFamily gli_family_gemma = {model_types, describe};
