/* Datasets in one file: JSON lines, CSV and TSV with a header, and plain lines.
 *
 * A record's id is its column "id" when it has one (text or integer), else "line N", where it starts. Malformed records (no
 * JSON object, a row with another number of fields than the header, a text that is not a string) are counted as invalid
 * and skipped; a file without any good record is an error that shows the first. A column that no record has is an error
 * that lists those there are: most likely --text-column or --label-column is wrong.
 *
 * CSV and TSV are read by libcsv: fields in double quotes may hold delimiters, line ends and doubled quotes. A quote that
 * is never closed would swallow the rest of the file, so it is an error. Blanks around unquoted fields belong to them. */
#include "base/error.h"
#include "text/dataset_records.h"
#include <csv.h>
#include <jansson.h>
#include <string.h>

/* The file's bytes without byte-order mark, in *start and *length. Mapped: text columns are copied record by record. */
static GMappedFile *map_text(const char *path, const char **start, gsize *length, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, &problem);
    if (!file) {
        glint_fail(error, GLINT_ERROR_IO, "cannot read %s: %s", path, problem->message);
        return NULL;
    }
    *start = g_mapped_file_get_contents(file);
    *length = g_mapped_file_get_length(file);
    if (*length == 0) {
        glint_fail(error, GLINT_ERROR_DATA, "%s: the file is empty", path);
        return NULL;
    }
    if (*length >= 2 && (memcmp(*start, "\xFF\xFE", 2) == 0 || memcmp(*start, "\xFE\xFF", 2) == 0)) {
        glint_fail(error, GLINT_ERROR_FORMAT, "%s: the text is UTF-16; convert it with: iconv -f UTF-16 -t UTF-8", path);
        return NULL;
    }
    *start = glint_skip_bom(*start, length);
    return g_steal_pointer(&file);
}

/* One line at a time: [*line, *line + result) without its line end; G_MAXSIZE at the end. Advances *rest. */
static gsize next_line(const char **rest, const char *end, const char **line)
{
    if (*rest >= end)
        return G_MAXSIZE;
    *line = *rest;
    const char *stop = memchr(*rest, '\n', (gsize)(end - *rest));
    gsize length = (gsize)((stop ? stop : end) - *rest);
    *rest = stop ? stop + 1 : end;
    return length > 0 && (*line)[length - 1] == '\r' ? length - 1 : length;
}

static gboolean fail_column(GError **error, const char *path, const char *what, const char *column, const GPtrArray *columns)
{
    g_autoptr(GString) list = g_string_new(NULL);
    for (guint k = 0; k < columns->len && k < 30; k++) {
        g_autofree char *valid = g_utf8_make_valid(g_ptr_array_index(columns, k), -1);
        g_string_append_printf(list, "%s%s", k ? ", " : "", valid);
    }
    return glint_fail(error, GLINT_ERROR_DATA, "%s: no column \"%s\" for the %s; the file has: %s%s; choose one with --%s-column", path, column, what,
                      list->len ? list->str : "none", columns->len > 30 ? ", ..." : "", what);
}

/* ---- JSON lines ---- */

typedef struct {
    const char *path, *text_column, *label_column;
    gboolean text_seen, label_seen;
    GPtrArray *columns;     /* names seen, for the message */
    GHashTable *column_set; /* the same, borrowed */
} JsonReader;

static void note_columns(JsonReader *self, json_t *record)
{
    const char *key;
    json_t *value;
    if (self->text_seen && self->label_seen)
        return;
    json_object_foreach(record, key, value) {
        self->text_seen = self->text_seen || strcmp(key, self->text_column) == 0;
        self->label_seen = self->label_seen || strcmp(key, self->label_column) == 0;
        if (self->columns->len < 64 && !g_hash_table_contains(self->column_set, key)) {
            char *name = g_strdup(key);
            g_ptr_array_add(self->columns, name);
            g_hash_table_add(self->column_set, name);
        }
    }
}

/* A label or id as text; NULL when it is absent or null, or (*ok FALSE) neither text, number nor truth value. */
static char *scalar_text(const json_t *value, gboolean *ok)
{
    *ok = TRUE;
    if (!value || json_is_null(value))
        return NULL;
    if (json_is_string(value))
        return g_strdup(json_string_value(value));
    if (json_is_integer(value))
        return g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (json_is_boolean(value))
        return g_strdup(json_is_true(value) ? "true" : "false");
    if (json_is_real(value)) { /* pandas writes integers of a column with gaps as 1.0 */
        double x = json_real_value(value);
        char digits[G_ASCII_DTOSTR_BUF_SIZE];
        if (x >= -9e15 && x <= 9e15 && x == (double)(gint64)x)
            return g_strdup_printf("%" G_GINT64_FORMAT, (gint64)x);
        return g_strdup(g_ascii_dtostr(digits, sizeof digits, x));
    }
    *ok = FALSE;
    return NULL;
}

