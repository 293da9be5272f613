/* The files of compare/<site>/: tables for people and programs, and summary.json for the report. */
#include "base/error.h"
#include "base/files.h"
#include "graph/internal.h"

#include <math.h>
#include <string.h>

enum { N_STRONGEST = 50 };

/* ---- tables ---- */

typedef enum { ROWS_ALL, ROWS_SHARED, ROWS_ONLY } Rows;

static gsize count_have(const GlintComparison *self, const GlintSharedEdge *edge)
{
    gsize n = 0;
    for (gsize c = 0; c < self->n_classes; c++)
        n += edge->pcor[c] != 0;
    return n;
}

static void write_header(const GlintComparison *self, Rows rows, FILE *out)
{
    fputs("neuron_i,neuron_j", out);
    if (rows == ROWS_ONLY) {
        fputs(",partial_correlation\n", out);
        return;
    }
    for (gsize c = 0; c < self->n_classes; c++) {
        g_autofree char *name = g_strconcat("pcor_", self->classes[c], NULL);
        putc(',', out);
        glint_csv_field(out, name);
    }
    fputs(rows == ROWS_ALL ? ",shared,difference\n" : ",difference\n", out);
}

static void write_row(const GlintComparison *self, const GlintSharedEdge *edge, Rows rows, gsize only, gsize n_have, FILE *out)
{
    char buffer[GLI_NUMBER_SIZE];
    glint_csv_field(out, edge->a);
    putc(',', out);
    glint_csv_field(out, edge->b);
    if (rows == ROWS_ONLY) {
        fprintf(out, ",%s\n", gli_number(buffer, edge->pcor[only]));
        return;
    }
    for (gsize c = 0; c < self->n_classes; c++)
        fprintf(out, ",%s", gli_number(buffer, edge->pcor[c]));
    if (rows == ROWS_ALL)
        fprintf(out, ",%d", n_have == self->n_classes);
    fprintf(out, ",%s\n", gli_number(buffer, gli_largest_difference(edge->pcor, self->n_classes)));
}

static gboolean write_table(const GlintComparison *self, Rows rows, gsize only, const char *folder, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autoptr(GlintFile) file = glint_file_new(path, error);
    if (!file)
        return FALSE;
    FILE *out = glint_file_stream(file);
    write_header(self, rows, out);
    for (gsize k = 0; k < self->n_edges; k++) {
        const GlintSharedEdge *edge = &self->edges[k];
        gsize n_have = count_have(self, edge);
        if (rows == ROWS_ALL || (rows == ROWS_SHARED && n_have == self->n_classes) || (rows == ROWS_ONLY && n_have == 1 && edge->pcor[only] != 0))
            write_row(self, edge, rows, only, n_have, out);
    }
    return glint_file_commit(g_steal_pointer(&file), error);
}

/* only_<class>.csv: what a file name cannot carry is %XX, so different classes have different files. Long names are cut
 * and told apart by a hash of the whole: file systems take 255 bytes. */
static char *only_name(const char *class_name)
{
    enum { LONGEST = 150, KEPT = 130 };
    g_autofree char *safe = g_uri_escape_string(class_name, " !#$&'()+,;=@[]", TRUE);
    if (strlen(safe) <= LONGEST)
        return g_strdup_printf("only_%s.csv", safe);
    g_autofree char *hash = glint_sha256_bytes(class_name, strlen(class_name));
    return g_strdup_printf("only_%.*s%%%.16s.csv", KEPT, safe, hash);
}

/* ---- summary.json ---- */

static json_t *json_number_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* jansson wants UTF-8; class names come from folders and columns. */
static json_t *json_text(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    return json_string(valid);
}

