/* Packing a checkpoint's weights. See weights.h.
 *
 * One matrix at a time is searched for NaN, packed, and its pages in the file are given back, so that besides the packed weights
 * only one matrix is in memory twice. Packing reads the mapped file itself where the matrix stands there as it is wanted; else it is
 * put together and converted in a buffer, one for all matrices, for fresh memory costs more time than the packing. Query, key and
 * value projections become one matrix; gate and up stay two, because sites need them as contiguous rows. */
#include "model/weights.h"
#include "base/error.h"
#include <string.h>

typedef struct {
    GliWeights *weights;
    GliCheckpoint *checkpoint;
    const GliArch *arch;
    char *bytes; /* the buffer, owned */
    gsize size;
} Loader;

static float *load_vector(Loader *loader, const GlintTensor *tensor, GError **error)
{
    if (!tensor)
        return NULL;
    g_autofree float *vector = g_try_new(float, tensor->n);
    if (!vector) {
        glint_fail(error, GLINT_ERROR_FAILED, "not enough memory for tensor '%s'", tensor->name);
        return NULL;
    }
    return gli_checkpoint_f32(loader->checkpoint, tensor, 0, tensor->n, vector, error) ? g_steal_pointer(&vector) : NULL;
}

static gboolean load_norm(Loader *loader, GliRole role, gsize layer, GliNorm *norm, GError **error)
{
    const GliArch *arch = loader->arch;
    if (!arch->name[role])
        return TRUE;
    const GlintTensor *tensor = gli_checkpoint_weight(loader->checkpoint, arch, role, layer, error);
    float *weight = load_vector(loader, tensor, error), *bias = NULL;
    if (!weight)
        return FALSE;
    g_ptr_array_add(loader->weights->vectors, weight);
    for (gsize i = 0; arch->norm == GLI_NORM_RMS_PLUS_ONE && i < tensor->n; i++)
        weight[i] += 1.0f;
    if (arch->bias[role] != GLI_BIAS_NONE) {
        bias = load_vector(loader, gli_checkpoint_bias(loader->checkpoint, arch, role, layer, error), error);
        if (!bias)
            return FALSE;
        g_ptr_array_add(loader->weights->vectors, bias);
    }
    *norm = (GliNorm){arch->norm, (float)arch->norm_eps, weight, bias};
    return TRUE;
}

/* GPT-NeoX's rows [head][q, k, v][D] to q | k | v. `size` is the bytes of a row. */
static void sort_heads(const GliArch *arch, char *rows, gsize size)
{
    const gsize A = arch->n_heads, D = arch->head_size;
    g_autofree char *copy = g_memdup2(rows, 3 * A * D * size);
    for (gsize head = 0; head < A; head++)
        for (gsize part = 0; part < 3; part++)
            memcpy(rows + (part * A + head) * D * size, copy + (head * 3 + part) * D * size, D * size);
}

static gboolean read_bias(Loader *loader, GliRole role, gsize layer, float *bias, GError **error)
{
    const GlintTensor *tensor = gli_checkpoint_bias(loader->checkpoint, loader->arch, role, layer, error);
    return tensor && gli_checkpoint_f32(loader->checkpoint, tensor, 0, tensor->n, bias, error);
}

/* Reads the matrices of `roles` one below the other into `bytes` and their biases into `bias` (or leaves that alone). */
static gboolean read_matrices(Loader *loader, const GliRole *roles, gsize n_roles, gsize layer, char *bytes, float *bias, GError **error)
{
    const GliArch *arch = loader->arch;
    const gboolean bf16 = loader->weights->bf16;
    for (gsize i = 0; i < n_roles; i++) {
        const GlintTensor *tensor = gli_checkpoint_weight(loader->checkpoint, arch, roles[i], layer, error);
        if (!tensor || !(bf16 ? gli_checkpoint_bf16(loader->checkpoint, tensor, 0, tensor->n, (guint16 *)bytes, error)
                              : gli_checkpoint_f32(loader->checkpoint, tensor, 0, tensor->n, (float *)bytes, error)))
            return FALSE;
        gli_checkpoint_drop(tensor);
        bytes += tensor->n * (bf16 ? 2 : 4);
        if (arch->bias[roles[i]] == GLI_BIAS_NONE)
            continue;
        if (!read_bias(loader, roles[i], layer, bias, error))
            return FALSE;
        gsize outputs, inputs;
        gli_arch_shape(arch, roles[i], &outputs, &inputs);
        bias += outputs;
    }
    return TRUE;
}

