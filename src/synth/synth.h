/* Text made for the purpose: matched sets of texts, one per label, that share template, length and style and differ in a concept.
 * They come from glint's own grammars (glint_synth_local) or from a language model (glint_synth_ask). */
#pragma once
#include "base/files.h"
#include "synth/grammar.h"
#include <glib.h>

/* What is to be told apart. All pointers are borrowed. */
typedef struct {
    const char *name;             /* "golden-gate", or the topic */
    const char *const *labels;    /* n_labels, at least 2, all different */
    const char *const *concepts;  /* what the texts of each label are: "a text about jazz" */
    guint n_labels;
} GlintSynthTask;

typedef struct {
    char **texts;   /* one per label, NULL-terminated */
    char *frame;    /* what the texts have in common, "" when that is not known */
    char *subject;  /* "" when there is none */
} GlintSynthSet;

/* Why texts were not taken. */
typedef enum { GLINT_SYNTH_TAKEN, GLINT_SYNTH_EMPTY, GLINT_SYNTH_ALIKE, GLINT_SYNTH_DUPLICATE, GLINT_SYNTH_UNMATCHED, GLINT_SYNTH_REFUSED,
              GLINT_SYNTH_N_VERDICTS } GlintSynthVerdict;

typedef struct {
    char *name;
    char **labels;    /* NULL-terminated */
    guint n_labels;
    gboolean translated; /* words need not be as many on all sides */
    GPtrArray *sets;  /* GlintSynthSet */
    GHashTable *seen; /* texts without case and punctuation */
    gsize counts[GLINT_SYNTH_N_VERDICTS];
    json_t *origin;   /* how it was made: generator, seed, tokens, ... */
} GlintSynthData;

GlintSynthData *glint_synth_data_new(const GlintSynthTask *task, gboolean translated);
void glint_synth_data_free(GlintSynthData *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintSynthData, glint_synth_data_free)

/* Takes a copy of one text per label, unless one is empty, says that it will not be written, is as good as one that is there, or the
 * set is no match: one text more than half as long again as another (in words, and five more). */
GlintSynthVerdict glint_synth_add(GlintSynthData *self, const char *const *texts, const char *frame, const char *subject);
const char *glint_synth_verdict_name(GlintSynthVerdict verdict); /* "duplicate" */

/* n sets from the grammar of a recipe; the same seed gives the same everywhere. */
GlintSynthData *glint_synth_local(const GlintRecipe *recipe, gsize n, guint64 seed, GError **error);

/* JSON lines: id, text, label, pair (number of the set), recipe, and frame and subject where known. */
gboolean glint_synth_write(const GlintSynthData *self, const char *path, GError **error);

/* How much of the label is surface: see leakage.c for what the report holds. "verdict" is a list of sentences. Once glint_interrupted()
 * the report means nothing, and the caller throws it away. */
json_t *glint_synth_leakage(const GlintSynthData *self, guint64 seed);
