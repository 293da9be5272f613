/* Private to the dataset readers: records as they are read, before classes are sorted and samples drawn.
 * Every reader (folder and archive in dataset_tree.c, the rest in dataset_table.c) feeds glint_records_add, so that what
 * counts as empty, unlabelled or invalid is decided in one place. */
#pragma once
#include <glib.h>

typedef struct {
    char *id, *text; /* owned */
    guint label;     /* index into GlintRecords.labels */
} GlintRecord;

typedef struct {
    GArray *records;       /* GlintRecord */
    GPtrArray *labels;     /* char*, in order of appearance, owned */
    GHashTable *label_index;
    gsize n_read, n_empty, n_unlabelled, n_invalid;
    char *problem;         /* the first record skipped as invalid, for the message when nothing is left; NULL = none */
} GlintRecords;

void glint_records_init(GlintRecords *self);
void glint_records_release(GlintRecords *self);

/* Takes `id`; copies `text` (need not end in NUL) and `label`. A NULL or blank label counts as unlabelled; a blank text as
 * empty; invalid UTF-8 in any of them (a NUL byte too) as invalid. */
void glint_records_add(GlintRecords *self, char *id, const char *label, const char *text, gsize length);
/* Counts a record that could not be read at all; the reason of the first is kept. */
void glint_records_skip_invalid(GlintRecords *self, const char *format, ...) G_GNUC_PRINTF(2, 3);
void glint_records_skip_unlabelled(GlintRecords *self);

/* Bytes behind a UTF-8 byte-order mark. */
const char *glint_skip_bom(const char *text, gsize *length);

gboolean glint_read_folder(GlintRecords *records, const char *path, GError **error);
gboolean glint_read_archive(GlintRecords *records, const char *path, GError **error);
gboolean glint_read_jsonl(GlintRecords *records, const char *path, const char *text_column, const char *label_column, GError **error);
gboolean glint_read_csv(GlintRecords *records, const char *path, char delimiter, const char *text_column, const char *label_column, GError **error);
gboolean glint_read_lines(GlintRecords *records, const char *path, GError **error);
