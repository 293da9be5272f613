/* Writes a model folder with random bf16 weights, by default in the shape of Gemma 3 1B (2 GB): what the benchmarks of the forward
 * pass and of decoding run on, since the real checkpoint may not be handed on. There is no tokenizer: tokens are random ids.
 *
 * Every number is drawn from a normal distribution with deviation 0.02, transformers' initializer_range, from one pool that is as
 * long as the largest tensor; the tensors start at different places of it, which is as good as fresh numbers for what is measured
 * and lets the writer work in 0.6 GB. Norm weights are 0 (Gemma multiplies by 1 + w) or 1. The same options give the same bytes. */
#include "base/error.h"
#include "base/files.h"
#include "base/safetensors.h"
#include <string.h>

static struct {
    char *out, *family;
    int layers, hidden, mlp, heads, kv_heads, head_size, window, vocab, seed;
} shape = {NULL, NULL, 26, 1152, 6912, 4, 1, 256, 512, 262144, 1};

static const GOptionEntry entries[] = {
    {"out", 'o', 0, G_OPTION_ARG_FILENAME, &shape.out, "folder to write (default: /tmp/glint-bench-1b)", "DIR"},
    {"family", 'f', 0, G_OPTION_ARG_STRING, &shape.family, "gemma3 (default) or llama", "NAME"},
    {"layers", 0, 0, G_OPTION_ARG_INT, &shape.layers, "layers (26)", "N"},
    {"hidden", 0, 0, G_OPTION_ARG_INT, &shape.hidden, "width of the residual (1152)", "N"},
    {"mlp", 0, 0, G_OPTION_ARG_INT, &shape.mlp, "neurons of a layer (6912)", "N"},
    {"heads", 0, 0, G_OPTION_ARG_INT, &shape.heads, "query heads (4)", "N"},
    {"kv-heads", 0, 0, G_OPTION_ARG_INT, &shape.kv_heads, "key and value heads (1)", "N"},
    {"head-size", 0, 0, G_OPTION_ARG_INT, &shape.head_size, "size of a head (256)", "N"},
    {"window", 0, 0, G_OPTION_ARG_INT, &shape.window, "keys that a sliding layer sees (512)", "N"},
    {"vocab", 0, 0, G_OPTION_ARG_INT, &shape.vocab, "tokens of the vocabulary (262144)", "N"},
    {"seed", 0, 0, G_OPTION_ARG_INT, &shape.seed, "seed of the weights (1)", "N"},
    {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
};

typedef struct {
    GlintSafetensorsWriter *file;
    const guint16 *pool;
    gsize pool_length, tensors;
    guint16 *norm; /* what a norm's weights are, as long as the widest one */
} Writer;

static guint16 bf16(float x)
{
    guint32 bits;
    memcpy(&bits, &x, sizeof bits);
    return (guint16)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

/* Normal to the eye: four 16-bit uniforms of one xorshift* draw, added up. */
static void fill_pool(guint16 *pool, gsize n, guint64 seed)
{
    const float scale = 0.02f / (65536.0f * 0.57735027f); /* the sum's deviation is 65536 sqrt(4 / 12) */
    guint64 state = seed * 0x9e3779b97f4a7c15u + 1;
    for (gsize i = 0; i < n; i++) {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        const guint64 draw = state * 0x2545f4914f6cdd1du;
        const gint64 sum = (gint64)((draw & 0xffff) + ((draw >> 16) & 0xffff) + ((draw >> 32) & 0xffff) + (draw >> 48)) - 131070;
        pool[i] = bf16((float)sum * scale);
    }
}

static void add_matrix(Writer *self, const char *name, gsize rows, gsize columns)
{
    const gsize dims[] = {rows, columns}, room = self->pool_length - rows * columns;
    const gsize at = room ? self->tensors++ * 7368787u % room : 0; /* a prime number of elements further each time */
    glint_safetensors_writer_add(self->file, name, GLINT_ST_BF16, 2, dims, self->pool + at);
}

static void add_layer(Writer *self, gsize layer, gboolean gemma)
{
    const gsize H = (gsize)shape.hidden, F = (gsize)shape.mlp, D = (gsize)shape.head_size, A = (gsize)shape.heads * D, K = (gsize)shape.kv_heads * D;
    const struct { const char *stem; gsize out, in; /* in 0: a norm */ } tensors[] = {
        {"self_attn.q_proj", A, H}, {"self_attn.k_proj", K, H}, {"self_attn.v_proj", K, H}, {"self_attn.o_proj", H, A}, {"mlp.gate_proj", F, H},
        {"mlp.up_proj", F, H}, {"mlp.down_proj", H, F}, {"input_layernorm", H, 0}, {"post_attention_layernorm", H, 0},
        {"self_attn.q_norm", D, 0}, {"self_attn.k_norm", D, 0}, {"pre_feedforward_layernorm", H, 0}, {"post_feedforward_layernorm", H, 0}, /* Gemma */
    };
    for (gsize i = 0; i < G_N_ELEMENTS(tensors) - (gemma ? 0 : 4); i++) {
        g_autofree char *name = g_strdup_printf("model.layers.%zu.%s.weight", layer, tensors[i].stem);
        if (tensors[i].in)
            add_matrix(self, name, tensors[i].out, tensors[i].in);
        else
            glint_safetensors_writer_add(self->file, name, GLINT_ST_BF16, 1, &tensors[i].out, self->norm);
    }
}

static gboolean write_weights(const char *folder, gboolean gemma, GError **error)
{
    const gsize H = (gsize)shape.hidden, widest = MAX(MAX((gsize)shape.mlp, (gsize)shape.vocab), (gsize)shape.heads * (gsize)shape.head_size) * H;
    const gsize narrow = MAX(H, (gsize)shape.head_size);
    g_autofree guint16 *pool = g_new(guint16, widest), *norm = g_new(guint16, narrow);
    fill_pool(pool, widest, (guint64)shape.seed);
    for (gsize i = 0; i < narrow; i++)
        norm[i] = bf16(gemma ? 0 : 1);
    g_autofree char *path = g_build_filename(folder, "model.safetensors", NULL);
    Writer writer = {glint_safetensors_writer_new(path), pool, widest, 0, norm};
    glint_safetensors_writer_metadata(writer.file, "format", "pt"); /* transformers insists on it */
    add_matrix(&writer, "model.embed_tokens.weight", (gsize)shape.vocab, H);
    glint_safetensors_writer_add(writer.file, "model.norm.weight", GLINT_ST_BF16, 1, &H, norm);
    for (int layer = 0; layer < shape.layers; layer++)
        add_layer(&writer, (gsize)layer, gemma);
    return glint_safetensors_writer_close(writer.file, error);
}

static gboolean write_config(const char *folder, gboolean gemma, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "config.json", NULL);
    g_autoptr(json_t) config = json_pack(
        "{s:[s], s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:f, s:b, s:b, s:s, s:i, s:i, s:i}", "architectures",
        gemma ? "Gemma3ForCausalLM" : "LlamaForCausalLM", "model_type", gemma ? "gemma3_text" : "llama", "hidden_size", shape.hidden,
        "num_hidden_layers", shape.layers, "intermediate_size", shape.mlp, "num_attention_heads", shape.heads, "num_key_value_heads", shape.kv_heads,
        "head_dim", shape.head_size, "vocab_size", shape.vocab, "max_position_embeddings", 32768, "rms_norm_eps", 1e-6, "tie_word_embeddings", 1,
        "attention_bias", 0, "torch_dtype", "bfloat16", "bos_token_id", 2, "eos_token_id", 1, "pad_token_id", 0);
    g_autoptr(json_t) rest =
        gemma ? json_pack("{s:s, s:i, s:i, s:i, s:f, s:f}", "hidden_activation", "gelu_pytorch_tanh", "query_pre_attn_scalar", shape.head_size,
                          "sliding_window", shape.window, "sliding_window_pattern", 6, "rope_theta", 1e6, "rope_local_base_freq", 1e4)
              : json_pack("{s:s, s:f}", "hidden_act", "silu", "rope_theta", 5e5);
    g_assert(config && rest);
    json_object_update(config, rest);
    return glint_json_write(path, config, error);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GOptionContext) context = g_option_context_new("- a model with random bf16 weights");
    g_option_context_add_main_entries(context, entries, NULL);
    gboolean good = g_option_context_parse(context, &argc, &argv, &error);
    const char *folder = shape.out ? shape.out : "/tmp/glint-bench-1b", *family = shape.family ? shape.family : "gemma3";
    const gboolean gemma = g_str_equal(family, "gemma3");
    const int sizes[] = {shape.layers, shape.hidden, shape.mlp, shape.heads, shape.kv_heads, shape.head_size, shape.window, shape.vocab};
    for (gsize i = 0; good && i < G_N_ELEMENTS(sizes); i++)
        if (sizes[i] < 1 || sizes[i] > 1 << 20)
            good = glint_fail(&error, GLINT_ERROR_USAGE, "sizes lie between 1 and %d", 1 << 20);
    if (good && !gemma && !g_str_equal(family, "llama"))
        good = glint_fail(&error, GLINT_ERROR_USAGE, "--family %s: gemma3 or llama", family);
    if (good && glint_mkdir(folder, &error) && write_weights(folder, gemma, &error) && write_config(folder, gemma, &error)) {
        printf("%s\n", folder);
        return 0;
    }
    fprintf(stderr, "make_model: %s\n", error->message);
    return error->domain == G_OPTION_ERROR ? 2 : 1;
}
