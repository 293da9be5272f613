/* Opening a model folder, and what is known about it. The running is in forward.c. */
#include "model/model.h"
#include "base/error.h"
#include "model/forward.h"
#include "model/identity.h"
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <omp.h>

gboolean gli_choose_bf16(const GliCheckpoint *checkpoint, GlintComputeType wanted)
{
    if (wanted != GLINT_DTYPE_AUTO)
        return wanted == GLINT_DTYPE_BF16;
    return gli_checkpoint_type(checkpoint) == GLINT_ST_BF16 && gli_dnn.has_fast_bf16();
}

/* The types of all tensors are known only once they have been asked for; the embedding decides for AUTO. */
static gboolean embedding_is_asked_for(GliCheckpoint *checkpoint, const GliArch *arch, GError **error)
{
    return gli_checkpoint_weight(checkpoint, arch, GLI_TOKENS, 0, error) != NULL;
}

GlintModelInfo gli_model_info(const GliArch *arch, const GliCheckpoint *checkpoint, gboolean bf16)
{
    return (GlintModelInfo){
        .family = arch->family, .n_layers = arch->n_layers, .hidden = arch->hidden, .n_heads = arch->n_heads, .n_kv_heads = arch->n_kv_heads,
        .head_size = arch->head_size, .mlp_width = arch->mlp_width, .vocab = arch->vocab, .max_tokens = arch->max_tokens,
        .n_parameters = gli_checkpoint_parameters(checkpoint), .weight_type = glint_tensor_type_name(gli_checkpoint_type(checkpoint)),
        .compute_type = bf16 ? "bf16" : "f32",
    };
}

static gboolean load(GlintModel *self, const char *folder, GlintComputeType wanted, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "config.json", NULL);
    g_autoptr(GliConfig) config = gli_config_read(path, error);
    if (!config || !gli_arch_describe(config, &self->arch, error) || !(self->checkpoint = gli_checkpoint_open(folder, error)) ||
        !gli_checkpoint_bind(self->checkpoint, &self->arch, error) || !embedding_is_asked_for(self->checkpoint, &self->arch, error))
        return FALSE;
    const gboolean bf16 = gli_choose_bf16(self->checkpoint, wanted);
    self->weights = gli_weights_load(self->checkpoint, &self->arch, bf16, self->threads, error);
    if (!self->weights)
        return FALSE;
    const float scale = (float)self->arch.embed_scale;
    self->embed_scale = bf16 ? gli_bf16_round(scale) : scale;
    g_auto(GStrv) paths = gli_checkpoint_paths(self->checkpoint);
    self->sha256 = gli_identity((const char *const *)paths, error);
    return self->sha256 != NULL;
}

GlintModel *glint_model_open(const char *folder, const GlintModelOptions *options, GError **error)
{
    static const GlintModelOptions defaults = {GLINT_DTYPE_AUTO, 0};
    const GlintModelOptions *chosen = options ? options : &defaults;
    if (!g_file_test(folder, G_FILE_TEST_IS_DIR)) {
        glint_fail(error, GLINT_ERROR_IO, "%s: no such model folder", folder);
        return NULL;
    }
    GlintModel *self = g_new0(GlintModel, 1);
    const int threads = omp_get_max_threads();
    self->threads = chosen->threads > 0 ? chosen->threads : threads;
    omp_set_num_threads(self->threads);
    const gboolean good = load(self, folder, chosen->dtype, error);
    omp_set_num_threads(threads);
    if (!good) {
        glint_model_free(self);
        return NULL;
    }
    self->info = gli_model_info(&self->arch, self->checkpoint, self->weights->bf16);
    self->info.sha256 = self->sha256;
    return self;
}

void glint_model_free(GlintModel *self)
{
    if (!self)
        return;
    GliBuffer *buffers[] = {&self->residual, &self->normed, &self->qkv, &self->z, &self->attn, &self->mlp, &self->gate, &self->up,
                            &self->input, &self->neurons, &self->keys, &self->values, &self->scratch};
    for (gsize i = 0; i < G_N_ELEMENTS(buffers); i++)
        gli_buffer_clear(buffers[i]);
    for (int r = 0; r < 2; r++) {
        g_free(self->rope[r].cosine);
        g_free(self->rope[r].sine);
    }
    gli_weights_free(self->weights, &self->arch);
    gli_checkpoint_free(self->checkpoint);
    gli_arch_clear(&self->arch);
    g_free(self->sha256);
    g_free(self);
#ifdef __GLIBC__
    malloc_trim(0); /* the weights' memory to the system: what follows a model is often a large solve */
#endif
}

const GlintModelInfo *glint_model_info(const GlintModel *self) { return &self->info; }

const char *glint_model_layer_kind(const GlintModel *self, gsize layer)
{
    g_return_val_if_fail(layer < self->arch.n_layers, "full");
    return self->arch.layers[layer].window ? "sliding" : "full";
}

gsize gli_site_width(const GliArch *arch, GlintSiteKind kind)
{
    switch (kind) {
    case GLINT_SITE_RESID_MID: return arch->residual == GLI_RESIDUAL_PARALLEL ? 0 : arch->hidden;
    case GLINT_SITE_RESID_PRE: case GLINT_SITE_ATTN_OUT: case GLINT_SITE_MLP_OUT: case GLINT_SITE_RESID_POST: return arch->hidden;
    case GLINT_SITE_ATTN_Z: return arch->n_heads * arch->head_size;
    case GLINT_SITE_MLP_PRE: case GLINT_SITE_MLP_POST: return arch->mlp_width;
    case GLINT_SITE_MLP_PRE_LINEAR: return arch->mlp == GLI_MLP_GATED ? arch->mlp_width : 0;
    case GLINT_SITE_COUNT: break;
    }
    return 0;
}

gsize glint_model_site_width(const GlintModel *self, GlintSiteKind kind) { return gli_site_width(&self->arch, kind); }

gboolean glint_model_forward(GlintModel *self, const GlintBatch *batch, const GlintTap *taps, gsize n_taps, GlintLogits which, float *logits, GError **error)
{
    return gli_forward(self, NULL, batch, taps, n_taps, which, logits, error);
}
