/* Qwen 3 (dense): Llama with norms on queries and keys before they turn; the head's width stands apart from the model's. */
#include "model/family.h"

static const char *const model_types[] = {"qwen3", NULL};
static const GliDefaults defaults = {GLI_REQUIRED, GLI_REQUIRED, GLI_REQUIRED, 0, 128, GLI_REQUIRED, GLI_REQUIRED, 32768, "hidden_act", "silu", FALSE, 10000};

static gboolean describe(const GliConfig *config, GliArch *arch, GError **error)
{
    GError *problem = NULL;
    arch->family = "qwen3";
    gli_describe_llama_like(config, &defaults, arch, &problem);
    arch->name[GLI_Q_NORM] = "self_attn.q_norm";
    arch->name[GLI_K_NORM] = "self_attn.k_norm";
    gli_describe_qwen_layers(config, arch, &problem);
    return gli_describe_done(problem, error);
}

const GliFamily gli_family_qwen3 = {model_types, describe};
