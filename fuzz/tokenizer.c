/* Fuzzes the reader of tokenizer.json, and what it reads: the input is a file, then a line "====", then a text (without the
 * line: a fixed one). */
#include "tokenizer_check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char fixed_text[] = " Hello, w\xC3\xB6rld 123 <s>\n\n a\xFF";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gsize n_json, n_text;
    const char *text = cut_input((const char *)data, size, &n_json, &n_text);
    g_autoptr(GError) error = NULL;
    g_autoptr(GlintTokenizer) tokenizer = glint_tokenizer_parse((const char *)data, n_json, "fuzz", &error);
    if ((tokenizer == NULL) == (error == NULL))
        abort();
    if (tokenizer)
        check_tokenizer(tokenizer, text ? text : fixed_text, text ? n_text : strlen(fixed_text));
    return 0;
}
