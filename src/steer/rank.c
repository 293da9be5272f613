/* See rank.h. */
#include "steer/rank.h"
#include "base/error.h"

#include <math.h>

static int best_first(const void *a, const void *b)
{
    const GlintRankedModule *x = a, *y = b;
    if (x->separation != y->separation)
        return x->separation > y->separation ? -1 : 1;
    return x->module - y->module;
}

GArray *glint_steer_rank(const GlintSteerLayer *layer, gsize least, GError **error)
{
    GArray *ranked = g_array_new(FALSE, FALSE, sizeof(GlintRankedModule));
    for (gsize module = 0; module < layer->graph->n_modules; module++) {
        g_autoptr(GArray) rows = glint_steer_module(layer, (int)module);
        if (rows->len < least)
            continue;
        GlintRankedModule next = {.module = (int)module, .n = rows->len, .separation = glint_steer_separation(layer, (const gsize *)(void *)rows->data, rows->len)};
        for (guint k = 0; k < rows->len; k++)
            next.effect += fabs(layer->effect[g_array_index(rows, gsize, k)]) / (double)rows->len;
        g_array_append_val(ranked, next);
    }
    g_array_sort(ranked, best_first);
    if (ranked->len > 0)
        return ranked;
    g_array_unref(ranked);
    glint_fail(error, GLINT_ERROR_DATA, "the graph of layer %zu has no module of %zu neurons or more to steer; solve with a smaller --alpha or a "
                                        "larger --degree", layer->site.layer, least);
    return NULL;
}
