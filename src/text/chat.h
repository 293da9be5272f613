/* One question put to an instruction model, in the form it was trained on: what transformers' apply_chat_template() renders
 * of an optional system message and one user message with add_generation_prompt=True.
 *
 * Templates are programs in the Jinja language; glint does not run them. It recognises the handful that the families it
 * knows ship, by what is characteristic of each, and refuses others by name of the file. */
#pragma once
#include "text/tokenizer.h"

typedef struct {
    const char *format;   /* one of glint_chat_formats(); NULL = recognise the template of the folder */
    const char *system;   /* NULL = none, or what the template says by default */
    const char *date;     /* for Llama 3.1 and 3.2, "26 Jul 2024"; NULL = what transformers writes: a fixed date, or today's (Llama 3.2) */
    gboolean no_thinking; /* Qwen 3's enable_thinking=False */
} GlintChatOptions;

typedef struct GlintChat GlintChat;
/* `folder`: chat_template.jinja, or chat_template in tokenizer_config.json; BOS and EOS as tokenizer_config.json has them. */
GlintChat *glint_chat_open(const char *folder, const GlintChatOptions *options, GError **error);
void glint_chat_free(GlintChat *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintChat, glint_chat_free)

/* The text (length -1: up to the first NUL) with what lies around it, BOS written out where the template writes it. */
GString *glint_chat_render(const GlintChat *self, const char *text, gssize length);
/* Appends the ids of `text` as every command reads texts: rendered by `chat`, which writes BOS itself or wants none; or, chat
 * NULL, the text itself, with the special tokens around it that the model wants if `add_special`. */
gboolean glint_text_encode(const GlintTokenizer *tokenizer, const GlintChat *chat, const char *text, gssize length, gboolean add_special, GArray *ids, GError **error);
/* Leading ids of that which pooling leaves out: BOS. */
gsize glint_text_n_prefix(const GlintTokenizer *tokenizer, const GlintChat *chat);

const char *glint_chat_format(const GlintChat *self);   /* "gemma3", ... */
const char *glint_chat_identity(const GlintChat *self); /* differs when any text would be rendered differently */
const char *glint_chat_end(const GlintChat *self);      /* the token that ends the model's turn; NULL = EOS */
const char *glint_chat_formats(void);                   /* "gemma, gemma3, ..." */
