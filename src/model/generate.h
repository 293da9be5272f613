/* Continuing texts: many prompts at once over a cache of keys and values, greedy or sampled, with taps called all the while.
 *
 * A text that ends makes room for the next prompt, so that a pass always holds as many texts as it may. A text's random
 * numbers depend on the seed and on its number among the prompts alone, not on what runs beside it. */
#pragma once
#include "model/model.h"
#include "text/tokenizer.h"

/* ---- the cache ---- */

/* Keys and values of `n_sequences` sequences of up to `capacity` tokens each, f32. Belongs to one model. */
typedef struct GlintCache GlintCache;
GlintCache *glint_cache_new(const GlintModel *model, gsize n_sequences, gsize capacity, GError **error);
void glint_cache_free(GlintCache *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintCache, glint_cache_free)
gsize glint_cache_length(const GlintCache *self, gsize sequence); /* tokens seen so far */
void glint_cache_forget(GlintCache *self, gsize sequence);        /* the next token is the first of a new text */

/* glint_model_forward() for tokens that follow those in the cache: sequence s of the batch continues sequence s of the
 * cache, and may be empty (its row of GLINT_LOGITS_LAST then means nothing). Always runs all layers. */
gboolean glint_model_forward_cached(GlintModel *model, GlintCache *cache, const GlintBatch *batch, const GlintTap *taps, gsize n_taps,
                                    GlintLogits which, float *logits, GError **error);

/* ---- what is wanted ---- */

typedef struct {
    const guint32 *tokens; /* borrowed; encode with BOS where the model wants one */
    gsize n_tokens;        /* at least 1 */
} GlintPrompt;

/* One pass of generation, told before it runs: what a tap needs to know about the rows it is going to see. Row r of the
 * batch's sequence s is token past[s] + (r - start[s]) of text prompt[s], counted from the prompt's first. */
typedef struct {
    gsize n_sequences;
    const gsize *prompt; /* number of the prompt; G_MAXSIZE: nothing runs here, the sequence is empty */
    const gsize *past;
} GlintGenerateStep;

/* Fill with glint_generate_settings_init(), then change what differs. All pointers are borrowed. */
typedef struct {
    gsize max_new_tokens; /* 128 */
    /* Sampling. temperature 0: the most likely token, the smaller id on ties, and the three filters mean nothing. Filters
     * apply in this order to p = softmax(logits / temperature): the top_k largest (0 = all), of these the fewest whose
     * share reaches top_p (1 = all), of these the ones with p >= min_p max p (0 = all). Ties: the smaller id comes first. */
    double temperature;
    gsize top_k;
    double top_p, min_p;
    guint64 seed; /* of SplitMix64, see sampling.h; the same numbers on every machine */
    /* A text ends behind the first of these tokens, which is kept among its tokens but not in its text. */
    const guint32 *stop_tokens;
    gsize n_stop_tokens;
    const char *const *stop_strings; /* NULL-terminated or NULL; needs a tokenizer. The text ends before the first of these */
    gsize batch_size;                /* texts run at once; 0 = 32 */
    /* Taps see prompts and generated tokens alike. The last token of a text is never run, nobody needs its successor. */
    const GlintTap *taps;
    gsize n_taps;
    gboolean (*on_step)(const GlintGenerateStep *step, gpointer user_data, GError **error); /* NULL ok */
    /* Each new token, with what it adds to the text that is sure to stay: valid UTF-8, nothing of a stop string; "" while
     * a character or a possible stop string is incomplete, and what was held back follows with the last call, `ended`. */
    gboolean (*on_token)(gsize prompt, guint32 token, const char *text, gsize length, gboolean ended, gpointer user_data, GError **error); /* NULL ok */
    gpointer user_data; /* of both functions */
} GlintGenerateSettings;
void glint_generate_settings_init(GlintGenerateSettings *self);

/* ---- what comes out ---- */

typedef enum {
    GLINT_FINISH_LENGTH,       /* max_new_tokens */
    GLINT_FINISH_STOP_TOKEN,
    GLINT_FINISH_STOP_STRING,
    GLINT_FINISH_MODEL_LENGTH, /* the longest text the model takes */
    GLINT_FINISH_INTERRUPTED,
} GlintFinish;
const char *glint_finish_name(GlintFinish finish); /* "length", "stop_token", ... */

typedef struct {
    GArray *tokens; /* of guint32, what was generated, all of it */
    char *text;     /* what it adds to the prompt, special tokens left out; NULL without tokenizer */
    gsize length;   /* of the text, in bytes: it may hold NUL characters */
    GlintFinish finish;
} GlintContinuation;

typedef struct {
    gsize n;
    GlintContinuation *texts; /* in the order of the prompts */
    gsize n_prompt_tokens, n_new_tokens;
    /* Tokens and time of passes that read a prompt, and of those that only carried texts on by one token each. */
    gsize n_prefill, n_decode;
    double prefill_seconds, decode_seconds;
} GlintGeneration;
void glint_generation_free(GlintGeneration *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintGeneration, glint_generation_free)

/* Continues every prompt. `tokenizer` may be NULL: then there are tokens but no texts, and no stop strings. NULL and an
 * error (a prompt without tokens, or longer than the model takes; a tap's own), but interrupted by a signal it returns what there is and
 * sets *error as well: GLINT_ERROR_INTERRUPTED. */
GlintGeneration *glint_generate(GlintModel *model, const GlintTokenizer *tokenizer, const GlintPrompt *prompts, gsize n_prompts,
                                const GlintGenerateSettings *settings, GError **error);

/* Tokens at which the model was taught to end: eos_token_id of generation_config.json, else of config.json, a number or a
 * list; empty where neither names one. GArray of guint32. */
GArray *glint_stop_tokens_read(const char *folder, GError **error);