static void read_json_record(JsonReader *self, GlintRecords *records, const char *line, gsize length, gsize number)
{
    json_error_t problem;
    g_autofree char *place = g_strdup_printf("line %zu", number);
    json_t *record = json_loadb(line, length, 0, &problem);
    gboolean label_ok, id_ok;
    if (!json_is_object(record)) {
        glint_records_skip_invalid(records, "%s: %s", place, record ? "a JSON object is expected" : problem.text);
        json_decref(record);
        return;
    }
    note_columns(self, record);
    const json_t *text = json_object_get(record, self->text_column);
    g_autofree char *label = scalar_text(json_object_get(record, self->label_column), &label_ok);
    g_autofree char *id = scalar_text(json_object_get(record, "id"), &id_ok);
    if (text && !json_is_null(text) && !json_is_string(text))
        glint_records_skip_invalid(records, "%s: \"%s\" is not a string", place, self->text_column);
    else if (!label_ok)
        glint_records_skip_invalid(records, "%s: \"%s\" is neither text nor number", place, self->label_column);
    else
        glint_records_add(records, id && *id ? g_steal_pointer(&id) : g_steal_pointer(&place), label, json_is_string(text) ? json_string_value(text) : "",
                          json_is_string(text) ? json_string_length(text) : 0);
    json_decref(record);
}

gboolean glint_read_jsonl(GlintRecords *records, const char *path, const char *text_column, const char *label_column, GError **error)
{
    const char *rest, *line;
    gsize size, length;
    g_autoptr(GMappedFile) file = map_text(path, &rest, &size, error);
    if (!file)
        return FALSE;
    g_autoptr(GPtrArray) columns = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GHashTable) column_set = g_hash_table_new(g_str_hash, g_str_equal);
    JsonReader reader = {path, text_column, label_column, FALSE, FALSE, columns, column_set};
    const char *end = rest + size;
    for (gsize number = 1; (length = next_line(&rest, end, &line)) != G_MAXSIZE; number++) {
        gsize blanks = 0;
        while (blanks < length && g_ascii_isspace(line[blanks]))
            blanks++;
        if (blanks < length)
            read_json_record(&reader, records, line, length, number);
    }
    if (columns->len > 0 && !reader.text_seen)
        return fail_column(error, path, "text", text_column, columns);
    if (columns->len > 0 && !reader.label_seen)
        return fail_column(error, path, "label", label_column, columns);
    return TRUE;
}

/* ---- CSV and TSV ---- */

typedef struct {
    GlintRecords *records;
    const char *path, *text_column, *label_column;
    GPtrArray *header;  /* column names, once the first row has ended */
    GPtrArray *fields;  /* GString* of the row under way, used again row after row */
    guint n_fields;
    guint text, label, id; /* places in a row; id = G_MAXUINT when there is none */
    gsize line;         /* line the row under way starts in */
    gboolean row_ended;
    GError *error;
} CsvReader;

static void free_field(gpointer field) { g_string_free(field, TRUE); }

static void on_field(void *bytes, size_t length, void *user_data)
{
    CsvReader *self = user_data;
    if (self->n_fields == self->fields->len)
        g_ptr_array_add(self->fields, g_string_new(NULL));
    GString *field = g_ptr_array_index(self->fields, self->n_fields++);
    g_string_truncate(field, 0);
    if (bytes)
        g_string_append_len(field, bytes, (gssize)length);
}

static guint find_column(const GPtrArray *header, const char *name)
{
    for (guint k = 0; k < header->len; k++)
        if (strcmp(g_ptr_array_index(header, k), name) == 0)
            return k;
    return G_MAXUINT;
}

static void read_header(CsvReader *self)
{
    self->header = g_ptr_array_new_with_free_func(g_free);
    for (guint k = 0; k < self->n_fields; k++)
        g_ptr_array_add(self->header, g_strstrip(g_strdup(((GString *)g_ptr_array_index(self->fields, k))->str)));
    self->text = find_column(self->header, self->text_column);
    self->label = find_column(self->header, self->label_column);
    self->id = find_column(self->header, "id");
    if (self->text == G_MAXUINT)
        fail_column(&self->error, self->path, "text", self->text_column, self->header);
    else if (self->label == G_MAXUINT)
        fail_column(&self->error, self->path, "label", self->label_column, self->header);
}

