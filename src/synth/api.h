/* A client of the chat API that OpenAI began and nearly everyone speaks (Anthropic's compatible endpoint, llama.cpp's server,
 * ollama, vLLM). Many questions at once, answers cached by what was asked, so that nothing is paid for twice.
 *
 * The key goes into the Authorization header of requests to the base URL's origin and nowhere else: not into the cache, not into messages
 * (a server that repeats it in an error is silenced). */
#pragma once
#include "synth/question.h"

typedef struct {
    const char *base_url;       /* "https://api.openai.com/v1" */
    const char *model;
    const char *key;            /* NULL: none is sent */
    const char *temperature;    /* as typed, a number; NULL: the server's default (some models take no other) */
    guint parallel;             /* requests under way at once, at least 1 */
    gboolean force;             /* ask again what the cache knows */
    double price_in, price_out; /* money per million tokens, 0 where unknown */
} GlintApiOptions;

typedef struct {
    guint64 n_asked, n_cached, n_refused, n_cut; /* answers paid for, from the cache, declined by the server, cut at its token limit */
    guint64 tokens_in, tokens_out;               /* of those paid for */
    double cost;                                 /* of those, by the prices given */
} GlintApiUse;

typedef struct GlintApi GlintApi;
GlintApi *glint_api_new(const GlintApiOptions *options, GError **error); /* options are copied */
void glint_api_free(GlintApi *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintApi, glint_api_free)

GlintAnswerer glint_api_answerer(GlintApi *self); /* valid as long as the client */
const GlintApiUse *glint_api_use(const GlintApi *self);
