/* The answers of the hub's rows API (https://datasets-server.huggingface.co), checked and turned into JSON lines. Nothing here
 * opens a connection; dataset.c does.
 *
 * A line holds the row's columns that are one string, number, truth value or class; a class is written by its name, and one
 * that has none (-1 where labels are kept back) as null. Columns of other kinds (lists, pictures) are left out. Rows without a
 * column "id" get one: "train/17". */
#pragma once
#include <glib.h>
#include <jansson.h>

enum { GLINT_ROWS_PER_PAGE = 100 }; /* the most that the API gives at once */

typedef enum { GLINT_COLUMN_TEXT, GLINT_COLUMN_CLASS, GLINT_COLUMN_NUMBER, GLINT_COLUMN_TRUTH, GLINT_COLUMN_OTHER } GlintColumnKind;

typedef struct {
    char *name, *type;     /* type: as the API spells it, for messages: "string", "int64", "Image", "List" */
    GlintColumnKind kind;
    GPtrArray *classes;    /* char*, names of a CLASS column by number; else NULL */
} GlintColumn;

/* One split of one configuration of a data set. */
typedef struct {
    char *dataset, *config, *split;
    guint64 n_rows;
    GPtrArray *columns; /* GlintColumn */
    gboolean partial;   /* the server holds the first n_rows only */
} GlintSplit;

/* Reads "features", "num_rows_total" and "partial" of an answer of /rows, or of a file that glint_split_json() made. `where`
 * stands before messages. */
GlintSplit *glint_split_parse(const json_t *answer, const char *dataset, const char *config, const char *split, const char *where, GError **error);
json_t *glint_split_json(const GlintSplit *self, const json_t *answer); /* what a later parse needs, without the rows */
void glint_split_free(GlintSplit *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintSplit, glint_split_free)

/* Appends the answer's rows to `lines` (char*, no line end). The answer must hold rows offset..offset+length-1 (the last page:
 * up to the end), in order, of a split of the size known: anything else is an error. A row of which the server cut a text, number
 * or class is written with its id only and counted in *n_cut. */
gboolean glint_rows_parse(const GlintSplit *self, const json_t *answer, guint64 offset, guint64 length, const char *where, GPtrArray *lines,
                          guint64 *n_cut, GError **error);

/* Configurations and splits out of an answer of /splits. Which one is meant by the parts behind a name (both may be NULL): a
 * part alone is a config when there is one of that name, else a split; without a config the only one, or "default"; without
 * a split "train", or the only one. Else an error lists what there is. */
gboolean glint_splits_choose(const json_t *answer, const char *id, char *const parts[2], char **config, char **split, GError **error);
