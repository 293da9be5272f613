/* The text of a continuation. See continuation.h.
 *
 * A token's text depends on its neighbours: characters may be split over tokens, and decoders strip the space of a first
 * token. So the new text is the difference of two decodings, of a window of tokens with and without the new ones; it
 * counts once it does not end inside a character (which decodes to U+FFFD). The window then moves on to the tokens that
 * were just added, and begins inside the prompt, so that a continuation keeps the space between prompt and answer. */
#include "model/continuation.h"
#include <string.h>

enum {
    PROMPT_TOKENS = 8, /* more than the bytes of a character */
    PATIENCE = 64,     /* tokens that may end inside a character one after the other; more are not text */
};

static const char replacement[] = "\xEF\xBF\xBD";

void gli_continuation_init(GliContinuation *self, const GlintTokenizer *tokenizer, const char *const *stops, const guint32 *prompt, gsize n_prompt)
{
    const gsize n = MIN(n_prompt, (gsize)PROMPT_TOKENS);
    *self = (GliContinuation){.tokenizer = tokenizer, .stops = stops, .ids = g_array_new(FALSE, FALSE, sizeof(guint32)), .text = g_string_new(NULL), .read = n};
    g_array_append_vals(self->ids, prompt + n_prompt - n, (guint)n);
}

void gli_continuation_clear(GliContinuation *self)
{
    g_clear_pointer(&self->ids, g_array_unref);
    if (self->text)
        g_string_free(self->text, TRUE);
    *self = (GliContinuation){0};
}

/* Cuts the text before the first stop string that ends behind `from`. */
static void find_stop(GliContinuation *self, gsize from)
{
    gsize cut = self->text->len;
    for (gsize i = 0; self->stops && self->stops[i]; i++) {
        const gsize length = strlen(self->stops[i]), back = length > 0 ? length - 1 : 0;
        const gsize begin = from > back ? from - back : 0;
        const char *found = length ? memmem(self->text->str + begin, self->text->len - begin, self->stops[i], length) : NULL;
        if (found && (!self->stopped || (gsize)(found - self->text->str) < cut)) {
            cut = (gsize)(found - self->text->str);
            self->stopped = TRUE;
        }
    }
    if (self->stopped)
        g_string_truncate(self->text, cut);
}

/* How many bytes at the end of the text begin some stop string. */
static gsize held_back(const GliContinuation *self)
{
    gsize most = 0;
    for (gsize i = 0; self->stops && self->stops[i]; i++)
        for (gsize n = MIN(strlen(self->stops[i]), self->text->len); n > most; n--)
            if (memcmp(self->text->str + self->text->len - n, self->stops[i], n) == 0)
                most = n;
    return most;
}

static void advance(GliContinuation *self, gboolean last)
{
    const guint32 *ids = (const guint32 *)(void *)self->ids->data + self->window;
    gsize old_length, length;
    g_free(glint_tokenizer_decode_length(self->tokenizer, ids, self->read - self->window, TRUE, &old_length));
    g_autofree char *now = glint_tokenizer_decode_length(self->tokenizer, ids, self->ids->len - self->window, TRUE, &length);
    const gboolean open = length >= 3 && memcmp(now + length - 3, replacement, 3) == 0;
    if (open && !last && self->ids->len - self->read < PATIENCE)
        return;
    const gsize from = self->text->len;
    if (length > old_length) {
        g_string_append_len(self->text, now + old_length, (gssize)(length - old_length));
        self->window = self->read;
    }
    self->read = self->ids->len;
    find_stop(self, from);
    self->sure = self->text->len - (self->stopped ? 0 : held_back(self));
}

void gli_continuation_add(GliContinuation *self, guint32 token)
{
    if (self->stopped)
        return;
    g_array_append_val(self->ids, token);
    advance(self, FALSE);
}

void gli_continuation_end(GliContinuation *self)
{
    if (!self->stopped && self->read < self->ids->len)
        advance(self, TRUE);
    self->sure = self->text->len;
}
