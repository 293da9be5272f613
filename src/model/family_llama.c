/* Llama 2 and 3: RMSNorm, rotary positions (plain, linear, llama3), grouped-query attention, SiLU-gated MLP. */
#include "model/family.h"
#include <math.h>

static const char *const model_types[] = {"llama", NULL};
static const GliDefaults defaults = {GLI_REQUIRED, GLI_REQUIRED, GLI_REQUIRED, 0, 0, GLI_REQUIRED, GLI_REQUIRED, 2048, "hidden_act", "silu", FALSE, 10000};

static gboolean describe(const GliConfig *config, GliArch *arch, GError **error)
{
    GError *problem = NULL;
    arch->family = "llama";
    gli_describe_llama_like(config, &defaults, arch, &problem);
    gli_arch_make_layers(arch, 1 / sqrt((double)arch->head_size));
    gli_describe_no_windows(config, arch, &problem);
    return gli_describe_done(problem, error);
}

const GliFamily gli_family_llama = {model_types, describe};
