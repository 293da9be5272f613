/* Tokenizers from a SentencePiece model (tokenizer.model) and what lies beside it. */
#pragma once
#include "text/tokenizer.h"

#include <jansson.h>

/* Reads `path`, and of its folder tokenizer_config.json and added_tokens.json where they exist. */
GlintTokenizer *glint_tokenizer_open_spm(const char *path, GError **error);
/* The same from memory; `config` (tokenizer_config.json) and `added` (added_tokens.json) may be NULL. */
GlintTokenizer *glint_tokenizer_parse_spm(const char *bytes, gsize length, const json_t *config, const json_t *added, const char *name, GError **error);
