/* Fuzz target: bytes as a config.json. Either an error with a message, or a descriptor that adds up: sizes within the bounds
 * that arch.c promises, windows and rotary widths that fit, a name for every tensor that every model has, shapes that are not empty. */
#include "model/arch.h"

#include "base/error.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_rope(const GliRope *rope, gsize head_size)
{
    g_assert_true(rope->rotary <= head_size && rope->rotary % 2 == 0 && isfinite(rope->theta));
    g_assert_true(rope->rotary == 0 || rope->theta > 0);
    g_assert_true(rope->kind == GLI_ROPE_PLAIN || rope->factor > 0);
}

static void check_arch(const GliArch *arch)
{
    g_assert_true(arch->family && arch->n_layers > 0 && arch->n_layers <= 10000 && arch->hidden > 0 && arch->hidden <= 1u << 20);
    g_assert_true(arch->n_kv_heads > 0 && arch->n_heads % arch->n_kv_heads == 0 && arch->mlp_width <= 1u << 22 && arch->vocab > 0 && arch->max_tokens > 0);
    for (gsize l = 0; l < arch->n_layers; l++) {
        g_assert_true(arch->layers[l].rope < 2 && isfinite(arch->layers[l].scale) && arch->layers[l].scale > 0);
        g_assert_true(arch->layers[l].window <= 1u << 28);
    }
    for (int r = 0; r < 2; r++)
        check_rope(&arch->rope[r], arch->head_size);
    g_assert_true(arch->name[GLI_TOKENS] && arch->name[GLI_FINAL_NORM] && arch->name[GLI_GATE] && arch->prefixes && arch->ignore && arch->layer_stem);
    for (int role = 0; role < GLI_ROLE_COUNT; role++) {
        gsize out, in;
        gli_arch_shape(arch, (GliRole)role, &out, &in);
        g_assert_true(out > 0 && out < (gsize)1 << 40 && in < (gsize)1 << 40);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GliConfig) config = gli_config_parse((const char *)data, size, "config.json", &error);
    GliArch arch = {0};
    const gboolean good = config && gli_arch_describe(config, &arch, &error);
    g_assert_true(good == (error == NULL));
    if (good)
        check_arch(&arch);
    else
        g_assert_true(error->domain == GLINT_ERROR && g_utf8_validate(error->message, -1, NULL) && strstr(error->message, "config.json"));
    gli_arch_clear(&arch);
    return 0;
}
