/* A model folder described from its headers. See summary.h. The memory of a batch is the sum of the buffers that forward.c
 * keeps, which a test compares with those of a real run. */
#include "model/summary.h"
#include "base/error.h"
#include "model/forward.h"
#include <omp.h>
#include <string.h>

#define INPUT_ROWS 16 /* that inputs of products are longer, so that the last tile is whole */

static gsize elements(const GliArch *arch, GliRole role)
{
    gsize out, in;
    gli_arch_shape(arch, role, &out, &in);
    return out * (in ? in : 1);
}

/* Vectors are kept as f32 in both cases. */
static void count_packed(const GliArch *arch, GlintModelSummary *self)
{
    gsize matrices = 0, vectors = 0;
    for (int r = 0; r < GLI_ROLE_COUNT; r++) {
        const GliRole role = (GliRole)r;
        const gsize times = role < GLI_FIRST_LAYER_ROLE ? 1 : arch->n_layers;
        gsize out, in;
        if (!arch->name[role] || role == GLI_TOKENS || role == GLI_LM_HEAD)
            continue;
        gli_arch_shape(arch, role, &out, &in);
        *(gli_role_is_linear(role) ? &matrices : &vectors) += times * elements(arch, role);
        vectors += arch->bias[role] == GLI_BIAS_NONE ? 0 : times * out;
    }
    for (int bf16 = 0; bf16 < 2; bf16++) {
        self->packed_bytes[bf16] = matrices * (bf16 ? 2 : 4) + vectors * 4;
        self->head_bytes[bf16] = elements(arch, GLI_LM_HEAD) * (bf16 ? 2 : 4);
    }
}

static gsize batch_bytes(const GliArch *arch, gboolean bf16, int threads)
{
    const gsize n = MAX(GLINT_SUMMARY_TOKENS, 1), length = MIN((gsize)GLINT_SUMMARY_LENGTH, arch->max_tokens), sequences = (n + length - 1) / length;
    const gsize heads = arch->n_heads * arch->head_size, blocks = sequences * ((length + GLI_BLOCK - 1) / GLI_BLOCK);
    const gsize rows = 3 * arch->hidden + gli_arch_qkv_width(arch) + heads + (arch->mlp == GLI_MLP_GATED ? 2 : 1) * arch->mlp_width;
    const gsize inputs = (n + INPUT_ROWS) * (MAX(arch->hidden, heads) + arch->mlp_width);
    gsize floats = n * rows + gli_store_key_floats(arch, blocks) + gli_store_value_floats(arch, blocks) +
                   (gsize)threads * (arch->hidden + gli_attention_scratch_floats(arch));
    for (int r = 0; r < 2; r++)
        floats += length * arch->rope[r].rotary;
    return floats * sizeof(float) + inputs * (bf16 ? 2 : 4);
}

static void describe_layers(const GliArch *arch, GlintModelSummary *self)
{
    static const char *const scalings[] = {[GLI_ROPE_PLAIN] = "none", [GLI_ROPE_LINEAR] = "linear", [GLI_ROPE_LLAMA3] = "llama3"};
    self->layers = g_new0(GlintLayerSummary, arch->n_layers);
    for (gsize l = 0; l < arch->n_layers; l++) {
        const GliRope *rope = &arch->rope[arch->layers[l].rope];
        const gboolean turns = arch->position == GLI_POSITION_ROPE && rope->rotary;
        self->layers[l] = (GlintLayerSummary){arch->layers[l].window, turns ? rope->theta : 0, turns ? rope->rotary : 0, scalings[rope->kind],
                                              rope->kind == GLI_ROPE_PLAIN ? 1 : rope->factor};
    }
}

static gboolean summarize(const char *folder, const GlintModelOptions *options, GliArch *arch, GlintModelSummary *self, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "config.json", NULL);
    g_autoptr(GliConfig) config = gli_config_read(path, error);
    if (!config || !gli_arch_describe(config, arch, error))
        return FALSE;
    g_autoptr(GliCheckpoint) checkpoint = gli_checkpoint_open(folder, error);
    if (!checkpoint || !gli_checkpoint_bind(checkpoint, arch, error) || !gli_checkpoint_check_tensors(checkpoint, arch, error))
        return FALSE;
    const GlintTensor *tokens = gli_checkpoint_weight(checkpoint, arch, GLI_TOKENS, 0, error);
    const int threads = options->threads > 0 ? options->threads : omp_get_max_threads();
    self->info = gli_model_info(arch, checkpoint, gli_choose_bf16(checkpoint, options->dtype));
    self->tied = arch->tied;
    self->learned_positions = arch->position == GLI_POSITION_LEARNED;
    self->file_bytes = gli_checkpoint_file_bytes(checkpoint, &self->n_files);
    self->embedding_bytes = tokens->n_bytes;
    for (int kind = 0; kind < GLINT_SITE_COUNT; kind++)
        self->site_width[kind] = gli_site_width(arch, (GlintSiteKind)kind);
    describe_layers(arch, self);
    count_packed(arch, self);
    self->batch_bytes[0] = batch_bytes(arch, FALSE, threads);
    self->batch_bytes[1] = batch_bytes(arch, TRUE, threads);
    return TRUE;
}

gboolean glint_model_summarize(const char *folder, const GlintModelOptions *options, GlintModelSummary *self, GError **error)
{
    static const GlintModelOptions defaults = {GLINT_DTYPE_AUTO, 0};
    GliArch arch = {0};
    memset(self, 0, sizeof *self);
    const gboolean good = summarize(folder, options ? options : &defaults, &arch, self, error);
    gli_arch_clear(&arch);
    return good;
}

void glint_model_summary_clear(GlintModelSummary *self) { g_clear_pointer(&self->layers, g_free); }

void glint_engine_describe(GlintEngine *self)
{
    *self = (GlintEngine){gli_dnn_version(), gli_dnn_instructions(), gli_dnn_kernel_name(FALSE), gli_dnn_kernel_name(TRUE), gli_dnn.has_fast_bf16()};
}

void glint_engine_clear(GlintEngine *self)
{
    g_clear_pointer(&self->version, g_free);
    g_clear_pointer(&self->kernel_f32, g_free);
    g_clear_pointer(&self->kernel_bf16, g_free);
}
