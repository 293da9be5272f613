/* Opening a labelled dataset: picks the reader by the path, sorts the classes, draws the sample, hashes the result.
 *
 * Order of the texts: a folder's or an archive's are sorted by id (the path below the data set, bytewise); those of a file
 * stay as they stand in it. Sampling keeps that order. So nothing depends on the file system.
 *
 * The draw: each class gets the same share of max_samples (the first classes one more when it does not divide); what a small
 * class cannot fill is shared among the others in the same way. Within a class, a Fisher-Yates shuffle by SplitMix64
 * (Steele, Lea & Flood 2014), seeded with the seed and the class name, is cut off after the share: every subset is equally likely,
 * and the sample of N is part of the sample of N+1.
 *
 * Owner: GlintDataset owns everything it points to. Records move from GlintRecords without copying texts. */
#include "text/dataset.h"
#include "base/error.h"
#include "base/random.h"
#include "text/dataset_records.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static void clear_text(gpointer data)
{
    GlintText *text = data;
    g_free(text->id);
    g_free(text->text);
}

void glint_dataset_free(GlintDataset *self)
{
    if (!self)
        return;
    g_clear_pointer(&self->classes, g_ptr_array_unref);
    g_clear_pointer(&self->texts, g_array_unref);
    g_free(self->format);
    g_free(self->sha256);
    g_free(self);
}

/* ---- records ---- */

static void clear_record(gpointer data)
{
    GlintRecord *record = data;
    g_free(record->id);
    g_free(record->text);
}

void glint_records_init(GlintRecords *self)
{
    *self = (GlintRecords){0};
    self->records = g_array_new(FALSE, FALSE, sizeof(GlintRecord));
    g_array_set_clear_func(self->records, clear_record);
    self->labels = g_ptr_array_new_with_free_func(g_free);
    self->label_index = g_hash_table_new(g_str_hash, g_str_equal);
}

void glint_records_release(GlintRecords *self)
{
    g_clear_pointer(&self->records, g_array_unref);
    g_clear_pointer(&self->label_index, g_hash_table_unref); /* borrows its keys from labels */
    g_clear_pointer(&self->labels, g_ptr_array_unref);
    g_clear_pointer(&self->problem, g_free);
}

void glint_records_skip_invalid(GlintRecords *self, const char *format, ...)
{
    self->n_read++;
    self->n_invalid++;
    if (self->problem)
        return;
    va_list args;
    va_start(args, format);
    self->problem = g_strdup_vprintf(format, args);
    va_end(args);
}

void glint_records_skip_unlabelled(GlintRecords *self)
{
    self->n_read++;
    self->n_unlabelled++;
}

const char *glint_skip_bom(const char *text, gsize *length)
{
    if (*length < 3 || memcmp(text, "\xEF\xBB\xBF", 3) != 0)
        return text;
    *length -= 3;
    return text + 3;
}

static gboolean is_blank(const char *text, gsize length)
{
    for (const char *c = text; c < text + length; c = g_utf8_next_char(c))
        if (!g_unichar_isspace(g_utf8_get_char(c)))
            return FALSE;
    return TRUE;
}

static guint label_number(GlintRecords *self, const char *label)
{
    gpointer found;
    if (g_hash_table_lookup_extended(self->label_index, label, NULL, &found))
        return GPOINTER_TO_UINT(found);
    char *name = g_strdup(label);
    g_ptr_array_add(self->labels, name);
    g_hash_table_insert(self->label_index, name, GUINT_TO_POINTER(self->labels->len - 1));
    return self->labels->len - 1;
}

void glint_records_add(GlintRecords *self, char *id, const char *label, const char *text, gsize length)
{
    g_autofree char *owned_id = id;
    g_autofree char *name = label ? g_strstrip(g_strdup(label)) : NULL;
    if ((name && !g_utf8_validate(name, -1, NULL)) || !g_utf8_validate(id, -1, NULL) || !g_utf8_validate(text, (gssize)length, NULL)) {
        g_autofree char *shown = g_utf8_make_valid(id, -1);
        glint_records_skip_invalid(self, "%s is not valid UTF-8", shown);
        return;
    }
    self->n_read++;
    if (!name || !*name) {
        self->n_unlabelled++;
    } else if (is_blank(text, length)) {
        self->n_empty++;
    } else {
        GlintRecord record = {g_steal_pointer(&owned_id), g_strndup(text, length), label_number(self, name)};
        g_array_append_val(self->records, record);
    }
}

/* ---- classes ---- */

/* Value of a decimal integer that fits 64 bits. */
static gboolean as_integer(const char *text, gint64 *value)
{
    return g_ascii_string_to_signed(text, 10, G_MININT64, G_MAXINT64, value, NULL);
}

