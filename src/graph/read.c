/* Reading edges.csv and modules.csv back. Both are untrusted: users edit them. Everything a later stage relies on is checked
 * (indices, names, ranges, distinct edges, and that the two files belong together), and errors name file and row. */
#include "base/error.h"
#include "graph/internal.h"

#include <csv.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- a table: named columns of a CSV file, a row at a time ---- */

enum { MAX_COLUMNS = 8 };

typedef struct Table Table;
struct Table {
    const char *path;
    const char *const *columns; /* wanted, in the order that on_row gets them */
    gsize n_columns;
    gboolean (*on_row)(Table *self, const char *const *fields, GError **error);
    void *user_data;
    gsize position[MAX_COLUMNS], row; /* row 1 is the header */
    GPtrArray *fields;                /* of the current row */
    GError *error;
};

static gboolean bad_row(const Table *self, GError **error, const char *column, const char *expected, const char *found)
{
    return glint_fail(error, GLINT_ERROR_FORMAT, "%s row %zu: %s must be %s, not '%.40s'; run glint graph again", self->path, self->row, column, expected, found);
}

static gboolean take_header(Table *self, GError **error)
{
    for (gsize c = 0; c < self->n_columns; c++) {
        gsize at = 0;
        while (at < self->fields->len && strcmp(g_ptr_array_index(self->fields, at), self->columns[c]) != 0)
            at++;
        if (at == self->fields->len)
            return glint_fail(error, GLINT_ERROR_FORMAT, "%s has no column '%s' in its first row; run glint graph again", self->path, self->columns[c]);
        self->position[c] = at;
    }
    return TRUE;
}

static gboolean take_row(Table *self, GError **error)
{
    const char *fields[MAX_COLUMNS];
    for (gsize c = 0; c < self->n_columns; c++) {
        if (self->position[c] >= self->fields->len)
            return glint_fail(error, GLINT_ERROR_FORMAT, "%s row %zu has %u fields and so no '%s'; run glint graph again", self->path,
                              self->row, self->fields->len, self->columns[c]);
        fields[c] = g_ptr_array_index(self->fields, self->position[c]);
    }
    return self->on_row(self, fields, error);
}

/* libcsv calls these; they cannot stop it, so after an error they do nothing. */
static void field_read(void *text, size_t length, void *user_data)
{
    Table *self = user_data;
    if (!self->error)
        g_ptr_array_add(self->fields, g_strndup(text, length));
}

static void row_read(int terminator, void *user_data)
{
    Table *self = user_data;
    (void)terminator;
    if (!self->error) {
        self->row++;
        if (self->row == 1)
            take_header(self, &self->error);
        else
            take_row(self, &self->error);
    }
    g_ptr_array_set_size(self->fields, 0);
}

static gboolean parse_stream(Table *self, struct csv_parser *parser, FILE *in, GError **error)
{
    char block[65536];
    size_t got;
    while (!self->error && (got = fread(block, 1, sizeof block, in)) > 0)
        if (csv_parse(parser, block, got, field_read, row_read, self) != got)
            return glint_fail(error, GLINT_ERROR_FORMAT, "%s row %zu is not CSV: %s; run glint graph again", self->path, self->row + 1, csv_strerror(csv_error(parser)));
    if (ferror(in))
        return glint_fail_errno(error, errno, "cannot read '%s'", self->path);
    if (!self->error && csv_fini(parser, field_read, row_read, self) != 0)
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s ends inside a quoted field; run glint graph again", self->path);
    if (!self->error && self->row == 0)
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s is empty; run glint graph again", self->path);
    if (!self->error)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&self->error));
    return FALSE;
}

static gboolean read_table(Table *self, GError **error)
{
    FILE *in = fopen(self->path, "rb");
    if (!in)
        return errno == ENOENT ? glint_fail(error, GLINT_ERROR_IO, "there is no file '%s'; run glint graph first", self->path) :
                                 glint_fail_errno(error, errno, "cannot open '%s'", self->path);
    struct csv_parser parser;
    if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
        fclose(in);
        return glint_fail(error, GLINT_ERROR_FAILED, "libcsv could not start");
    }
    self->fields = g_ptr_array_new_with_free_func(g_free);
    gboolean ok = parse_stream(self, &parser, in, error);
    g_clear_error(&self->error);
    g_ptr_array_unref(self->fields);
    csv_free(&parser);
    fclose(in);
    return ok;
}