static json_t *describe_class(const GlintComparison *self, gsize c)
{
    json_t *object = json_object();
    g_autofree char *file = only_name(self->classes[c]);
    json_object_set_new(object, "name", json_text(self->classes[c]));
    json_object_set_new(object, "neurons", json_integer((json_int_t)self->n_neurons[c]));
    json_object_set_new(object, "edges", json_integer((json_int_t)self->n_own[c]));
    json_object_set_new(object, "only", json_integer((json_int_t)self->n_only[c]));
    json_object_set_new(object, "modules", json_integer((json_int_t)self->n_modules[c]));
    json_object_set_new(object, "modularity", json_number_or_null(self->modularity[c]));
    json_object_set_new(object, "lambda", json_number_or_null(self->lambda[c]));
    json_object_set_new(object, "only_file", json_text(file));
    return object;
}

static json_t *describe_pair(const GlintComparison *self, gsize c, gsize d)
{
    gsize both = 0, either = 0, opposite = 0;
    for (gsize k = 0; k < self->n_edges; k++) {
        double x = self->edges[k].pcor[c], y = self->edges[k].pcor[d];
        both += x != 0 && y != 0;
        either += x != 0 || y != 0;
        opposite += (x > 0 && y < 0) || (x < 0 && y > 0);
    }
    json_t *object = json_object(), *names = json_array();
    json_array_append_new(names, json_text(self->classes[c]));
    json_array_append_new(names, json_text(self->classes[d]));
    json_object_set_new(object, "classes", names);
    json_object_set_new(object, "shared", json_integer((json_int_t)both));
    json_object_set_new(object, "opposite_sign", json_integer((json_int_t)opposite));
    json_object_set_new(object, "jaccard", json_real(either > 0 ? (double)both / (double)either : 1));
    return object;
}

static json_t *describe_edge(const GlintComparison *self, const GlintSharedEdge *edge)
{
    json_t *object = json_object(), *pcor = json_array();
    for (gsize c = 0; c < self->n_classes; c++)
        json_array_append_new(pcor, json_real(edge->pcor[c]));
    json_object_set_new(object, "neuron_i", json_text(edge->a));
    json_object_set_new(object, "neuron_j", json_text(edge->b));
    json_object_set_new(object, "partial_correlation", pcor);
    json_object_set_new(object, "difference", json_real(gli_largest_difference(edge->pcor, self->n_classes)));
    return object;
}

static json_t *describe(const GlintComparison *self)
{
    json_t *root = json_object(), *classes = json_array(), *pairs = json_array(), *strongest = json_array();
    for (gsize c = 0; c < self->n_classes; c++) {
        json_array_append_new(classes, describe_class(self, c));
        for (gsize d = c + 1; d < self->n_classes; d++)
            json_array_append_new(pairs, describe_pair(self, c, d));
    }
    for (gsize k = 0; k < MIN(self->n_edges, (gsize)N_STRONGEST); k++)
        json_array_append_new(strongest, describe_edge(self, &self->edges[k]));
    json_object_set_new(root, "edges", json_integer((json_int_t)self->n_edges));
    json_object_set_new(root, "shared", json_integer((json_int_t)self->n_all));
    json_object_set_new(root, "opposite_sign", json_integer((json_int_t)self->n_opposite));
    json_object_set_new(root, "jaccard", json_real(self->jaccard));
    json_object_set_new(root, "classes", classes);
    json_object_set_new(root, "pairs", pairs);
    json_object_set_new(root, "strongest_differences", strongest);
    return root;
}

gboolean glint_comparison_write(const GlintComparison *self, const char *folder, GError **error)
{
    if (!write_table(self, ROWS_ALL, 0, folder, "edges.csv", error) || !write_table(self, ROWS_SHARED, 0, folder, "shared.csv", error))
        return FALSE;
    for (gsize c = 0; c < self->n_classes; c++) {
        g_autofree char *name = only_name(self->classes[c]);
        if (!write_table(self, ROWS_ONLY, c, folder, name, error))
            return FALSE;
    }
    g_autofree char *path = g_build_filename(folder, "summary.json", NULL);
    g_autoptr(json_t) root = describe(self);
    return glint_json_write(path, root, error);
}
