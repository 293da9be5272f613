/* Answers of the rows API. See rows.h. The server is not trusted to send what was asked for: rows are counted, their numbers
 * compared, and the total must stay what it was, or the data set changed while it was being fetched. */
#include "hub/rows.h"
#include "base/error.h"
#include "base/files.h"

#include <string.h>

/* ---- columns ---- */

static void free_column(gpointer data)
{
    GlintColumn *column = data;
    g_free(column->name);
    g_free(column->type);
    g_clear_pointer(&column->classes, g_ptr_array_unref);
    g_free(column);
}

void glint_split_free(GlintSplit *self)
{
    if (!self)
        return;
    g_free(self->dataset);
    g_free(self->config);
    g_free(self->split);
    g_clear_pointer(&self->columns, g_ptr_array_unref);
    g_free(self);
}

static GlintColumnKind kind_of_value(const char *dtype)
{
    if (strcmp(dtype, "string") == 0 || strcmp(dtype, "large_string") == 0)
        return GLINT_COLUMN_TEXT;
    if (strcmp(dtype, "bool") == 0)
        return GLINT_COLUMN_TRUTH;
    if (g_str_has_prefix(dtype, "int") || g_str_has_prefix(dtype, "uint") || g_str_has_prefix(dtype, "float"))
        return GLINT_COLUMN_NUMBER;
    return GLINT_COLUMN_OTHER; /* dates, binary, decimals */
}

static GPtrArray *class_names(const json_t *type)
{
    const json_t *names = json_object_get(type, "names");
    if (!json_is_array(names) || json_array_size(names) == 0)
        return NULL;
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
    for (gsize k = 0; k < json_array_size(names); k++) {
        const char *name = json_string_value(json_array_get(names, k));
        if (!name || !*name)
            return NULL;
        g_ptr_array_add(list, g_strdup(name));
    }
    return g_steal_pointer(&list);
}

static gboolean read_column(GlintSplit *self, const json_t *feature, const char *where, GError **error)
{
    const char *name = json_string_value(json_object_get(feature, "name"));
    const json_t *type = json_object_get(feature, "type");
    if (!name || !*name || !type)
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s: a column without name or type in \"features\"", where);
    const char *kind = json_string_value(json_object_get(type, "_type")), *dtype = json_string_value(json_object_get(type, "dtype"));
    GlintColumn *column = g_new0(GlintColumn, 1);
    g_ptr_array_add(self->columns, column);
    column->name = g_strdup(name);
    column->kind = GLINT_COLUMN_OTHER;
    if (kind && strcmp(kind, "ClassLabel") == 0) {
        column->type = g_strdup("ClassLabel");
        column->classes = class_names(type);
        column->kind = column->classes ? GLINT_COLUMN_CLASS : GLINT_COLUMN_NUMBER; /* without names the numbers are the names */
    } else if (kind && strcmp(kind, "Value") == 0 && dtype) {
        column->type = g_strdup(dtype);
        column->kind = kind_of_value(dtype);
    } else {
        column->type = g_strdup(kind ? kind : json_is_array(type) ? "list" : "struct");
    }
    return TRUE;
}

GlintSplit *glint_split_parse(const json_t *answer, const char *dataset, const char *config, const char *split, const char *where, GError **error)
{
    g_autoptr(GlintSplit) self = g_new0(GlintSplit, 1);
    self->dataset = g_strdup(dataset);
    self->config = g_strdup(config);
    self->split = g_strdup(split);
    self->columns = g_ptr_array_new_with_free_func(free_column);
    const json_t *features = json_object_get(answer, "features");
    if (!json_is_array(features)) {
        glint_fail(error, GLINT_ERROR_FORMAT, "%s: an answer with a list \"features\" was expected", where);
        return NULL;
    }
    for (gsize k = 0; k < json_array_size(features); k++)
        if (!read_column(self, json_array_get(features, k), where, error))
            return NULL;
    g_autoptr(GError) problem = NULL;
    gint64 n_rows = glint_json_int(answer, "num_rows_total", -1, &problem);
    self->partial = glint_json_bool(answer, "partial", FALSE, &problem);
    if (problem || n_rows < 0 || n_rows > G_MAXINT32) {
        glint_fail(error, GLINT_ERROR_FORMAT, "%s: %s", where, problem ? problem->message : "\"num_rows_total\" is missing or not a number of rows");
        return NULL;
    }
    self->n_rows = (guint64)n_rows;
    return g_steal_pointer(&self);
}

