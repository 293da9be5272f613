/* Continuing texts: a cache of keys and values, and greedy decoding over it. */
#pragma once
#include "model/model.h"

/* Keys and values of `n_sequences` sequences of up to `capacity` tokens each, f32. Belongs to one model. */
typedef struct GlintCache GlintCache;
GlintCache *glint_cache_new(const GlintModel *model, gsize n_sequences, gsize capacity, GError **error);
void glint_cache_free(GlintCache *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintCache, glint_cache_free)
gsize glint_cache_length(const GlintCache *self, gsize sequence); /* tokens seen so far */

/* glint_model_forward() for tokens that follow those in the cache: sequence s of the batch continues sequence s of the
 * cache, and may be empty (its row of GLINT_LOGITS_LAST then means nothing). Always runs all layers. */
gboolean glint_model_forward_cached(GlintModel *model, GlintCache *cache, const GlintBatch *batch, const GlintTap *taps, gsize n_taps,
                                    GlintLogits which, float *logits, GError **error);

/* Appends to `out` (of guint32) up to `max_new` most likely tokens after the prompt, the smaller id on ties. Stops behind
 * the first token of `stop`, which is kept, and at the model's longest text. Taps are called for the prompt and then for
 * every single token. */
gboolean glint_model_generate_greedy(GlintModel *model, const guint32 *prompt, gsize n_prompt, gsize max_new, const guint32 *stop, gsize n_stop,
                                     const GlintTap *taps, gsize n_taps, GArray *out, GError **error);