static void on_row(int end, void *user_data)
{
    (void)end;
    CsvReader *self = user_data;
    self->row_ended = TRUE;
    if (self->error) {
        /* the header was refused: nothing more is read */
    } else if (!self->header) {
        read_header(self);
    } else if (self->n_fields != self->header->len) {
        glint_records_skip_invalid(self->records, "line %zu has %u fields, the header %u", self->line, self->n_fields, self->header->len);
    } else {
        GString *text = g_ptr_array_index(self->fields, self->text), *label = g_ptr_array_index(self->fields, self->label);
        GString *id = self->id == G_MAXUINT ? NULL : g_ptr_array_index(self->fields, self->id);
        if (strlen(label->str) != label->len || (id && strlen(id->str) != id->len))
            glint_records_skip_invalid(self->records, "line %zu holds a NUL byte", self->line);
        else
            glint_records_add(self->records, id && id->len ? g_strdup(id->str) : g_strdup_printf("line %zu", self->line), label->str, text->str, text->len);
    }
    self->n_fields = 0;
}

static int no_space(unsigned char c)
{
    (void)c;
    return 0;
}

/* Feeds line by line, so that the line a row starts in is known. */
static gboolean feed_csv(CsvReader *self, struct csv_parser *parser, const char *rest, gsize size, GError **error)
{
    const char *end = rest + size;
    gsize number = 0;
    self->row_ended = TRUE;
    while (rest < end && !self->error) {
        const char *stop = memchr(rest, '\n', (gsize)(end - rest));
        gsize length = stop ? (gsize)(stop + 1 - rest) : (gsize)(end - rest);
        gboolean blank = rest[0] == '\n' || (rest[0] == '\r' && length <= 2), fresh = self->row_ended;
        number++;
        if (fresh)
            self->line = number;
        self->row_ended = fresh && blank; /* libcsv makes no row of it */
        if (csv_parse(parser, rest, length, on_field, on_row, self) != length)
            return glint_fail(error, GLINT_ERROR_FORMAT, "%s:%zu: %s", self->path, number, csv_strerror(csv_error(parser)));
        rest += length;
    }
    csv_set_opts(parser, CSV_STRICT | CSV_STRICT_FINI); /* only now: inside the file stray quotes are literal, at its end they must be closed */
    if (!self->error && csv_fini(parser, on_field, on_row, self) != 0)
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s:%zu: a field that starts with a double quote here is never closed; close it, or double "
                                                     "the quote marks inside a quoted field",
                          self->path, self->line);
    if (self->error) {
        g_propagate_error(error, g_steal_pointer(&self->error));
        return FALSE;
    }
    return TRUE;
}

gboolean glint_read_csv(GlintRecords *records, const char *path, char delimiter, const char *text_column, const char *label_column, GError **error)
{
    const char *start;
    gsize size;
    struct csv_parser parser;
    g_autoptr(GMappedFile) file = map_text(path, &start, &size, error);
    if (!file)
        return FALSE;
    if (csv_init(&parser, 0) != 0)
        return glint_fail(error, GLINT_ERROR_FAILED, "%s: no memory for the CSV reader", path);
    csv_set_delim(&parser, (unsigned char)delimiter);
    csv_set_space_func(&parser, no_space);
    CsvReader reader = {.records = records, .path = path, .text_column = text_column, .label_column = label_column};
    reader.fields = g_ptr_array_new_with_free_func(free_field);
    gboolean ok = feed_csv(&reader, &parser, start, size, error);
    csv_free(&parser);
    g_clear_pointer(&reader.header, g_ptr_array_unref);
    g_ptr_array_unref(reader.fields);
    return ok;
}

/* ---- plain lines: one class, "all" ---- */

gboolean glint_read_lines(GlintRecords *records, const char *path, GError **error)
{
    const char *rest, *line;
    gsize size, length;
    g_autoptr(GMappedFile) file = map_text(path, &rest, &size, error);
    if (!file)
        return FALSE;
    const char *end = rest + size;
    for (gsize number = 1; (length = next_line(&rest, end, &line)) != G_MAXSIZE; number++)
        glint_records_add(records, g_strdup_printf("line %zu", number), "all", line, length);
    return TRUE;
}