/* ---- values ---- */

/* "" is unknown: NAN. */
static gboolean parse_real(const char *text, double *out)
{
    char *end = NULL;
    *out = *text ? g_ascii_strtod(text, &end) : NAN;
    return !*text || (end != text && *end == '\0');
}

static gboolean parse_int(const char *text, gint64 low, gint64 high, gint64 *out)
{
    return low <= high && g_ascii_string_to_signed(text, 10, low, high, out, NULL);
}

/* ---- modules.csv ---- */

enum { NEURON, MODULE, DEGREE, STRENGTH, BETWEENNESS, MEAN, SD, N_MODULE_COLUMNS };
static const char *const module_columns[N_MODULE_COLUMNS] = {"neuron", "module", "degree", "strength", "betweenness", "mean", "sd"};

static void clear_node(void *node)
{
    g_free(((GlintNode *)node)->neuron);
}

static gboolean module_row(Table *table, const char *const *fields, GError **error)
{
    GArray *nodes = table->user_data;
    gint64 module, degree;
    GlintNode node = {.neuron = NULL};
    if (!gli_neuron_valid(fields[NEURON]))
        return bad_row(table, error, "neuron", "text without control characters", fields[NEURON]);
    if (!parse_int(fields[MODULE], -1, G_MAXINT32, &module))
        return bad_row(table, error, "module", "-1 or a module number", fields[MODULE]);
    if (!parse_int(fields[DEGREE], 0, G_MAXINT32, &degree))
        return bad_row(table, error, "degree", "a count", fields[DEGREE]);
    if (!parse_real(fields[STRENGTH], &node.strength) || !(node.strength >= 0))
        return bad_row(table, error, "strength", "a number of at least 0", fields[STRENGTH]);
    if (!parse_real(fields[BETWEENNESS], &node.betweenness) || !(node.betweenness >= 0 && node.betweenness <= 1))
        return bad_row(table, error, "betweenness", "a number from 0 to 1", fields[BETWEENNESS]);
    if (!parse_real(fields[MEAN], &node.mean))
        return bad_row(table, error, "mean", "a number or empty", fields[MEAN]);
    if (!parse_real(fields[SD], &node.sd))
        return bad_row(table, error, "sd", "a number or empty", fields[SD]);
    node.neuron = g_strdup(fields[NEURON]);
    node.module = (int)module;
    node.degree = (gsize)degree;
    g_array_append_val(nodes, node);
    return TRUE;
}

static gboolean check_nodes(const GArray *nodes, const char *path, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < nodes->len; i++) {
        const GlintNode *node = &g_array_index(nodes, GlintNode, i);
        if (!g_hash_table_add(seen, node->neuron))
            return glint_fail(error, GLINT_ERROR_FORMAT, "%s names neuron '%s' twice; run glint graph again", path, node->neuron);
        if (node->module >= (int)nodes->len)
            return glint_fail(error, GLINT_ERROR_FORMAT, "%s: module %d of '%s' is more than its %u neurons can have; run glint graph again",
                              path, node->module, node->neuron, nodes->len);
    }
    return TRUE;
}

/* ---- edges.csv ---- */

enum { I, J, NEURON_I, NEURON_J, PRECISION, PCOR, COR, N_EDGE_COLUMNS };
static const char *const edge_columns[N_EDGE_COLUMNS] = {"i", "j", "neuron_i", "neuron_j", "precision", "partial_correlation", "correlation"};

typedef struct { const GArray *nodes; GArray *edges; } EdgeTarget;

