/* Tokenizers as Hugging Face's tokenizer.json describes them: byte-level BPE (GPT-2, Llama 3, Qwen), SentencePiece-style BPE with
 * byte fallback (Llama 2, Gemma, TinyStories), and Unigram (T5); or as a SentencePiece model (tokenizer.model) does. The pipeline is
 * normalizer, added tokens, pre-tokenizer, model, post-processor; every kind that occurs in the file is implemented, or opening fails
 * and names it. Thread-safe after opening. */
#pragma once
#include <glib.h>

typedef struct GlintTokenizer GlintTokenizer;

/* `path`: a tokenizer.json, a tokenizer.model, or a model folder that holds one of them (the former counts first). */
GlintTokenizer *glint_tokenizer_open(const char *path, GError **error);
GlintTokenizer *glint_tokenizer_parse(const char *json, gsize length, const char *name, GError **error);
void glint_tokenizer_free(GlintTokenizer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintTokenizer, glint_tokenizer_free)

gsize glint_tokenizer_size(const GlintTokenizer *self);                       /* largest id + 1 */
const char *glint_tokenizer_token(const GlintTokenizer *self, guint32 id);    /* as in the file; NULL if no such id */
gint64 glint_tokenizer_id(const GlintTokenizer *self, const char *token);     /* -1 if absent */
gboolean glint_tokenizer_is_special(const GlintTokenizer *self, guint32 id);
const char *glint_tokenizer_sha256(const GlintTokenizer *self);

/* Appends the ids of `text` (UTF-8, NUL characters allowed when `length` is given; -1: to the first NUL) to `ids` (GArray of
 * guint32). Each maximal ill-formed part becomes one U+FFFD, as Python's bytes.decode(errors="replace") does.
 * `add_special`: apply the post-processor (BOS, EOS). Special tokens written in the text are recognised, as upstream. */
gboolean glint_tokenizer_encode(const GlintTokenizer *self, const char *text, gssize length, gboolean add_special, GArray *ids, GError **error);
/* How many of the leading ids the post-processor put there (0 or 1 for the families here): pooling leaves them out. */
gsize glint_tokenizer_n_prefix(const GlintTokenizer *self);
/* Text of ids, free with g_free; invalid UTF-8 from byte tokens becomes U+FFFD, ids that do not exist are passed over (as
 * upstream). Should a pattern of the decoder exceed the limits of PCRE2, the text is a single U+FFFD. */
char *glint_tokenizer_decode(const GlintTokenizer *self, const guint32 *ids, gsize n, gboolean skip_special);
/* The same for texts that may hold NUL characters: *length is the number of bytes before the final NUL. */
char *glint_tokenizer_decode_length(const GlintTokenizer *self, const guint32 *ids, gsize n, gboolean skip_special, gsize *length);
