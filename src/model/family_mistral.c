/* Mistral: Llama with a sliding window on every layer, where the config gives one (7B v0.1 does, later ones say null). */
#include "model/family.h"
#include <math.h>

static const char *const model_types[] = {"mistral", NULL};
static const GliDefaults defaults = {GLI_REQUIRED, GLI_REQUIRED, GLI_REQUIRED, 8, 0, GLI_REQUIRED, GLI_REQUIRED, 131072, "hidden_act", "silu", FALSE, 10000};

/* Windows that differ by layer are another family's (ministral); transformers' Mistral has no biases whatever these say. */
static const char *const refused[] = {"layer_types", "attention_bias", "mlp_bias", NULL};

static gboolean describe(const GliConfig *config, GliArch *arch, GError **error)
{
    GError *problem = NULL;
    arch->family = "mistral";
    gli_describe_llama_like(config, &defaults, arch, &problem);
    if (!problem)
        gli_config_refuse(config, refused, &problem);
    const gsize window = gli_config_is_null(config, "sliding_window") ? 0 : gli_config_size(config, "sliding_window", 4096, &problem);
    gli_arch_make_layers(arch, 1 / sqrt((double)arch->head_size));
    for (gsize l = 0; l < arch->n_layers; l++)
        arch->layers[l].window = window;
    return gli_describe_done(problem, error);
}

const GliFamily gli_family_mistral = {model_types, describe};
