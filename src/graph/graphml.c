/* GraphML (http://graphml.graphdrawing.org). Written by hand rather than with igraph's writer, for its keys are then typed and named
 * as Gephi and networkx expect: `weight` is never negative (negative weights break Gephi's layouts and communities), the sign is in
 * `pcor` and `sign`; `label` and r, g, b are what Gephi takes for names and colours. Unknown numbers are left out. */
#include "base/error.h"
#include "base/files.h"
#include "graph/internal.h"
#include "graph/palette.h"

#include <math.h>

typedef struct { const char *scope, *name, *type; } Key;

static const Key keys[] = {
    {"graph", "title", "string"},      {"graph", "modularity", "double"}, {"graph", "betweenness_sources", "int"},
    {"node", "label", "string"},       {"node", "module", "int"},         {"node", "degree", "int"},
    {"node", "strength", "double"},    {"node", "betweenness", "double"}, {"node", "mean", "double"},
    {"node", "sd", "double"},          {"node", "r", "int"},              {"node", "g", "int"},
    {"node", "b", "int"},              {"edge", "weight", "double"},      {"edge", "pcor", "double"},
    {"edge", "sign", "int"},           {"edge", "precision", "double"},   {"edge", "correlation", "double"},
};

/* Text for an element or an attribute in double quotes: markup escaped, what XML 1.0 cannot carry replaced by a space. */
static void escaped(FILE *out, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    for (const char *c = valid; *c; c = g_utf8_next_char(c)) {
        gunichar u = g_utf8_get_char(c);
        switch (u) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        case '\t': case '\n': case '\r': fprintf(out, "&#%u;", u); break;
        default:
            if (u < 0x20 || (u & 0xfffe) == 0xfffe)
                putc(' ', out);
            else
                fwrite(c, 1, (size_t)(g_utf8_next_char(c) - c), out);
        }
    }
}

static void number(FILE *out, const char *key, double value)
{
    char buffer[GLI_NUMBER_SIZE];
    if (isfinite(value))
        fprintf(out, "<data key=\"%s\">%s</data>", key, gli_number(buffer, value));
}

/* Every name occurs once, so it serves as the id of its key. */
static void write_keys(FILE *out)
{
    for (gsize k = 0; k < G_N_ELEMENTS(keys); k++)
        fprintf(out, "  <key id=\"%s\" for=\"%s\" attr.name=\"%s\" attr.type=\"%s\"/>\n", keys[k].name, keys[k].scope, keys[k].name, keys[k].type);
}

static void write_node(const GlintNode *node, FILE *out)
{
    guint32 rgb = glint_module_rgb(node->module);
    fputs("    <node id=\"", out);
    escaped(out, node->neuron);
    fputs("\"><data key=\"label\">", out);
    escaped(out, node->neuron);
    fprintf(out, "</data><data key=\"module\">%d</data><data key=\"degree\">%zu</data>", node->module, node->degree);
    number(out, "strength", node->strength);
    number(out, "betweenness", node->betweenness);
    number(out, "mean", node->mean);
    number(out, "sd", node->sd);
    fprintf(out, "<data key=\"r\">%u</data><data key=\"g\">%u</data><data key=\"b\">%u</data></node>\n", rgb >> 16 & 255, rgb >> 8 & 255, rgb & 255);
}

static void write_edge(const GlintGraph *self, const GlintEdge *edge, FILE *out)
{
    fputs("    <edge source=\"", out);
    escaped(out, self->nodes[edge->i].neuron);
    fputs("\" target=\"", out);
    escaped(out, self->nodes[edge->j].neuron);
    fputs("\">", out);
    number(out, "weight", fabs(edge->pcor));
    number(out, "pcor", edge->pcor);
    fprintf(out, "<data key=\"sign\">%d</data>", edge->pcor > 0 ? 1 : -1);
    number(out, "precision", edge->precision);
    number(out, "correlation", edge->cor);
    fputs("</edge>\n", out);
}

gboolean glint_graph_write_graphml(const GlintGraph *self, const char *title, const char *path, GError **error)
{
    g_autoptr(GlintFile) file = glint_file_new(path, error);
    if (!file)
        return FALSE;
    FILE *out = glint_file_stream(file);
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
          "<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
          "xsi:schemaLocation=\"http://graphml.graphdrawing.org/xmlns http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd\">\n", out);
    write_keys(out);
    fputs("  <graph id=\"glint\" edgedefault=\"undirected\">\n    <data key=\"title\">", out);
    escaped(out, title ? title : "");
    fputs("</data>", out);
    number(out, "modularity", self->modularity);
    if (self->betweenness_sources > 0)
        fprintf(out, "<data key=\"betweenness_sources\">%zu</data>", self->betweenness_sources);
    putc('\n', out);
    for (gsize i = 0; i < self->p; i++)
        write_node(&self->nodes[i], out);
    for (gsize k = 0; k < self->n_edges; k++)
        write_edge(self, &self->edges[k], out);
    fputs("  </graph>\n</graphml>\n", out);
    return glint_file_commit(g_steal_pointer(&file), error);
}
