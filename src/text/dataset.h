/* Labelled text. A dataset is read whole (texts are small beside activations), classes sorted by name, texts in an order
 * that depends on the content only, never on the file system: those of a folder or archive by id (bytewise), those of a
 * file as they stand there. What is skipped is counted, each record once: malformed, else unlabelled, else empty.
 * Texts are kept as they are, but for line ends at the end of a .txt file. */
#pragma once
#include <glib.h>

typedef struct {
    char *id;      /* path below the data set ("train/pos/0_9.txt"), or the record's own id, or "line 12" */
    char *text;    /* valid UTF-8, not empty */
    int label;     /* index into classes */
} GlintText;

typedef struct {
    GPtrArray *classes;  /* char*, sorted (integers by value) */
    GArray *texts;       /* GlintText */
    gsize n_read;        /* records seen, before sampling */
    gsize n_empty, n_unlabelled, n_invalid; /* skipped: empty text; no label; invalid UTF-8 or malformed record */
    char *format;        /* "folder", "archive", "jsonl", "csv", "tsv", "txt" */
    char *sha256;        /* of the texts, labels and ids used, in order: identifies the data for resuming */
} GlintDataset;

typedef struct {
    const char *text_column;  /* default "text" */
    const char *label_column; /* default "label" */
    gsize max_samples;        /* 0 = all; else drawn evenly from the classes (DESIGN 4) */
    guint64 seed;             /* of the draw */
} GlintDatasetOptions;

GlintDataset *glint_dataset_open(const char *path, const GlintDatasetOptions *options, GError **error);
void glint_dataset_free(GlintDataset *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintDataset, glint_dataset_free)
