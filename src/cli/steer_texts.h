/* The texts of a steering trial: those the graphs were estimated from, and others, held out, on which effects are measured. */
#pragma once
#include "steer/words.h"
#include "text/chat.h"
#include "text/dataset.h"
#include "text/tokenizer.h"

typedef struct {
    gsize n_prompts;        /* held-out prompts, evenly from the two classes */
    gsize prompt_tokens;    /* of each text, before the suffix */
    const char *suffix;     /* put behind every prompt ("\nThis film was"), or NULL */
    gsize n_neutral, neutral_tokens;
    const char *neutral;    /* a file of texts, one a line; NULL: held-out texts that are no prompts */
    gsize n_training;       /* of each class: for the difference in means, for learning words, for choosing signs */
    gsize max_tokens;       /* of training texts */
} GlintSteerTextOptions;

typedef struct {
    GlintSteerTexts *prompts, *choosing, *neutral, *training[2]; /* towards, away */
    GArray *prompt_text;    /* guint: number in `held_out` of each prompt */
    GArray *prompt_class;   /* int: 0 towards, 1 away */
    gsize n_used, n_held_out, skip; /* skip: what the tokenizer puts in front */
} GlintSteerSplit;

/* With a chat, texts are user turns of it (cut before they are put into it), and the model is about to answer. `used`: the data set as the run drew it; `all`: all of it. What is in `all` and not in `used` is held out. Order and choice depend on the content of the
 * files alone. Fails, with the cure, when a class has fewer than 8 texts held out. */
GlintSteerSplit *glint_steer_split(const GlintTokenizer *tokenizer, const GlintChat *chat, const GlintDataset *used, const GlintDataset *all, const char *towards, const char *away,
                                   const GlintSteerTextOptions *options, GError **error);
void glint_steer_split_free(GlintSteerSplit *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintSteerSplit, glint_steer_split_free)

/* Up to n texts of one class that `used` does not hold, each cut to max_tokens (user turns of `chat`, if any); at least 8, or an error with the cure. */
GlintSteerTexts *glint_steer_held_out(const GlintTokenizer *tokenizer, const GlintChat *chat, const GlintDataset *used, const GlintDataset *all,
                                      const char *class_name, gsize n, gsize max_tokens, GError **error);
