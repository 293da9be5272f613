/* The text of one continuation as it grows token by token, and where stop strings end it. Private to the model stage. */
#pragma once
#include "text/tokenizer.h"

typedef struct {
    const GlintTokenizer *tokenizer;
    const char *const *stops; /* NULL-terminated or NULL, borrowed */
    GArray *ids;              /* the last tokens of the prompt, then what was generated */
    gsize window, read;       /* ids [window, read) are in `text`; decoding starts at window */
    GString *text;            /* everything decoded so far; cut before the stop string once stopped */
    gsize sure;               /* leading bytes of `text` that will stay whatever follows */
    gboolean stopped;
} GliContinuation;

void gli_continuation_init(GliContinuation *self, const GlintTokenizer *tokenizer, const char *const *stops, const guint32 *prompt, gsize n_prompt);
void gli_continuation_clear(GliContinuation *self);
/* Adds a token. self->stopped: a stop string is complete, and the text ends before it. */
void gli_continuation_add(GliContinuation *self, guint32 token);
/* No more tokens will come: bytes of a character that was never completed become U+FFFD, and all of the text is sure. */
void gli_continuation_end(GliContinuation *self);
