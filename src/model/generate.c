/* Continuing texts over a cache of keys and values. See generate.h. */
#include "model/generate.h"
#include "base/error.h"
#include "model/forward.h"
#include <stdlib.h>

GlintCache *glint_cache_new(const GlintModel *model, gsize n_sequences, gsize capacity, GError **error)
{
    GlintCache *self = g_new0(GlintCache, 1);
    *self = (GlintCache){.model = model, .n_sequences = n_sequences, .blocks = (capacity + GLI_BLOCK - 1) / GLI_BLOCK};
    self->length = g_new0(gsize, n_sequences);
    self->layers = g_new0(GliStore, model->arch.n_layers);
    const gsize blocks = n_sequences * self->blocks;
    for (gsize l = 0; l < model->arch.n_layers; l++) {
        self->layers[l].keys = aligned_alloc(64, MAX(gli_store_key_floats(&model->arch, blocks), 1) * sizeof(float));
        self->layers[l].values = aligned_alloc(64, MAX(gli_store_value_floats(&model->arch, blocks), 1) * sizeof(float));
        if (!self->layers[l].keys || !self->layers[l].values) {
            glint_fail(error, GLINT_ERROR_FAILED, "not enough memory to keep %zu texts of %zu tokens", n_sequences, capacity);
            g_clear_pointer(&self, glint_cache_free);
            break;
        }
    }
    return self;
}

void glint_cache_free(GlintCache *self)
{
    if (!self)
        return;
    for (gsize l = 0; l < self->model->arch.n_layers; l++) {
        free(self->layers[l].keys);
        free(self->layers[l].values);
    }
    g_free(self->layers);
    g_free(self->length);
    g_free(self);
}

gsize glint_cache_length(const GlintCache *self, gsize sequence)
{
    g_return_val_if_fail(sequence < self->n_sequences, 0);
    return self->length[sequence];
}

gboolean glint_model_forward_cached(GlintModel *model, GlintCache *cache, const GlintBatch *batch, const GlintTap *taps, gsize n_taps,
                                    GlintLogits which, float *logits, GError **error)
{
    g_return_val_if_fail(cache->model == model && batch->n_sequences == cache->n_sequences, FALSE);
    return gli_forward(model, cache, batch, taps, n_taps, which, logits, error);
}

static guint32 most_likely(const float *logits, gsize n)
{
    gsize best = 0;
    for (gsize i = 1; i < n; i++)
        if (logits[i] > logits[best])
            best = i;
    return (guint32)best;
}

gboolean glint_model_generate_greedy(GlintModel *model, const guint32 *prompt, gsize n_prompt, gsize max_new, const guint32 *stop, gsize n_stop,
                                     const GlintTap *taps, gsize n_taps, GArray *out, GError **error)
{
    const gsize vocab = model->arch.vocab, room = model->arch.max_tokens > n_prompt ? model->arch.max_tokens - n_prompt : 0;
    if (n_prompt == 0)
        return glint_fail(error, GLINT_ERROR_DATA, "nothing to continue: the prompt has no tokens");
    const gsize wanted = MIN(max_new, room);
    g_autoptr(GlintCache) cache = glint_cache_new(model, 1, n_prompt + wanted, error);
    g_autofree float *logits = g_try_new(float, vocab);
    if (!cache || !logits)
        return cache ? glint_fail(error, GLINT_ERROR_FAILED, "not enough memory for %zu logits", vocab) : FALSE;
    guint32 next = 0;
    for (gsize i = 0; i < wanted; i++) {
        const gsize start[] = {0, i == 0 ? n_prompt : 1};
        const GlintBatch batch = {i == 0 ? prompt : &next, start, 1};
        if (!glint_model_forward_cached(model, cache, &batch, taps, n_taps, GLINT_LOGITS_LAST, logits, error))
            return FALSE;
        next = most_likely(logits, vocab);
        g_array_append_val(out, next);
        for (gsize s = 0; s < n_stop; s++)
            if (next == stop[s])
                return TRUE;
    }
    return TRUE;
}