json_t *glint_split_json(const GlintSplit *self, const json_t *answer)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:b, s:O}", "dataset", self->dataset, "config", self->config, "split", self->split, "num_rows_total",
                     (json_int_t)self->n_rows,
                     "partial", self->partial, "features", json_object_get(answer, "features"));
}

/* ---- rows ---- */

static json_t *class_value(const GlintColumn *column, const json_t *value, gboolean *ok)
{
    *ok = json_is_null(value) || json_is_integer(value);
    json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;
    if (number >= (json_int_t)column->classes->len)
        *ok = FALSE;
    return *ok && number >= 0 ? json_string(g_ptr_array_index(column->classes, (guint)number)) : json_null();
}

/* The row as an object of our own; NULL and an error when a value is not of its column's kind. */
static json_t *convert_row(const GlintSplit *self, const json_t *row, const char *id, gboolean cut, const char *where, GError **error)
{
    g_autoptr(json_t) out = json_object();
    gboolean own_id = FALSE;
    for (guint k = 0; k < self->columns->len && !cut; k++) {
        const GlintColumn *column = g_ptr_array_index(self->columns, k);
        json_t *value = json_object_get(row, column->name);
        if (column->kind == GLINT_COLUMN_OTHER || !value)
            continue;
        gboolean ok = json_is_null(value) || (column->kind == GLINT_COLUMN_TEXT    ? json_is_string(value)
                                              : column->kind == GLINT_COLUMN_TRUTH ? json_is_boolean(value)
                                                                                   : json_is_number(value));
        json_t *kept = column->kind == GLINT_COLUMN_CLASS ? class_value(column, value, &ok) : json_incref(value);
        json_object_set_new(out, column->name, kept);
        if (!ok) {
            glint_fail(error, GLINT_ERROR_FORMAT, "%s: row %s: the value of column \"%s\" is not of its type %s", where, id, column->name,
                       column->type);
            return NULL;
        }
        own_id = own_id || (strcmp(column->name, "id") == 0 && !json_is_null(value));
    }
    if (!own_id)
        json_object_set_new(out, "id", json_string(id));
    return g_steal_pointer(&out);
}

/* Did the server cut a cell that glint keeps? */
static gboolean is_cut(const GlintSplit *self, const json_t *cells)
{
    for (gsize c = 0; c < json_array_size(cells); c++) {
        const char *name = json_string_value(json_array_get(cells, c));
        for (guint k = 0; name && k < self->columns->len; k++) {
            const GlintColumn *column = g_ptr_array_index(self->columns, k);
            if (strcmp(column->name, name) == 0 && column->kind != GLINT_COLUMN_OTHER)
                return TRUE;
        }
    }
    return FALSE;
}

static gboolean check_frame(const GlintSplit *self, const json_t *answer, guint64 offset, guint64 length, const char *where, GError **error)
{
    const json_t *rows = json_object_get(answer, "rows");
    if (!json_is_array(rows))
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s: an answer with a list \"rows\" was expected", where);
    guint64 want = offset < self->n_rows ? MIN(length, self->n_rows - offset) : 0;
    json_t *total = json_object_get(answer, "num_rows_total");
    if (!json_is_integer(total) || json_integer_value(total) != (json_int_t)self->n_rows)
        return glint_fail(error, GLINT_ERROR_DATA, "%s: the split had %" G_GUINT64_FORMAT " rows and now has %" JSON_INTEGER_FORMAT "; the data set "
                          "changed, fetch it afresh", where,
                          self->n_rows, json_is_integer(total) ? json_integer_value(total) : 0);
    if (json_array_size(rows) != want)
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s: %zu rows came, %" G_GUINT64_FORMAT " were asked for", where, json_array_size(rows), want);
    return TRUE;
}

