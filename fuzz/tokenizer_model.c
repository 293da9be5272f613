/* Fuzzes the reader of tokenizer.model, and what it reads: the input is a file, then a line "====" and a tokenizer_config.json, then
 * another such line and a text (without these: none, and a fixed one). */
#include "base/files.h"
#include "text/tokenizer_spm.h"
#include "tokenizer_check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char fixed_text[] = "  Hello,  w\xC3\xB6rld 123 <s>\n\n a\xFF\xEF\xAC\x81\xC2\xA0 ";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gsize n_model, n_rest, n_config = 0, n_text = 0;
    const char *config_text = cut_input((const char *)data, size, &n_model, &n_rest);
    const char *text = config_text ? cut_input(config_text, n_rest, &n_config, &n_text) : NULL;
    g_autoptr(json_t) config = config_text ? json_loadb(config_text, n_config, 0, NULL) : NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GlintTokenizer) tokenizer = glint_tokenizer_parse_spm((const char *)data, n_model, json_is_object(config) ? config : NULL, NULL, "fuzz", &error);
    if ((tokenizer == NULL) == (error == NULL))
        abort();
    if (tokenizer)
        check_tokenizer(tokenizer, text ? text : fixed_text, text ? n_text : strlen(fixed_text));
    return 0;
}
