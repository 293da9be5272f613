/* What family files share. See family.h. */
#include "model/family.h"
#include "base/error.h"
#include <math.h>
#include <string.h>

static const char *const prefixes[] = {"model.", "language_model.model.", "model.language_model.", "", NULL};
static const char *const ignore[] = {"*rotary_emb.inv_freq", "*vision_tower.*", "*multi_modal_projector.*", NULL};

enum { MOST_LAYERS = 10000 };

static const struct { const char *name; GliActivation activation; } activations[] = {
    {"silu", GLI_ACT_SILU}, {"swish", GLI_ACT_SILU}, {"gelu_pytorch_tanh", GLI_ACT_GELU_TANH}, {"gelu_new", GLI_ACT_GELU_TANH},
    {"gelu_fast", GLI_ACT_GELU_TANH}, {"gelu_accurate", GLI_ACT_GELU_TANH}, {"gelu_python_tanh", GLI_ACT_GELU_TANH},
    {"gelu", GLI_ACT_GELU_ERF}, {"gelu_python", GLI_ACT_GELU_ERF}, {"relu", GLI_ACT_RELU},
};

gsize gli_config_layers(const GliConfig *config, const char *key, gsize fallback, GError **problem)
{
    const gsize n = gli_config_size(config, key, fallback, problem);
    if (n <= MOST_LAYERS)
        return n;
    if (!*problem)
        glint_fail(problem, GLINT_ERROR_FORMAT, "%s: \"%s\" is %zu; no model has more than %d layers", config->path, key, n, MOST_LAYERS);
    return 1;
}

GliActivation gli_config_activation(const GliConfig *config, const char *key, const char *fallback, GError **problem)
{
    const char *name = gli_config_string(config, key, fallback, problem);
    for (gsize i = 0; i < G_N_ELEMENTS(activations); i++)
        if (strcmp(activations[i].name, name) == 0)
            return activations[i].activation;
    if (!*problem)
        glint_fail(problem, GLINT_ERROR_UNSUPPORTED, "%s: %s \"%s\" is not supported", config->path, key, name);
    return GLI_ACT_SILU;
}

static void read_sizes(const GliConfig *config, const GliDefaults *defaults, GliArch *arch, GError **problem)
{
    arch->hidden = gli_config_size(config, "hidden_size", defaults->hidden, problem);
    arch->n_layers = gli_config_layers(config, "num_hidden_layers", defaults->n_layers, problem);
    arch->n_heads = gli_config_size(config, "num_attention_heads", defaults->n_heads, problem);
    arch->n_kv_heads = gli_config_size(config, "num_key_value_heads", defaults->n_kv_heads ? defaults->n_kv_heads : arch->n_heads, problem);
    arch->head_size = gli_config_size(config, "head_dim", defaults->head_size ? defaults->head_size : MAX(arch->hidden / arch->n_heads, 1), problem);
    arch->mlp_width = gli_config_size(config, "intermediate_size", defaults->mlp_width, problem);
    arch->vocab = gli_config_size(config, "vocab_size", defaults->vocab, problem);
    arch->max_tokens = gli_config_size(config, "max_position_embeddings", defaults->max_tokens, problem);
}

static void read_biases(const GliConfig *config, GliArch *arch, GError **problem)
{
    if (gli_config_bool(config, "attention_bias", FALSE, problem))
        arch->bias[GLI_Q] = arch->bias[GLI_K] = arch->bias[GLI_V] = arch->bias[GLI_ATTN_PROJ] = GLI_BIAS_REQUIRED;
    if (gli_config_bool(config, "mlp_bias", FALSE, problem))
        arch->bias[GLI_GATE] = arch->bias[GLI_UP] = arch->bias[GLI_DOWN] = GLI_BIAS_REQUIRED;
}