/* The one tensor of a linear, if it can be packed as it lies in the file. */
static const GlintTensor *find_ready(Loader *loader, const GliRole *roles, gsize n_roles, gsize layer)
{
    const gboolean bf16 = loader->weights->bf16, sorted = roles[0] == GLI_QKV && loader->arch->qkv == GLI_QKV_PER_HEAD;
    const GlintTensor *tensor = n_roles == 1 && !sorted ? gli_checkpoint_weight(loader->checkpoint, loader->arch, roles[0], layer, NULL) : NULL;
    return tensor && tensor->type == (bf16 ? GLINT_ST_BF16 : GLINT_ST_F32) && (gsize)tensor->data % (bf16 ? 2 : 4) == 0 ? tensor : NULL;
}

static GliLinear *load_linear(Loader *loader, const GliRole *roles, gsize n_roles, gsize layer, GError **error)
{
    const GliArch *arch = loader->arch;
    const gboolean in_out = arch->in_out && roles[0] != GLI_LM_HEAD, biased = arch->bias[roles[0]] != GLI_BIAS_NONE;
    g_assert(n_roles == 1 || !in_out);
    gsize out = 0, in = 0;
    for (gsize i = 0; i < n_roles; i++) {
        gsize one;
        gli_arch_shape(arch, roles[i], &one, &in);
        out += one;
        g_assert((arch->bias[roles[i]] != GLI_BIAS_NONE) == biased);
    }
    const gsize size = loader->weights->bf16 ? 2 : 4;
    const GliMatrixOps *ops = loader->weights->ops;
    g_autofree float *bias = biased ? g_new(float, out) : NULL;
    const GlintTensor *ready = find_ready(loader, roles, n_roles, layer);
    if (ready) {
        GliLinear *linear = gli_checkpoint_scan(loader->checkpoint, ready, error) && (!biased || read_bias(loader, roles[0], layer, bias, error))
                                ? ops->pack(loader->weights->device, out, in, in_out, ready->data, bias, error) : NULL;
        gli_checkpoint_drop(ready);
        return linear;
    }
    if (out * in * size > loader->size) {
        g_free(loader->bytes);
        loader->bytes = g_try_malloc(out * in * size);
        loader->size = loader->bytes ? out * in * size : 0;
    }
    if (!loader->bytes) {
        glint_fail(error, GLINT_ERROR_FAILED, "not enough memory for a weight matrix of %zu x %zu", out, in);
        return NULL;
    }
    if (!read_matrices(loader, roles, n_roles, layer, loader->bytes, bias, error))
        return NULL;
    if (roles[0] == GLI_QKV && arch->qkv == GLI_QKV_PER_HEAD) {
        sort_heads(arch, loader->bytes, in * size);
        if (bias)
            sort_heads(arch, (char *)bias, sizeof *bias);
    }
    return ops->pack(loader->weights->device, out, in, in_out, loader->bytes, bias, error);
}

