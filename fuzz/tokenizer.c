/* Fuzzes the reader of tokenizer.json, and what it reads: the input is a file, then a line "====", then a text (without the
 * line: a fixed one). Whatever opens must encode the text, decode the ids, and give ids that exist. */
#include "text/tokenizer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char separator[] = "\n====\n";
static const char fixed_text[] = " Hello, w\xC3\xB6rld 123 <s>\n\n a\xFF";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *cut = size > 0 ? memmem(data, size, separator, strlen(separator)) : NULL;
    const char *text = cut ? (const char *)cut + strlen(separator) : fixed_text;
    gsize length = cut ? size - (gsize)((const uint8_t *)text - data) : strlen(fixed_text);
    gsize json_length = cut ? (gsize)(cut - data) : size;
    g_autoptr(GError) error = NULL;
    g_autoptr(GlintTokenizer) tokenizer = glint_tokenizer_parse((const char *)data, json_length, "fuzz", &error);
    if ((tokenizer == NULL) == (error == NULL))
        abort();
    if (!tokenizer)
        return 0;
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(guint32));
    if (!glint_tokenizer_encode(tokenizer, text, (gssize)length, TRUE, ids, &error)) {
        if (!error || ids->len > 0)
            abort();
        return 0;
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
    return 0;
}