void gli_describe_llama_like(const GliConfig *config, const GliDefaults *defaults, GliArch *arch, GError **problem)
{
    read_sizes(config, defaults, arch, problem);
    read_biases(config, arch, problem);
    arch->norm = GLI_NORM_RMS;
    arch->norm_eps = gli_config_real(config, "rms_norm_eps", 1e-6, problem);
    arch->activation = gli_config_activation(config, defaults->activation_key, defaults->activation, problem);
    arch->mlp = GLI_MLP_GATED;
    arch->tied = gli_config_bool(config, "tie_word_embeddings", defaults->tied, problem);
    arch->position = GLI_POSITION_ROPE;
    if (!*problem && defaults->theta > 0)
        gli_config_rope(config, &(GliRopeKeys){.theta = "rope_theta", .default_theta = defaults->theta}, arch->head_size, &arch->rope[0], problem);

    arch->prefixes = prefixes;
    arch->ignore = ignore;
    arch->layer_stem = "layers.";
    arch->name[GLI_TOKENS] = "embed_tokens";
    arch->name[GLI_FINAL_NORM] = "norm";
    arch->name[GLI_LM_HEAD] = "lm_head";
    arch->name[GLI_ATTN_NORM] = "input_layernorm";
    arch->name[GLI_Q] = "self_attn.q_proj";
    arch->name[GLI_K] = "self_attn.k_proj";
    arch->name[GLI_V] = "self_attn.v_proj";
    arch->name[GLI_ATTN_PROJ] = "self_attn.o_proj";
    arch->name[GLI_MLP_NORM] = "post_attention_layernorm";
    arch->name[GLI_GATE] = "mlp.gate_proj";
    arch->name[GLI_UP] = "mlp.up_proj";
    arch->name[GLI_DOWN] = "mlp.down_proj";
}

void gli_describe_layer_types(const GliConfig *config, GliArch *arch, gsize window, GError **problem)
{
    if (*problem)
        return;
    g_autofree gboolean *sliding = g_new0(gboolean, arch->n_layers);
    if (!gli_config_layer_types(config, arch->n_layers, sliding, problem))
        return;
    for (gsize l = 0; l < arch->n_layers; l++)
        arch->layers[l].window = sliding[l] ? window : 0;
}

void gli_describe_no_windows(const GliConfig *config, GliArch *arch, GError **problem)
{
    gli_describe_layer_types(config, arch, G_MAXSIZE, problem);
    for (gsize l = 0; l < arch->n_layers && !*problem; l++)
        if (arch->layers[l].window)
            glint_fail(problem, GLINT_ERROR_UNSUPPORTED, "%s: layer_types[%zu] is \"sliding_attention\", which a %s model does not have", config->path,
                       l, config->model_type);
}

gsize gli_config_window(const GliConfig *config, GError **problem)
{
    if (!*problem && gli_config_is_null(config, "sliding_window"))
        glint_fail(problem, GLINT_ERROR_FORMAT, "%s: \"sliding_window\" is null, but a %s model has sliding layers", config->path, config->model_type);
    return gli_config_size(config, "sliding_window", 4096, problem);
}

double gli_config_query_scale(const GliConfig *config, GError **problem)
{
    const double scalar = gli_config_real(config, "query_pre_attn_scalar", 256, problem);
    if (!*problem && !(scalar > 0))
        glint_fail(problem, GLINT_ERROR_FORMAT, "%s: \"query_pre_attn_scalar\" should be a positive number", config->path);
    return 1 / sqrt(scalar);
}

void gli_describe_qwen_layers(const GliConfig *config, GliArch *arch, GError **problem)
{
    const gboolean slides = gli_config_bool(config, "use_sliding_window", FALSE, problem) && !gli_config_is_null(config, "sliding_window");
    const gsize window = slides ? gli_config_size(config, "sliding_window", 4096, problem) : 0;
    const double first = gli_config_real(config, "max_window_layers", 28, problem); /* 0 is allowed: every layer slides */
    gli_arch_make_layers(arch, 1 / sqrt((double)arch->head_size));
    for (gsize l = 0; l < arch->n_layers; l++)
        arch->layers[l].window = (double)l >= first ? window : 0;
    gli_describe_layer_types(config, arch, slides ? window : G_MAXSIZE, problem);
    for (gsize l = 0; l < arch->n_layers && !*problem; l++)
        if (arch->layers[l].window == G_MAXSIZE)
            glint_fail(problem, GLINT_ERROR_FORMAT, "%s: layer_types[%zu] is \"sliding_attention\", but \"use_sliding_window\" is not true",
                       config->path, l);
}

gboolean gli_describe_done(GError *problem, GError **error)
{
    if (!problem)
        return TRUE;
    g_propagate_error(error, problem);
    return FALSE;
}