static gboolean load_layer(Loader *loader, gsize layer, GError **error)
{
    static const GliRole separate[] = {GLI_Q, GLI_K, GLI_V}, joined[] = {GLI_QKV}, proj[] = {GLI_ATTN_PROJ}, gate[] = {GLI_GATE}, up[] = {GLI_UP},
                         down[] = {GLI_DOWN};
    const GliArch *arch = loader->arch;
    GliLayerWeights *to = &loader->weights->layers[layer];
    const gboolean apart = arch->qkv == GLI_QKV_SEPARATE;
    return load_norm(loader, GLI_ATTN_NORM, layer, &to->attn_norm, error) && load_norm(loader, GLI_ATTN_POST_NORM, layer, &to->attn_post_norm, error) &&
           load_norm(loader, GLI_Q_NORM, layer, &to->q_norm, error) && load_norm(loader, GLI_K_NORM, layer, &to->k_norm, error) &&
           load_norm(loader, GLI_MLP_NORM, layer, &to->mlp_norm, error) && load_norm(loader, GLI_MLP_POST_NORM, layer, &to->mlp_post_norm, error) &&
           (to->qkv = load_linear(loader, apart ? separate : joined, apart ? 3 : 1, layer, error)) &&
           (to->proj = load_linear(loader, proj, 1, layer, error)) && (to->gate = load_linear(loader, gate, 1, layer, error)) &&
           (arch->mlp == GLI_MLP_PLAIN || (to->up = load_linear(loader, up, 1, layer, error))) && (to->down = load_linear(loader, down, 1, layer, error));
}

static gboolean load_all(Loader *loader, GError **error)
{
    const GliArch *arch = loader->arch;
    GliWeights *self = loader->weights;
    if (!gli_checkpoint_check_tensors(loader->checkpoint, arch, error) || !gli_checkpoint_check_tied(loader->checkpoint, error) ||
        !load_norm(loader, GLI_FINAL_NORM, 0, &self->final_norm, error))
        return FALSE;
    if (arch->position == GLI_POSITION_LEARNED &&
        !(self->positions = load_vector(loader, gli_checkpoint_weight(loader->checkpoint, arch, GLI_POSITIONS, 0, error), error)))
        return FALSE;
    self->tokens = gli_checkpoint_weight(loader->checkpoint, arch, GLI_TOKENS, 0, error);
    const GlintTensor *head = gli_checkpoint_weight(loader->checkpoint, arch, GLI_LM_HEAD, 0, error);
    if (!gli_checkpoint_scan(loader->checkpoint, self->tokens, error) || (head != self->tokens && !gli_checkpoint_scan(loader->checkpoint, head, error)))
        return FALSE;
    gli_checkpoint_drop(self->tokens);
    gli_checkpoint_drop(head);
    for (gsize l = 0; l < arch->n_layers; l++)
        if (!load_layer(loader, l, error))
            return FALSE;
    return TRUE;
}

GliWeights *gli_weights_load(GliCheckpoint *checkpoint, GliArch *arch, gboolean bf16, int threads, GError **error)
{
    GliWeights *self = g_new0(GliWeights, 1);
    self->ops = &gli_dnn;
    self->bf16 = bf16;
    self->layers = g_new0(GliLayerWeights, arch->n_layers);
    self->vectors = g_ptr_array_new_with_free_func(g_free);
    self->device = self->ops->open(bf16, threads, error);
    Loader loader = {.weights = self, .checkpoint = checkpoint, .arch = arch};
    const gboolean good = self->device && load_all(&loader, error);
    g_free(loader.bytes);
    if (good)
        return self;
    gli_weights_free(self, arch);
    return NULL;
}

gboolean gli_weights_need_head(GliWeights *self, GliCheckpoint *checkpoint, const GliArch *arch, GError **error)
{
    static const GliRole roles[] = {GLI_LM_HEAD};
    Loader loader = {.weights = self, .checkpoint = checkpoint, .arch = arch};
    if (!self->head)
        self->head = load_linear(&loader, roles, 1, 0, error);
    g_free(loader.bytes);
    return self->head != NULL;
}

void gli_weights_free(GliWeights *self, const GliArch *arch)
{
    if (!self)
        return;
    for (gsize l = 0; l < arch->n_layers; l++) {
        GliLayerWeights *layer = &self->layers[l];
        self->ops->release(layer->qkv);
        self->ops->release(layer->proj);
        self->ops->release(layer->gate);
        self->ops->release(layer->up);
        self->ops->release(layer->down);
    }
    self->ops->release(self->head);
    self->ops->close(self->device);
    g_ptr_array_unref(self->vectors);
    g_free(self->positions);
    g_free(self->layers);
    g_free(self);
}
