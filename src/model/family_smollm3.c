/* SmolLM 3: Llama whose every fourth layer has no positions at all (NoPE), tied output. */
#include "model/family.h"
#include "base/error.h"
#include <math.h>

static const char *const model_types[] = {"smollm3", NULL};

/* transformers' SmolLM3Config, which is the 3B model. */
static const GliDefaults defaults = {2048, 36, 16, 4, 0, 11008, 128256, 32768, "hidden_act", "silu", TRUE, 2e6};

/* `no_rope_layers` holds 1 for layers that turn, and 0 for those that do not. arch->rope[1], which turns nothing, is for the latter. */
static void positions(const GliConfig *config, GliArch *arch, GError **problem)
{
    const gsize interval = gli_config_size(config, "no_rope_layer_interval", 4, problem);
    const json_t *list = gli_config_value(config, "no_rope_layers");
    if (!*problem && list && (!json_is_array(list) || json_array_size(list) < arch->n_layers))
        glint_fail(problem, GLINT_ERROR_FORMAT, "%s: \"no_rope_layers\" should be a list of %zu numbers", config->path, arch->n_layers);
    for (gsize l = 0; l < arch->n_layers && !*problem; l++) {
        const json_t *entry = json_array_get(list, l);
        const double turns = list ? (json_is_number(entry) ? json_number_value(entry) : -1) : (l + 1) % interval != 0;
        if (turns != 0 && turns != 1)
            glint_fail(problem, GLINT_ERROR_FORMAT, "%s: no_rope_layers[%zu] should be 0 or 1", config->path, l);
        arch->layers[l].rope = turns == 1 ? 0 : 1;
    }
}

/* A window, where the config uses one, is for the layers without positions, unless layer_types says otherwise. */
static void windows(const GliConfig *config, GliArch *arch, GError **problem)
{
    const gboolean slides = gli_config_bool(config, "use_sliding_window", FALSE, problem) && gli_config_has(config, "sliding_window");
    const gsize window = slides ? gli_config_size(config, "sliding_window", GLI_REQUIRED, problem) : 0;
    for (gsize l = 0; l < arch->n_layers; l++)
        arch->layers[l].window = arch->layers[l].rope == 1 ? window : 0;
    if (slides)
        gli_describe_layer_types(config, arch, window, problem);
    else
        gli_describe_no_windows(config, arch, problem);
}

static gboolean describe(const GliConfig *config, GliArch *arch, GError **error)
{
    GError *problem = NULL;
    arch->family = "smollm3";
    gli_describe_llama_like(config, &defaults, arch, &problem);
    gli_arch_make_layers(arch, 1 / sqrt((double)arch->head_size));
    positions(config, arch, &problem);
    windows(config, arch, &problem);
    return gli_describe_done(problem, error);
}

const GliFamily gli_family_smollm3 = {model_types, describe};
