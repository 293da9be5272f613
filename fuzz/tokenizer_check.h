/* What both fuzz targets of tokenizers demand: whatever opens encodes the text or says why not, gives ids that exist, and decodes them
 * to UTF-8. */
#pragma once
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

static inline void check_tokenizer(const GlintTokenizer *tokenizer, const char *text, gsize length)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(guint32));
    if (!glint_tokenizer_encode(tokenizer, text, (gssize)length, TRUE, ids, &error)) {
        if (!error || ids->len > 0)
            abort();
        return;
    }
    for (guint i = 0; i < ids->len; i++) {
        guint32 id = g_array_index(ids, guint32, i);
        if (id >= glint_tokenizer_size(tokenizer) || !glint_tokenizer_token(tokenizer, id))
            abort();
    }
    for (int skip = 0; skip < 2; skip++) {
        gsize n;
        g_autofree char *back = glint_tokenizer_decode_length(tokenizer, (const guint32 *)(const void *)ids->data, ids->len, skip, &n);
        if (!g_utf8_validate_len(back, n, NULL) && memchr(back, 0, n) == NULL)
            abort();
    }
}

/* Cuts *data at the first line "====": what lies behind it, or NULL, and the lengths of both parts. */
static inline const char *cut_input(const char *data, gsize size, gsize *before, gsize *behind)
{
    static const char separator[] = "\n====\n";
    const char *cut = size > 0 ? memmem(data, size, separator, strlen(separator)) : NULL;
    *before = cut ? (gsize)(cut - data) : size;
    *behind = cut ? size - *before - strlen(separator) : 0;
    return cut ? cut + strlen(separator) : NULL;
}
