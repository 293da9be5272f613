/* Names of sites, neurons and layer lists. See site.h. */
#include "model/site.h"
#include "base/error.h"
#include <string.h>

#define SUFFIXES(end)                                                                                                                     \
    "hook_resid_pre" end, "attn.hook_z" end, "hook_attn_out" end, "hook_resid_mid" end, "mlp.hook_pre" end, "mlp.hook_pre_linear" end,   \
    "mlp.hook_post" end, "hook_mlp_out" end, "hook_resid_post" end
#define OF_SAE ".sae"
static const char *const suffixes[GLINT_SITE_COUNT + 1] = {SUFFIXES("")}; /* NULL-terminated */
static const char *const sae_suffixes[GLINT_SITE_COUNT] = {SUFFIXES(OF_SAE)};

gboolean glint_site_is_sae(GlintSiteKind kind) { return (guint)kind >= GLINT_SITE_COUNT; }

const char *glint_site_suffix(GlintSiteKind kind)
{
    g_return_val_if_fail((guint)kind < 2 * GLINT_SITE_COUNT, "?");
    return glint_site_is_sae(kind) ? sae_suffixes[(guint)kind - GLINT_SITE_COUNT] : suffixes[kind];
}

char *glint_site_name(const GlintSite *site) { return g_strdup_printf("blocks.%zu.%s", site->layer, glint_site_suffix(site->kind)); }

/* Drops "hook_" wherever a path component starts with it: "mlp.hook_post" and "mlp.post" are the same site. */
static char *without_hook(const char *name)
{
    g_auto(GStrv) parts = g_strsplit(name, "hook_", -1);
    return g_strjoinv("", parts);
}

gboolean glint_site_parse(const char *text, GlintSiteKind *kind, gint64 *layer, GError **error)
{
    const char *rest = text;
    *layer = -1;
    if (g_str_has_prefix(text, "blocks.") && g_ascii_isdigit(text[7])) {
        char *end = NULL;
        const guint64 number = g_ascii_strtoull(text + 7, &end, 10);
        if (*end == '.' && number < G_MAXINT32) {
            *layer = (gint64)number;
            rest = end + 1;
        }
    }
    const gboolean sae = g_str_has_suffix(rest, OF_SAE);
    g_autofree char *base = g_strndup(rest, strlen(rest) - (sae ? strlen(OF_SAE) : 0)), *wanted = without_hook(base);
    for (int k = 0; k < GLINT_SITE_COUNT; k++) {
        g_autofree char *known = without_hook(suffixes[k]);
        const char *last = strrchr(known, '.'); /* "z" for "attn.z", but "post" alone would be ambiguous: only whole names */
        if (strcmp(known, wanted) == 0 || (last && k == GLINT_SITE_ATTN_Z && strcmp(last + 1, wanted) == 0)) {
            *kind = sae ? GLINT_SITE_SAE(k) : (GlintSiteKind)k;
            return TRUE;
        }
    }
    g_autofree char *list = g_strjoinv(", ", (char **)suffixes);
    return glint_fail(error, GLINT_ERROR_USAGE, "unknown site '%s' (sites: %s; also with blocks.LAYER. in front)", text, list);
}

char *glint_neuron_id(const GlintSite *site, gsize index, gsize head_size)
{
    if (site->kind == GLINT_SITE_ATTN_Z && head_size)
        return g_strdup_printf("L%zu.H%zu.%zu", site->layer, index / head_size, index % head_size);
    return g_strdup_printf("L%zu.%c%zu", site->layer, glint_site_is_sae(site->kind) ? 'S' : 'N', index);
}

/* One layer number, negative counting from the end; advances *text. */
static gboolean parse_layer(const char **text, gsize n_layers, gsize *layer)
{
    const gboolean from_end = **text == '-';
    const char *digits = *text + (from_end ? 1 : 0);
    if (!g_ascii_isdigit(*digits))
        return FALSE;
    char *end = NULL;
    const guint64 number = g_ascii_strtoull(digits, &end, 10);
    *text = end;
    if (from_end ? number < 1 || number > n_layers : number >= n_layers)
        return FALSE;
    *layer = from_end ? n_layers - (gsize)number : (gsize)number;
    return TRUE;
}

static gboolean parse_range(const char *part, gsize n_layers, gboolean *chosen)
{
    gsize first, last;
    if (strcmp(part, "all") == 0) {
        first = 0;
        last = n_layers - 1;
    } else {
        if (!parse_layer(&part, n_layers, &first))
            return FALSE;
        last = first;
        if (*part == '-') {
            part++;
            if (!parse_layer(&part, n_layers, &last))
                return FALSE;
        }
        if (*part || last < first)
            return FALSE;
    }
    for (gsize l = first; l <= last; l++)
        chosen[l] = TRUE;
    return TRUE;
}

GArray *glint_layers_parse(const char *text, gsize n_layers, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    g_autofree gboolean *chosen = g_new0(gboolean, n_layers);
    gboolean good = n_layers > 0 && parts[0];
    for (char **part = parts; good && *part; part++)
        good = parse_range(g_strstrip(*part), n_layers, chosen);
    if (!good) {
        glint_fail(error, GLINT_ERROR_USAGE, "layers '%s' do not fit a model of %zu layers (write all, 0,5-8 or -1; the first is 0, the last %zu)",
                   text, n_layers, n_layers ? n_layers - 1 : 0);
        return NULL;
    }
    GArray *layers = g_array_new(FALSE, FALSE, sizeof(gsize));
    for (gsize l = 0; l < n_layers; l++)
        if (chosen[l])
            g_array_append_val(layers, l);
    return layers;
}