static gint by_name(gconstpointer a, gconstpointer b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static gint by_value(gconstpointer a, gconstpointer b)
{
    gint64 x = 0, y = 0;
    as_integer(*(char *const *)a, &x);
    as_integer(*(char *const *)b, &y);
    return x < y ? -1 : x > y ? 1 : by_name(a, b); /* "1" and "01" are two names */
}

/* Sorted class names; order[k] = place of label k among them. Only labels that kept a text are classes. */
static GPtrArray *sort_classes(const GlintRecords *records, guint *order)
{
    GPtrArray *classes = g_ptr_array_new_with_free_func(g_free);
    gboolean integers = TRUE;
    gint64 value;
    for (guint k = 0; k < records->labels->len; k++) {
        const char *label = g_ptr_array_index(records->labels, k);
        integers = integers && as_integer(label, &value);
        g_ptr_array_add(classes, g_strdup(label));
    }
    g_ptr_array_sort(classes, integers ? by_value : by_name);
    for (guint c = 0; c < classes->len; c++)
        order[GPOINTER_TO_UINT(g_hash_table_lookup(records->label_index, g_ptr_array_index(classes, c)))] = c;
    return classes;
}

/* ---- sampling ---- */

static guint64 stream_of(guint64 seed, const char *class_name)
{
    guint64 hash = G_GUINT64_CONSTANT(0xCBF29CE484222325); /* FNV-1a: classes draw independently of each other */
    for (const char *c = class_name; *c; c++)
        hash = (hash ^ (guchar)*c) * G_GUINT64_CONSTANT(0x100000001B3);
    guint64 state = seed;
    return glint_random_next(&state) ^ hash;
}

/* Shares of `total` for classes of the given sizes: even, and never more than a class has. */
static void share_out(const gsize *size, guint n_classes, gsize total, gsize *share)
{
    memset(share, 0, n_classes * sizeof *share);
    for (;;) {
        guint open = 0;
        for (guint c = 0; c < n_classes; c++)
            open += share[c] < size[c];
        if (open == 0 || total == 0)
            return;
        gsize each = total / open, extra = total % open; /* extra: one more for the first open classes */
        for (guint c = 0; c < n_classes; c++) {
            if (share[c] >= size[c])
                continue;
            gsize more = MIN(each + (extra > 0), size[c] - share[c]);
            extra -= extra > 0;
            share[c] += more;
            total -= more;
        }
    }
}

/* keep[i] = TRUE for the texts drawn. */
static void draw_sample(const GlintRecords *records, const guint *order, const GPtrArray *classes, gsize max_samples, guint64 seed, gboolean *keep)
{
    guint n = records->records->len, n_classes = classes->len;
    g_autofree gsize *size = g_new0(gsize, n_classes + 1), *share = g_new0(gsize, n_classes + 1), *member = g_new(gsize, n + 1);
    for (guint i = 0; i < n; i++)
        size[order[g_array_index(records->records, GlintRecord, i).label]]++;
    share_out(size, n_classes, max_samples, share);
    for (guint c = 0; c < n_classes; c++) {
        gsize m = 0;
        for (guint i = 0; i < n; i++)
            if (order[g_array_index(records->records, GlintRecord, i).label] == c)
                member[m++] = i;
        guint64 state = stream_of(seed, g_ptr_array_index(classes, c));
        for (gsize k = 0; k < share[c]; k++) {
            gsize other = k + glint_random_below(&state, m - k), held = member[k];
            member[k] = member[other];
            member[other] = held;
            keep[member[k]] = TRUE;
        }
    }
}

/* ---- putting it together ---- */

static void hash_field(GChecksum *sum, const char *text)
{
    gsize length = strlen(text);
    g_autofree char *head = g_strdup_printf("%zu:", length); /* length first, so that no two lists of fields read alike */
    g_checksum_update(sum, (const guchar *)head, -1);
    g_checksum_update(sum, (const guchar *)text, (gssize)length);
}

static char *hash_texts(const GlintDataset *dataset)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    for (guint i = 0; i < dataset->texts->len; i++) {
        const GlintText *text = &g_array_index(dataset->texts, GlintText, i);
        hash_field(sum, g_ptr_array_index(dataset->classes, text->label));
        hash_field(sum, text->id);
        hash_field(sum, text->text);
    }
    return g_strdup(g_checksum_get_string(sum));
}

