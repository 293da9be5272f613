/* What family files share: the Llama lineage's common part, activation names, ending a describe function. */
#pragma once
#include "model/arch.h"

/* What transformers assumes where a key is absent. GLI_REQUIRED: the key must be there. */
typedef struct {
    gsize hidden, n_layers, n_heads, n_kv_heads /* 0: as many as heads */, head_size /* 0: hidden / heads */, mlp_width, vocab, max_tokens;
    const char *activation_key, *activation;
    gboolean tied;
    double theta; /* base of the rotary positions; 0: the family reads them itself */
} GliDefaults;

/* Sizes, names, RMSNorm, rotary positions and gated MLP as Llama has them; Gemma, Qwen and Mistral start from it and
 * change what differs. attention_bias and mlp_bias are honoured. Does not make the layers. Errors collect in *problem. */
void gli_describe_llama_like(const GliConfig *config, const GliDefaults *defaults, GliArch *arch, GError **problem);

/* The number of layers, bounded, for descriptors allocate by it before anything else is known. */
gsize gli_config_layers(const GliConfig *config, const char *key, gsize fallback, GError **problem);

/* Reads an activation by the name transformers gives it; refuses unknown ones. */
GliActivation gli_config_activation(const GliConfig *config, const char *key, const char *fallback, GError **problem);

/* What `layer_types` says, where it is given, replaces the windows that arch->layers already have: `window` keys for sliding
 * layers, 0 for full ones. */
void gli_describe_layer_types(const GliConfig *config, GliArch *arch, gsize window, GError **problem);

/* For families without windows: `layer_types` may be given and say so; anything else is refused. After the layers are made. */
void gli_describe_no_windows(const GliConfig *config, GliArch *arch, GError **problem);

/* Gemma 2's and 3's window (their configs cannot mean "none") and the scale of their scores. */
gsize gli_config_window(const GliConfig *config, GError **problem);
double gli_config_query_scale(const GliConfig *config, GError **problem);

/* Qwen's layers: full attention, unless use_sliding_window is true; then those from max_window_layers on slide, or those
 * that layer_types names. Makes the layers. */
void gli_describe_qwen_layers(const GliConfig *config, GliArch *arch, GError **problem);

/* Passes a collected problem on; TRUE when there was none. */
gboolean gli_describe_done(GError *problem, GError **error);
