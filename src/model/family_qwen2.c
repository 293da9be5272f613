/* Qwen 2 and 2.5: Llama with biases on queries, keys and values, and nowhere else. */
#include "model/family.h"

static const char *const model_types[] = {"qwen2", NULL};
static const GliDefaults defaults = {GLI_REQUIRED, GLI_REQUIRED, GLI_REQUIRED, 0, 0, GLI_REQUIRED, GLI_REQUIRED, 32768, "hidden_act", "silu", FALSE, 10000};

static gboolean describe(const GliConfig *config, GliArch *arch, GError **error)
{
    GError *problem = NULL;
    arch->family = "qwen2";
    gli_describe_llama_like(config, &defaults, arch, &problem);
    for (int role = 0; role < GLI_ROLE_COUNT; role++) /* the family's own rule; attention_bias and mlp_bias are not its keys */
        arch->bias[role] = GLI_BIAS_NONE;
    arch->bias[GLI_Q] = arch->bias[GLI_K] = arch->bias[GLI_V] = GLI_BIAS_REQUIRED;
    gli_describe_qwen_layers(config, arch, &problem);
    return gli_describe_done(problem, error);
}

const GliFamily gli_family_qwen2 = {model_types, describe};
