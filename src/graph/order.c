/* The order of rows in a heat map: modules from the largest, inside a module the strongest node first, isolated nodes last. */
#include "graph/graph.h"
#include <stdlib.h>

typedef struct { gsize node; int module; double strength; } Row;

static int compare_rows(const void *a, const void *b)
{
    const Row *x = a, *y = b;
    if (x->module != y->module) {
        if (x->module < 0 || y->module < 0)
            return x->module < 0 ? 1 : -1;
        return x->module < y->module ? -1 : 1;
    }
    if (x->strength != y->strength)
        return x->strength > y->strength ? -1 : 1;
    return (x->node > y->node) - (x->node < y->node);
}

gsize *glint_graph_order(const GlintGraph *self)
{
    g_autofree Row *rows = g_new(Row, self->p + 1);
    gsize *order = g_new(gsize, self->p + 1);
    for (gsize i = 0; i < self->p; i++)
        rows[i] = (Row){.node = i, .module = self->nodes[i].module, .strength = self->nodes[i].strength};
    qsort(rows, self->p, sizeof *rows, compare_rows);
    for (gsize i = 0; i < self->p; i++)
        order[i] = rows[i].node;
    return order;
}
