/* What makes each column (neuron) of a site respond: a summary of its activations over all tokens, kept in bounded memory
 * while they stream by.
 *   top, bottom   the k largest and the k smallest values that are not 0
 *   spread        2 k examples over the whole range of values: tokens drawn with probability in proportion to value squared (priority
 *                 sampling: Duffield, Lund & Thorup, J. ACM 54(6), 2007), for a uniform draw would hardly ever meet a high value
 *   rows          all columns at up to GLINT_EXAMPLES_ROWS tokens drawn uniformly: for quantiles and histograms
 * The draws depend on a hash of seed, the text's id and the token's position, and ties are broken by text and position. So the state is a
 * function of the set of tokens: batches, threads, resuming and shards do not change a bit of it, and merging is exact in any order.
 * A value of 0 is no activation and never an example. Use from one thread (the work inside is shared out). */
#pragma once
#include <glib.h>

enum { GLINT_EXAMPLES_ROWS = 1000, GLINT_EXAMPLES_SPREAD = 2 /* times k */, GLINT_EXAMPLES_MOST = 1000 /* largest k */ };

typedef struct {
    float value;
    float priority;         /* larger stays: value in top, -value in bottom, value^2 / u in spread */
    guint32 text, position; /* number of the text in its data set, token in it (0 = the first, BOS counted) */
} GlintExample;

typedef struct GlintExamples GlintExamples;
GlintExamples *glint_examples_new(gsize width, gsize k, guint64 seed); /* NULL when there is no memory, or a size is 0 or k too large */
void glint_examples_free(GlintExamples *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintExamples, glint_examples_free)

/* Tokens of one text, one behind the other. */
typedef struct {
    const float *rows;
    gsize n;
    guint32 text, position; /* of the first row */
    guint64 key;            /* glint_examples_key() of the text's id */
} GlintExampleRows;
guint64 glint_examples_key(guint64 seed, const char *text_id);
/* `stride`: elements from one row to the next. FALSE (no error set) when a value is not finite: *part and *column tell which. Every
 * token must be added once. */
gboolean glint_examples_add(GlintExamples *self, const GlintExampleRows *parts, gsize n_parts, gsize stride, gsize *part, gsize *column);
gboolean glint_examples_merge(GlintExamples *self, const GlintExamples *other, GError **error); /* width, k and seed must agree */

gsize glint_examples_width(const GlintExamples *self);
gsize glint_examples_k(const GlintExamples *self);
gsize glint_examples_n(const GlintExamples *self); /* tokens seen */
gsize glint_examples_bytes(gsize width, gsize k);  /* memory one takes, for planning */
/* Lists of a column, best first (spread: largest priority); *n entries, borrowed. */
const GlintExample *glint_examples_top(const GlintExamples *self, gsize column, gsize *n);
const GlintExample *glint_examples_bottom(const GlintExamples *self, gsize column, gsize *n);
const GlintExample *glint_examples_spread(const GlintExamples *self, gsize column, gsize *n);
gsize glint_examples_n_rows(const GlintExamples *self);
float glint_examples_row(const GlintExamples *self, gsize row, gsize column, guint32 *text, guint32 *position); /* text, position: may be NULL */

/* safetensors; all that the state is. docs/collect.md gives names and shapes. */
gboolean glint_examples_save(const GlintExamples *self, const char *path, GHashTable *metadata /* char* -> char*, may be NULL */, GError **error);
GlintExamples *glint_examples_load(const char *path, GError **error);
