/* Graphviz DOT (https://graphviz.org/doc/info/lang.html). A node's name is its neuron id in quotes. Inside quotes DOT knows
 * one escape, \", but a label is an escString, where \N, \l and others mean something: so a backslash is doubled, which a label
 * shows as one. Titles get newlines as \n. A DOT number has no exponent, so numbers are quoted. Isolated nodes are left out, for they
 * would fill the picture. */
#include "base/error.h"
#include "base/files.h"
#include "graph/internal.h"
#include "graph/palette.h"

#include <math.h>

enum { SFDP_FROM = 400 }; /* nodes: neato's stress model is better below, too slow above */

/* "text", quoted; anything that is not UTF-8 or is a control character becomes harmless. */
static void quoted(FILE *out, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    putc('"', out);
    for (const char *c = valid; *c; c++)
        switch (*c) {
        case '"': fputs("\\\"", out); break;
        case '\\': fputs("\\\\", out); break;
        case '\n': fputs("\\n", out); break;
        default: putc((unsigned char)*c < 0x20 ? ' ' : *c, out);
        }
    putc('"', out);
}

static const char *short_number(char buffer[GLI_NUMBER_SIZE], const char *format, double value)
{
    return g_ascii_formatd(buffer, GLI_NUMBER_SIZE, format, value);
}

static void write_nodes(const GlintGraph *self, FILE *out)
{
    for (gsize i = 0; i < self->p; i++) {
        const GlintNode *node = &self->nodes[i];
        guint32 rgb = glint_module_rgb(node->module), luminance = (299 * (rgb >> 16 & 255) + 587 * (rgb >> 8 & 255) + 114 * (rgb & 255)) / 1000;
        if (node->degree == 0)
            continue;
        fputs("  ", out);
        quoted(out, node->neuron);
        fprintf(out, " [fillcolor=\"#%06x\" fontcolor=\"%s\" module=%d];\n", rgb, luminance > 153 ? "#212126" : "#ffffff", node->module);
    }
}

static void write_edges(const GlintGraph *self, FILE *out)
{
    double strongest = self->n_edges > 0 ? fabs(self->edges[0].pcor) : 1;
    for (gsize k = 0; k < self->n_edges; k++) {
        const GlintEdge *edge = &self->edges[k];
        char width[GLI_NUMBER_SIZE], pcor[GLI_NUMBER_SIZE];
        fputs("  ", out);
        quoted(out, self->nodes[edge->i].neuron);
        fputs(" -- ", out);
        quoted(out, self->nodes[edge->j].neuron);
        fprintf(out, " [color=\"#%06x\" penwidth=%s pcor=\"%s\"];\n", edge->pcor > 0 ? GLI_POSITIVE_RGB : GLI_NEGATIVE_RGB,
                short_number(width, "%.3f", 0.4 + 4.6 * fabs(edge->pcor) / strongest), gli_number(pcor, edge->pcor));
    }
}

gboolean glint_graph_write_dot(const GlintGraph *self, const char *title, const char *path, GError **error)
{
    g_autoptr(GlintFile) file = glint_file_new(path, error);
    if (!file)
        return FALSE;
    FILE *out = glint_file_stream(file);
    gsize n_drawn = 0;
    for (gsize i = 0; i < self->p; i++)
        n_drawn += self->nodes[i].degree > 0;
    fputs("// blue: positive, red: negative partial correlation; pen width by its size; nodes coloured by module\ngraph glint {\n  graph [label=", out);
    quoted(out, title ? title : "");
    fprintf(out, " labelloc=t fontname=\"Helvetica\" layout=%s overlap=false outputorder=edgesfirst];\n", n_drawn >= SFDP_FROM ? "sfdp" : "neato");
    fputs("  node [shape=ellipse style=filled fontname=\"Helvetica\" fontsize=10 penwidth=0 margin=\"0.04,0.02\" width=0.3 height=0.2];\n", out);
    write_nodes(self, out);
    write_edges(self, out);
    fputs("}\n", out);
    return glint_file_commit(g_steal_pointer(&file), error);
}
