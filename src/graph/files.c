/* edges.csv and modules.csv. Numbers never pass through the locale: they are written with the fewest digits that read back
 * as the same double. The reader is in read.c. */
#include "base/error.h"
#include "base/files.h"
#include "graph/internal.h"

#include <math.h>
#include <stdio.h>

const char *gli_number(char buffer[GLI_NUMBER_SIZE], double value)
{
    static const char *const formats[] = {"%.15g", "%.16g", "%.17g"};
    buffer[0] = '\0';
    for (gsize k = 0; isfinite(value) && k < G_N_ELEMENTS(formats); k++)
        if (g_ascii_strtod(g_ascii_formatd(buffer, GLI_NUMBER_SIZE, formats[k], value), NULL) == value)
            break;
    return buffer;
}

gboolean glint_graph_write_edges(const GlintGraph *self, const char *path, GError **error)
{
    return glint_graph_write_edges_with(self, NULL, 0, path, error);
}

gboolean glint_graph_write_edges_with(const GlintGraph *self, const GlintEdgeColumn *columns, gsize n_columns, const char *path, GError **error)
{
    g_autoptr(GlintFile) file = glint_file_new(path, error);
    if (!file)
        return FALSE;
    FILE *out = glint_file_stream(file);
    fputs("i,j,neuron_i,neuron_j,precision,partial_correlation,correlation", out);
    for (gsize c = 0; c < n_columns; c++) {
        putc(',', out);
        glint_csv_field(out, columns[c].name);
    }
    putc('\n', out);
    for (gsize k = 0; k < self->n_edges; k++) {
        const GlintEdge *edge = &self->edges[k];
        char precision[GLI_NUMBER_SIZE], pcor[GLI_NUMBER_SIZE], cor[GLI_NUMBER_SIZE];
        fprintf(out, "%zu,%zu,", edge->i, edge->j);
        glint_csv_field(out, self->nodes[edge->i].neuron);
        putc(',', out);
        glint_csv_field(out, self->nodes[edge->j].neuron);
        fprintf(out, ",%s,%s,%s", gli_number(precision, edge->precision), gli_number(pcor, edge->pcor), gli_number(cor, edge->cor));
        for (gsize c = 0; c < n_columns; c++)
            fprintf(out, ",%s", gli_number(precision, columns[c].values[k]));
        putc('\n', out);
    }
    return glint_file_commit(g_steal_pointer(&file), error);
}

gboolean glint_graph_write_modules(const GlintGraph *self, const char *path, GError **error)
{
    g_autoptr(GlintFile) file = glint_file_new(path, error);
    if (!file)
        return FALSE;
    FILE *out = glint_file_stream(file);
    fputs("neuron,module,degree,strength,betweenness,mean,sd\n", out);
    for (gsize i = 0; i < self->p; i++) {
        const GlintNode *node = &self->nodes[i];
        char strength[GLI_NUMBER_SIZE], betweenness[GLI_NUMBER_SIZE], mean[GLI_NUMBER_SIZE], sd[GLI_NUMBER_SIZE];
        glint_csv_field(out, node->neuron);
        fprintf(out, ",%d,%zu,%s,%s,%s,%s\n", node->module, node->degree, gli_number(strength, node->strength), gli_number(betweenness, node->betweenness),
                gli_number(mean, node->mean), gli_number(sd, node->sd));
    }
    return glint_file_commit(g_steal_pointer(&file), error);
}
