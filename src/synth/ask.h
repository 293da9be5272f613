/* Matched sets of texts from a language model. */
#pragma once
#include "synth/question.h"
#include "synth/synth.h"

typedef struct {
    gsize n;            /* sets wanted */
    guint per_request;  /* sets asked for at once; 0 means 10 */
    guint64 seed;       /* of what the batches are to be about, so that they differ */
    gboolean translated;
} GlintAskOptions;

/* The sets, in an order that depends on the answers only. Fails when the model does not come to n of them with three times the
 * requests that should do; the message says why sets were dropped. */
GlintSynthData *glint_synth_ask(const GlintSynthTask *task, const GlintAskOptions *options, const GlintAnswerer *answerer, GError **error);

/* The prompts of the first round, as --dry-run prints them; free with g_strfreev. The first is the system's. */
char **glint_synth_prompts(const GlintSynthTask *task, const GlintAskOptions *options);

/* Calls `visit` with one text per label for every set found in what a model wrote: JSON objects with the keys "a", "b", ..., however
 * they are nested, fenced, numbered or surrounded by talk; objects that are cut off or lack a key are passed over. Returns their number. */
typedef void (*GlintSetVisitor)(const char *const *texts, gpointer data);
gsize glint_sets_find(const char *answer, guint n_labels, GlintSetVisitor visit, gpointer data);