static gboolean edge_row(Table *table, const char *const *fields, GError **error)
{
    EdgeTarget *target = table->user_data;
    gint64 i, j;
    GlintEdge edge = {.i = 0};
    if (!parse_int(fields[I], 0, (gint64)target->nodes->len - 1, &i))
        return bad_row(table, error, "i", "the number of a row of modules.csv, from 0", fields[I]);
    if (!parse_int(fields[J], i + 1, (gint64)target->nodes->len - 1, &j))
        return bad_row(table, error, "j", "a row number of modules.csv above i", fields[J]);
    if (strcmp(fields[NEURON_I], g_array_index(target->nodes, GlintNode, i).neuron) != 0)
        return bad_row(table, error, "neuron_i", "the neuron of row i of modules.csv", fields[NEURON_I]);
    if (strcmp(fields[NEURON_J], g_array_index(target->nodes, GlintNode, j).neuron) != 0)
        return bad_row(table, error, "neuron_j", "the neuron of row j of modules.csv", fields[NEURON_J]);
    if (!parse_real(fields[PRECISION], &edge.precision) || !isfinite(edge.precision))
        return bad_row(table, error, "precision", "a number", fields[PRECISION]);
    if (!parse_real(fields[PCOR], &edge.pcor) || !(fabs(edge.pcor) <= 1) || edge.pcor == 0)
        return bad_row(table, error, "partial_correlation", "a number from -1 to 1 and not 0", fields[PCOR]);
    if ((edge.precision > 0) == (edge.pcor > 0))
        return bad_row(table, error, "precision", "of the sign opposite to partial_correlation", fields[PRECISION]);
    if (!parse_real(fields[COR], &edge.cor) || isinf(edge.cor))
        return bad_row(table, error, "correlation", "a number or empty", fields[COR]);
    edge.i = (gsize)i;
    edge.j = (gsize)j;
    g_array_append_val(target->edges, edge);
    return TRUE;
}

static int compare_pairs(const void *a, const void *b)
{
    const GlintEdge *x = a, *y = b;
    return x->i != y->i ? (x->i > y->i) - (x->i < y->i) : (x->j > y->j) - (x->j < y->j);
}

static gboolean check_edges(GArray *edges, const char *path, GError **error)
{
    g_array_sort(edges, compare_pairs);
    for (guint k = 1; k < edges->len; k++) {
        const GlintEdge *edge = &g_array_index(edges, GlintEdge, k), *former = edge - 1;
        if (compare_pairs(former, edge) == 0)
            return glint_fail(error, GLINT_ERROR_FORMAT, "%s lists the edge %zu, %zu twice; run glint graph again", path, edge->i, edge->j);
    }
    g_array_sort(edges, gli_compare_edges);
    return TRUE;
}

/* ---- both ---- */

static gboolean check_degrees(const GlintGraph *self, const GArray *nodes, const char *folder, GError **error)
{
    for (gsize i = 0; i < self->p; i++) {
        gsize told = g_array_index(nodes, GlintNode, i).degree;
        if (self->nodes[i].degree != told)
            return glint_fail(error, GLINT_ERROR_FORMAT, "%s: modules.csv gives '%s' %zu edges, edges.csv %zu; the files belong to different graphs: run glint graph again", folder,
                              self->nodes[i].neuron, told, self->nodes[i].degree);
    }
    return TRUE;
}

/* Copies; the strings stay with the arrays. */
static GlintGraph *assemble(const GArray *nodes, const GArray *edges, const char *folder, GError **error)
{
    g_autoptr(GlintGraph) self = gli_graph_alloc(nodes->len, edges->len, error);
    if (!self)
        return NULL;
    self->n_edges = edges->len;
    for (gsize k = 0; k < self->n_edges; k++)
        self->edges[k] = g_array_index(edges, GlintEdge, k);
    for (gsize i = 0; i < self->p; i++) {
        self->nodes[i] = g_array_index(nodes, GlintNode, i);
        self->nodes[i].neuron = g_strdup(self->nodes[i].neuron);
    }
    gli_graph_count(self);
    if (!check_degrees(self, nodes, folder, error))
        return NULL;
    gli_graph_score(self);
    return g_steal_pointer(&self);
}

GlintGraph *glint_graph_read(const char *folder, GError **error)
{
    g_autofree char *modules_path = g_build_filename(folder, "modules.csv", NULL), *edges_path = g_build_filename(folder, "edges.csv", NULL);
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(GlintNode)), edges = g_array_new(FALSE, FALSE, sizeof(GlintEdge));
    g_array_set_clear_func(nodes, clear_node);
    Table modules = {.path = modules_path, .columns = module_columns, .n_columns = N_MODULE_COLUMNS, .on_row = module_row, .user_data = nodes};
    if (!read_table(&modules, error) || !check_nodes(nodes, modules_path, error))
        return NULL;
    EdgeTarget target = {.nodes = nodes, .edges = edges};
    Table edge_table = {.path = edges_path, .columns = edge_columns, .n_columns = N_EDGE_COLUMNS, .on_row = edge_row, .user_data = &target};
    if (!read_table(&edge_table, error) || !check_edges(edges, edges_path, error))
        return NULL;
    return assemble(nodes, edges, folder, error);
}
