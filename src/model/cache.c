/* The cache of keys and values: one store of blocks per layer (attention.h), a fixed run of blocks per sequence. Memory that no
 * token has reached yet is asked for but not touched, so the system does not give it. See generate.h. */
#include "base/error.h"
#include "model/forward.h"
#include "model/generate.h"
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

void glint_cache_forget(GlintCache *self, gsize sequence)
{
    g_return_if_fail(sequence < self->n_sequences);
    self->length[sequence] = 0;
}

gboolean glint_model_forward_cached(GlintModel *model, GlintCache *cache, const GlintBatch *batch, const GlintTap *taps, gsize n_taps,
                                    GlintLogits which, float *logits, GError **error)
{
    g_return_val_if_fail(cache->model == model && batch->n_sequences == cache->n_sequences, FALSE);
    return gli_forward(model, cache, batch, taps, n_taps, which, logits, error);
}