gboolean glint_rows_parse(const GlintSplit *self, const json_t *answer, guint64 offset, guint64 length, const char *where, GPtrArray *lines,
                          guint64 *n_cut, GError **error)
{
    if (!check_frame(self, answer, offset, length, where, error))
        return FALSE;
    const json_t *rows = json_object_get(answer, "rows");
    for (gsize k = 0; k < json_array_size(rows); k++) {
        const json_t *item = json_array_get(rows, k), *row = json_object_get(item, "row"), *number = json_object_get(item, "row_idx");
        g_autofree char *id = g_strdup_printf("%s/%" G_GUINT64_FORMAT, self->split, offset + k);
        if (!json_is_object(row) || !json_is_integer(number) || (guint64)json_integer_value(number) != offset + k)
            return glint_fail(error, GLINT_ERROR_FORMAT, "%s: row %" G_GUINT64_FORMAT " was expected at place %zu of the answer, something else "
                              "stands there", where, offset + k, k);
        gboolean cut = is_cut(self, json_object_get(item, "truncated_cells"));
        g_autoptr(json_t) out = convert_row(self, row, id, cut, where, error);
        if (!out)
            return FALSE;
        char *line = json_dumps(out, JSON_COMPACT);
        g_ptr_array_add(lines, g_strdup(line));
        free(line);
        *n_cut += cut;
    }
    return TRUE;
}

/* ---- configurations and splits ---- */

/* The distinct values of `key` among the entries (of configuration `config` only, unless NULL), in order of appearance. */
static GPtrArray *values_of(const json_t *entries, const char *key, const char *config)
{
    GPtrArray *values = g_ptr_array_new();
    for (gsize k = 0; k < json_array_size(entries); k++) {
        const json_t *entry = json_array_get(entries, k);
        const char *value = json_string_value(json_object_get(entry, key)), *own = json_string_value(json_object_get(entry, "config"));
        if (value && own && (!config || strcmp(own, config) == 0) && !g_ptr_array_find_with_equal_func(values, value, g_str_equal, NULL))
            g_ptr_array_add(values, (gpointer)value);
    }
    return values;
}

static const char *member(const GPtrArray *values, const char *wanted)
{
    guint place;
    return wanted && g_ptr_array_find_with_equal_func((GPtrArray *)values, wanted, g_str_equal, &place) ? g_ptr_array_index(values, place) : NULL;
}

static gboolean fail_choice(const char *id, const char *what, const char *wanted, const GPtrArray *values, GError **error)
{
    g_autoptr(GString) list = g_string_new(NULL);
    for (guint k = 0; k < values->len && k < 40; k++)
        g_string_append_printf(list, "%s%s", k ? ", " : "", (const char *)g_ptr_array_index(values, k));
    if (values->len > 40)
        g_string_append(list, ", ...");
    if (wanted)
        return glint_fail(error, GLINT_ERROR_DATA, "%s has no %s \"%s\"; it has: %s", id, what, wanted, list->str);
    return glint_fail(error, GLINT_ERROR_DATA, "%s has several %ss; choose one, as in %s:%s, among: %s", id, what, id,
                      (const char *)g_ptr_array_index(values, 0), list->str);
}

gboolean glint_splits_choose(const json_t *answer, const char *id, char *const parts[2], char **config, char **split, GError **error)
{
    const json_t *entries = json_object_get(answer, "splits");
    g_autoptr(GPtrArray) configs = values_of(entries, "config", NULL);
    if (!json_is_array(entries) || configs->len == 0)
        return glint_fail(error, GLINT_ERROR_DATA, "the hub names no splits of the data set %s; see https://huggingface.co/datasets/%s for what it "
                                                   "holds", id, id);
    const char *chosen = member(configs, parts[0]), *wanted_split = parts[0] && chosen ? parts[1] : parts[0];
    if (parts[1] && !chosen)
        return fail_choice(id, "configuration", parts[0], configs, error);
    if (!chosen)
        chosen = configs->len == 1 ? g_ptr_array_index(configs, 0) : member(configs, "default");
    if (!chosen)
        return fail_choice(id, "configuration", parts[0], configs, error);
    g_autoptr(GPtrArray) splits = values_of(entries, "split", chosen);
    if (splits->len == 0)
        return glint_fail(error, GLINT_ERROR_DATA, "the hub names no splits of the data set %s, configuration %s", id, chosen);
    const char *part = wanted_split ? member(splits, wanted_split) : splits->len == 1 ? g_ptr_array_index(splits, 0) : member(splits, "train");
    if (!part)
        return fail_choice(id, wanted_split && configs->len > 1 && !parts[1] && wanted_split == parts[0] ? "split or configuration" : "split",
                           wanted_split, splits, error);
    *config = g_strdup(chosen);
    *split = g_strdup(part);
    return TRUE;
}