/* Moves the kept records into a dataset. Classes that got no text in the draw stay listed: that they are missing must show. */
static GlintDataset *build(GlintRecords *records, const GlintDatasetOptions *options, const char *format)
{
    GlintDataset *self = g_new0(GlintDataset, 1);
    guint n = records->records->len;
    g_autofree guint *order = g_new0(guint, records->labels->len + 1);
    g_autofree gboolean *keep = g_new0(gboolean, n + 1);
    self->classes = sort_classes(records, order);
    self->texts = g_array_new(FALSE, FALSE, sizeof(GlintText));
    g_array_set_clear_func(self->texts, clear_text);
    gboolean all = options->max_samples == 0 || options->max_samples >= n;
    if (!all)
        draw_sample(records, order, self->classes, options->max_samples, options->seed, keep);
    for (guint i = 0; i < n; i++) {
        GlintRecord *record = &g_array_index(records->records, GlintRecord, i);
        if (!all && !keep[i])
            continue;
        GlintText text = {g_steal_pointer(&record->id), g_steal_pointer(&record->text), (int)order[record->label]};
        g_array_append_val(self->texts, text);
    }
    self->n_read = records->n_read;
    self->n_empty = records->n_empty;
    self->n_unlabelled = records->n_unlabelled;
    self->n_invalid = records->n_invalid;
    self->format = g_strdup(format);
    self->sha256 = hash_texts(self);
    return self;
}

static gboolean has_suffix(const char *path, const char *const *suffixes)
{
    g_autofree char *lower = g_ascii_strdown(path, -1);
    for (; *suffixes; suffixes++)
        if (g_str_has_suffix(lower, *suffixes))
            return TRUE;
    return FALSE;
}

static const char *format_of(const char *path, GError **error)
{
    static const char *const archive[] = {".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tar.zst", ".zip", NULL};
    static const char *const jsonl[] = {".jsonl", ".ndjson", NULL}, *const csv[] = {".csv", NULL}, *const tsv[] = {".tsv", NULL}, *const txt[] = {".txt", NULL};
    static const char *const parquet[] = {".parquet", ".arrow", ".feather", NULL};
    struct stat status;
    if (stat(path, &status) != 0) {
        glint_fail(error, GLINT_ERROR_IO, "cannot open dataset %s: %s", path, g_strerror(errno));
        return NULL;
    }
    if (S_ISDIR(status.st_mode))
        return "folder";
    if (!S_ISREG(status.st_mode)) { /* opening a pipe would wait for its writer, perhaps for ever */
        glint_fail(error, GLINT_ERROR_IO, "cannot read dataset %s: it is a pipe or device; save it to a file first", path);
        return NULL;
    }
    if (has_suffix(path, archive))
        return "archive";
    if (has_suffix(path, jsonl))
        return "jsonl";
    if (has_suffix(path, csv))
        return "csv";
    if (has_suffix(path, tsv))
        return "tsv";
    if (has_suffix(path, txt))
        return "txt";
    if (has_suffix(path, parquet)) {
        glint_fail(error, GLINT_ERROR_UNSUPPORTED, "%s: Parquet and Arrow files are not read; convert it with: python3 -c \"import pandas; "
                                                   "pandas.read_parquet('%s').to_json('data.jsonl', orient='records', lines=True)\", "
                   "or give the data set's name on the hub, org/name", path, path);
        return NULL;
    }
    glint_fail(error, GLINT_ERROR_UNSUPPORTED, "%s: not a kind of dataset that glint reads; give a folder with one sub-folder of .txt files per class, "
               "such a folder as .tar.gz, .tar.xz or .zip, or a file ending in .jsonl, .csv, .tsv or .txt", path);
    return NULL;
}

GlintDataset *glint_dataset_open(const char *path, const GlintDatasetOptions *options, GError **error)
{
    static const GlintDatasetOptions defaults = {0};
    options = options ? options : &defaults;
    const char *text = options->text_column ? options->text_column : "text", *label = options->label_column ? options->label_column : "label";
    const char *format = format_of(path, error);
    if (!format)
        return NULL;
    GlintRecords records;
    glint_records_init(&records);
    gboolean ok = g_str_equal(format, "folder")    ? glint_read_folder(&records, path, error)
                  : g_str_equal(format, "archive") ? glint_read_archive(&records, path, error)
                  : g_str_equal(format, "jsonl")   ? glint_read_jsonl(&records, path, text, label, error)
                  : g_str_equal(format, "csv")     ? glint_read_csv(&records, path, ',', text, label, error)
                  : g_str_equal(format, "tsv")     ? glint_read_csv(&records, path, '\t', text, label, error)
                                                   : glint_read_lines(&records, path, error);
    GlintDataset *self = NULL;
    if (ok && records.records->len == 0)
        glint_fail(error, GLINT_ERROR_DATA, "%s: no text to use among %zu records (%zu empty, %zu without a label, %zu invalid)%s%s", path, records.n_read,
                   records.n_empty, records.n_unlabelled, records.n_invalid, records.problem ? "; the first invalid one: " : "", records.problem ? records.problem : "");
    else if (ok)
        self = build(&records, options, format);
    glint_records_release(&records);
    return self;
}
