/* config.json: the forms of transformers 4 and 5 mean the same, defaults are transformers', what glint cannot compute is
 * refused by name, damage is reported with file and key. */
#include "base/error.h"
#include "model/arch.h"
#include "model/support.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static char *folder;

/* Describes the model of a config given as text with ' for ". */
static gboolean describe(const char *text, GliArch *arch, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "config.json", NULL);
    g_autofree char *json = g_strdelimit(g_strdup(text), "'", '"');
    memset(arch, 0, sizeof *arch);
    g_autoptr(GliConfig) config = gli_config_parse(json, strlen(json), path, error); /* files are test_checkpoint.c's matter */
    return config && gli_arch_describe(config, arch, error);
}

static void expect_good(const char *text, GliArch *arch)
{
    GError *error = NULL;
    if (!describe(text, arch, &error))
        fail_msg("%s", error->message);
}

static void expect_refused(const char *text, GlintErrorCode code, const char *words)
{
    GliArch arch;
    GError *error = NULL;
    if (describe(text, &arch, &error))
        fail_msg("accepted: %s", text);
    if (!g_error_matches(error, GLINT_ERROR, (gint)code) || !strstr(error->message, words) || !strstr(error->message, "config.json"))
        fail_msg("expected \"%s\" (code %d) in \"%s\" (code %d)", words, (int)code, error->message, error->code);
    g_error_free(error);
}

#define SIZES "'hidden_size': 64, 'num_hidden_layers': 4, 'num_attention_heads': 8, 'intermediate_size': 96, 'vocab_size': 100"
#define MISTRAL "'model_type': 'mistral', " SIZES
#define QWEN2 "'model_type': 'qwen2', " SIZES
#define QWEN3 "'model_type': 'qwen3', " SIZES
#define NEOX "'model_type': 'gpt_neox', 'hidden_size': 64, 'num_hidden_layers': 4, 'num_attention_heads': 2, 'intermediate_size': 96, 'vocab_size': 100"
#define NEO "'model_type': 'gpt_neo', 'hidden_size': 48, 'num_layers': 4, 'num_heads': 2, 'max_position_embeddings': 100, 'vocab_size': 100"
#define LLAMA "'model_type': 'llama', 'hidden_size': 64, 'num_hidden_layers': 4, 'num_attention_heads': 8, 'intermediate_size': 96, 'vocab_size': 100"
#define GPT2 "'model_type': 'gpt2', 'n_embd': 48, 'n_layer': 3, 'n_head': 3, 'n_positions': 11, 'vocab_size': 3"

static void expect_windows(const char *text, gsize first, gsize second, gsize third, gsize fourth)
{
    GliArch arch;
    expect_good(text, &arch);
    assert_int_equal(arch.n_layers, 4);
    assert_int_equal(arch.layers[0].window, first);
    assert_int_equal(arch.layers[1].window, second);
    assert_int_equal(arch.layers[2].window, third);
    assert_int_equal(arch.layers[3].window, fourth);
    gli_arch_clear(&arch);
}

static void test_llama(void **state)
{
    (void)state;
    GliArch arch;
    expect_good("{" LLAMA "}", &arch);
    assert_int_equal(arch.n_kv_heads, 8);
    assert_int_equal(arch.head_size, 8);
    assert_false(arch.tied);
    assert_true(arch.rope[0].theta == 10000 && arch.rope[0].kind == GLI_ROPE_PLAIN && arch.rope[0].rotary == 8);
    assert_true(fabs(arch.layers[3].scale - 1 / sqrt(8)) < 1e-15 && arch.layers[3].window == 0);
    assert_int_equal(arch.bias[GLI_Q], GLI_BIAS_NONE);
    gli_arch_clear(&arch);
    expect_good("{" LLAMA ", 'head_dim': 16, 'num_key_value_heads': 2, 'attention_bias': true, 'rope_theta': 5e5, 'tie_word_embeddings': true}", &arch);
    assert_int_equal(arch.n_kv_heads, 2);
    assert_int_equal(arch.head_size, 16);
    assert_true(arch.tied && arch.rope[0].theta == 5e5);
    assert_int_equal(arch.bias[GLI_ATTN_PROJ], GLI_BIAS_REQUIRED);
    gli_arch_clear(&arch);
}

/* v4 and v5 spellings of one rotary scaling. */
static void test_rope_forms(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "{" LLAMA ", 'rope_theta': 5e5, 'rope_scaling': {'rope_type': 'llama3', 'factor': 8.0, 'low_freq_factor': 1.0, 'high_freq_factor': 4.0, "
                  "'original_max_position_embeddings': 8192}}",
        "{" LLAMA ", 'rope_theta': 5e5, 'rope_scaling': {'type': 'llama3', 'factor': 8, 'low_freq_factor': 1, 'high_freq_factor': 4, 'original_max_position_embeddings': 8192}}",
        "{" LLAMA ", 'rope_parameters': {'rope_theta': 500000.0, 'rope_type': 'llama3', 'factor': 8.0, 'low_freq_factor': 1.0, "
                  "'high_freq_factor': 4.0, 'original_max_position_embeddings': 8192}}",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(forms); i++) {
        GliArch arch;
        expect_good(forms[i], &arch);
        const GliRope *rope = &arch.rope[0];
        assert_true(rope->kind == GLI_ROPE_LLAMA3 && rope->theta == 5e5 && rope->factor == 8 && rope->low == 1 && rope->high == 4 && rope->original == 8192);
        gli_arch_clear(&arch);
    }
    GliArch arch;
    expect_good("{" LLAMA ", 'partial_rotary_factor': 1.0, 'rope_scaling': {}, 'rope_parameters': {'rope_theta': 7.0}}", &arch);
    assert_true(arch.rope[0].rotary == 8 && arch.rope[0].theta == 7);
    gli_arch_clear(&arch);
    expect_good("{" LLAMA ", 'rope_scaling': {'type': 'linear', 'factor': 2, 'rope_theta': 9.0}}", &arch); /* the base inside it counts */
    assert_true(arch.rope[0].kind == GLI_ROPE_LINEAR && arch.rope[0].theta == 9);
    gli_arch_clear(&arch);
    expect_refused("{" LLAMA ", 'head_dim': 32, 'partial_rotary_factor': 0.25}", GLINT_ERROR_UNSUPPORTED, "the heads of a llama model turn whole");
    expect_refused("{" QWEN3 ", 'rope_parameters': {'rope_theta': 1e6, 'partial_rotary_factor': 0.5}}", GLINT_ERROR_UNSUPPORTED, "turn whole");
    expect_refused("{" LLAMA ", 'rope_scaling': {'type': 'linear', 'factor': 2}, 'rope_parameters': {'rope_theta': 7.0}}", GLINT_ERROR_UNSUPPORTED, "both");
    expect_refused("{" LLAMA ", 'rope_parameters': {'full_attention': {'rope_theta': 7.0}}}", GLINT_ERROR_UNSUPPORTED, "differ by kind of layer");
    expect_refused("{'model_type': 'gemma3_text', 'rope_parameters': {'rope_theta': 7.0}}", GLINT_ERROR_FORMAT, "an object for each kind of layer");
}

/* GPT-NeoX turns a quarter of each head where its config does not say; old and new spelling of both numbers. */
static void test_gpt_neox(void **state)
{
    (void)state;
    static const struct { const char *keys; gsize rotary; double theta; } forms[] = {
        {"", 8, 10000}, {", 'rotary_pct': 1.0", 32, 10000}, {", 'rotary_pct': 0.5, 'rotary_emb_base': 500", 16, 500},
        {", 'rope_parameters': {'rope_type': 'default', 'rope_theta': 500.0}", 8, 500},
        {", 'rope_parameters': {'rope_type': 'default', 'rope_theta': 500.0, 'partial_rotary_factor': 0.5}", 16, 500},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(forms); i++) {
        g_autofree char *text = g_strdup_printf("{" NEOX "%s}", forms[i].keys);
        GliArch arch;
        expect_good(text, &arch);
        assert_int_equal(arch.rope[0].rotary, forms[i].rotary);
        assert_true(arch.rope[0].theta == forms[i].theta && arch.residual == GLI_RESIDUAL_PARALLEL && arch.activation == GLI_ACT_GELU_ERF);
        gli_arch_clear(&arch);
    }
    GliArch arch;
    expect_good("{" NEOX ", 'use_parallel_residual': false, 'attention_bias': false, 'hidden_act': 'gelu_new'}", &arch);
    assert_true(arch.residual == GLI_RESIDUAL_SEQUENTIAL && arch.bias[GLI_QKV] == GLI_BIAS_NONE && arch.activation == GLI_ACT_GELU_TANH);
    gli_arch_clear(&arch);
    expect_refused("{" NEOX ", 'rotary_pct': 0}", GLINT_ERROR_FORMAT, "partial_rotary_factor");
    expect_refused("{" NEOX ", 'rotary_pct': 0.1}", GLINT_ERROR_FORMAT, "3 rotary dimensions");
}

/* GPT-Neo's two ways of saying which layers see a window, and what it assumes. */
static void test_gpt_neo(void **state)
{
    (void)state;
    expect_windows("{" NEO ", 'attention_types': [[['global', 'local'], 2]], 'window_size': 7}", 0, 7, 0, 7);
    expect_windows("{" NEO ", 'attention_types': [[['local'], 1], [['global', 'local', 'global'], 1]]}", 256, 0, 256, 0);
    expect_windows("{" NEO ", 'attention_layers': ['local', 'global', 'global', 'local'], 'attention_types': [[['global', 'local'], 2]]}", 256, 0, 0, 256);
    GliArch arch;
    expect_good("{" NEO ", 'attention_types': [[['global'], 4]], 'intermediate_size': null}", &arch);
    assert_true(arch.mlp_width == 192 && arch.layers[0].scale == 1 && arch.tied && !arch.in_out && arch.bias[GLI_Q] == GLI_BIAS_NONE);
    gli_arch_clear(&arch);
    expect_refused("{" NEO "}", GLINT_ERROR_FORMAT, "\"global\" or \"local\" for each of 4 layers"); /* the default says 24 */
    expect_refused("{" NEO ", 'attention_types': [[['global', 'sparse'], 2]]}", GLINT_ERROR_UNSUPPORTED, "the attention of layer 1 is \"sparse\"");
    expect_refused("{" NEO ", 'attention_types': [[['global'], 1e300]]}", GLINT_ERROR_FORMAT, "for each of 4 layers");
    expect_refused("{" NEO ", 'attention_types': 'global'}", GLINT_ERROR_FORMAT, "attention_types");
    expect_refused("{" NEO ", 'attention_layers': ['global']}", GLINT_ERROR_FORMAT, "attention_layers");
}

/* SmolLM 3: every fourth layer has no positions, or those that a list names; a window, if any, is for these. */
static void test_smollm3(void **state)
{
    (void)state;
    GliArch arch;
    expect_good("{'model_type': 'smollm3', 'num_hidden_layers': 8}", &arch);
    assert_true(arch.hidden == 2048 && arch.n_kv_heads == 4 && arch.head_size == 128 && arch.tied && arch.rope[0].theta == 2e6);
    for (gsize l = 0; l < 8; l++)
        assert_true(arch.rope[arch.layers[l].rope].rotary == ((l + 1) % 4 ? 128 : 0) && arch.layers[l].window == 0);
    gli_arch_clear(&arch);
    expect_good("{'model_type': 'smollm3', 'num_hidden_layers': 3, 'no_rope_layers': [0, 1, 0], 'use_sliding_window': true, 'sliding_window': 9}", &arch);
    assert_true(arch.layers[0].window == 9 && arch.layers[1].window == 0 && arch.layers[1].rope == 0 && arch.layers[2].rope == 1);
    gli_arch_clear(&arch);
    expect_refused("{'model_type': 'smollm3', 'num_hidden_layers': 3, 'no_rope_layers': [0, 1]}", GLINT_ERROR_FORMAT, "list of 3");
    expect_refused("{'model_type': 'smollm3', 'num_hidden_layers': 3, 'no_rope_layers': [0, 1, 2]}", GLINT_ERROR_FORMAT, "no_rope_layers[2]");
    expect_refused("{'model_type': 'smollm3', 'num_hidden_layers': 1, 'layer_types': ['sliding_attention']}", GLINT_ERROR_UNSUPPORTED, "layer_types[0]");
}

/* What kind of model the folder holds, beside its family. */
static void test_classes(void **state)
{
    (void)state;
    static const char *const good[] = {"'LlamaForCausalLM'", "'LlamaModel'", "'GPT2LMHeadModel'", "'Gemma3ForConditionalGeneration'", ""};
    static const char *const bad[] = {"LlamaForSequenceClassification", "LlamaForTokenClassification", "GPT2DoubleHeadsModel", "LlamaForQuestionAnswering"};
    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autofree char *text = g_strdup_printf("{" LLAMA ", 'architectures': [%s]}", good[i]);
        GliArch arch;
        expect_good(text, &arch);
        gli_arch_clear(&arch);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *text = g_strdup_printf("{" LLAMA ", 'architectures': ['%s']}", bad[i]);
        expect_refused(text, GLINT_ERROR_UNSUPPORTED, bad[i]);
    }
    expect_refused("{" QWEN2 ", 'auto_map': {'AutoModel': 'modeling_qwen.Qwen2Model'}}", GLINT_ERROR_UNSUPPORTED, "auto_map");
    expect_refused("{" QWEN2 ", 'is_causal': false}", GLINT_ERROR_UNSUPPORTED, "is_causal");
    expect_refused("{'model_type': 'gemma3', 'text_config': {'model_type': 'llama'}}", GLINT_ERROR_UNSUPPORTED, "\"llama\", which does not go with \"gemma3\"");
    expect_refused("{'model_type': 'gemma3', 'quantization_config': {'bits': 4}, 'text_config': {}}", GLINT_ERROR_UNSUPPORTED, "quantization_config");
}

static void test_gemma3(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "{'model_type': 'gemma3_text', 'num_hidden_layers': 12, 'sliding_window': 512, 'rope_theta': 2e6, 'rope_local_base_freq': 2e4, "
        "'rope_scaling': {'factor': 8.0, 'rope_type': 'linear'}}",
        "{'model_type': 'gemma3', 'vision_config': {'hidden_size': 3}, 'text_config': {'num_hidden_layers': 12, 'sliding_window': 512, "
        "'rope_theta': 2e6, 'rope_local_base_freq': 2e4, 'rope_scaling': {'factor': 8.0, 'rope_type': 'linear'}}}",
        "{'model_type': 'gemma3_text', 'num_hidden_layers': 12, 'sliding_window': 512, 'rope_parameters': {'full_attention': {'rope_theta': 2e6, "
        "'rope_type': 'linear', 'factor': 8.0}, 'sliding_attention': {'rope_theta': 2e4, 'rope_type': 'default'}}}",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(forms); i++) {
        GliArch arch;
        expect_good(forms[i], &arch);
        assert_int_equal(arch.n_heads, 8); /* transformers' default: the published 4B config relies on it */
        assert_int_equal(arch.vocab, 262208);
        assert_true(arch.tied && arch.embed_scale == sqrt(2304));
        for (gsize l = 0; l < 12; l++) {
            assert_int_equal(arch.layers[l].window, (l + 1) % 6 ? 512 : 0);
            assert_int_equal(arch.layers[l].rope, (l + 1) % 6 ? 1 : 0);
        }
        assert_true(arch.rope[0].kind == GLI_ROPE_LINEAR && arch.rope[0].factor == 8 && arch.rope[0].theta == 2e6);
        assert_true(arch.rope[1].kind == GLI_ROPE_PLAIN && arch.rope[1].theta == 2e4);
        gli_arch_clear(&arch);
    }
    GliArch arch;
    expect_good("{'model_type': 'gemma3_text', 'num_hidden_layers': 3, 'layer_types': ['full_attention', 'sliding_attention', 'full_attention'], "
                "'query_pre_attn_scalar': 168}", &arch);
    assert_true(arch.layers[0].window == 0 && arch.layers[1].window == 4096 && arch.layers[2].window == 0);
    assert_true(fabs(arch.layers[0].scale - 1 / sqrt(168)) < 1e-15);
    gli_arch_clear(&arch);
}

/* Where null and absence differ, and which layers slide. */
static void test_windows(void **state)
{
    (void)state;
    expect_windows("{" MISTRAL "}", 4096, 4096, 4096, 4096);
    expect_windows("{" MISTRAL ", 'sliding_window': null}", 0, 0, 0, 0);
    expect_windows("{" MISTRAL ", 'sliding_window': 5}", 5, 5, 5, 5);
    expect_windows("{" QWEN2 ", 'sliding_window': 131072, 'use_sliding_window': false, 'max_window_layers': 1}", 0, 0, 0, 0);
    expect_windows("{" QWEN2 ", 'sliding_window': 9, 'use_sliding_window': true, 'max_window_layers': 3}", 0, 0, 0, 9);
    expect_windows("{" QWEN2 ", 'sliding_window': 9, 'use_sliding_window': true, 'max_window_layers': 0}", 9, 9, 9, 9);
    expect_windows("{" QWEN2 ", 'sliding_window': null, 'use_sliding_window': true, 'max_window_layers': 0}", 0, 0, 0, 0);
    expect_windows("{" QWEN3 ", 'sliding_window': 9, 'use_sliding_window': true, 'max_window_layers': 0, 'layer_types': "
                   "['sliding_attention', 'full_attention', 'full_attention', 'sliding_attention']}", 9, 0, 0, 9);
    expect_windows("{'model_type': 'gemma2', 'num_hidden_layers': 4, 'sliding_window': 7}", 7, 0, 7, 0);
    expect_windows("{'model_type': 'gemma2', 'num_hidden_layers': 4, 'sliding_window': 7, 'layer_types': "
                   "['full_attention', 'full_attention', 'sliding_attention', 'sliding_attention']}", 0, 0, 7, 7);
    expect_windows("{'model_type': 'gemma', 'num_hidden_layers': 4}", 0, 0, 0, 0);
}

static void test_llama_descendants(void **state)
{
    (void)state;
    GliArch arch;
    expect_good("{" MISTRAL "}", &arch);
    assert_int_equal(arch.n_kv_heads, 8);
    assert_int_equal(arch.bias[GLI_Q], GLI_BIAS_NONE);
    gli_arch_clear(&arch);
    expect_good("{" QWEN2 ", 'num_key_value_heads': 2, 'attention_bias': true}", &arch); /* a key the family does not have */
    assert_true(arch.bias[GLI_Q] == GLI_BIAS_REQUIRED && arch.bias[GLI_K] == GLI_BIAS_REQUIRED && arch.bias[GLI_V] == GLI_BIAS_REQUIRED);
    assert_true(arch.bias[GLI_ATTN_PROJ] == GLI_BIAS_NONE && arch.bias[GLI_GATE] == GLI_BIAS_NONE && !arch.name[GLI_Q_NORM] && !arch.tied);
    gli_arch_clear(&arch);
    expect_good("{" QWEN3 "}", &arch);
    assert_int_equal(arch.head_size, 128);
    assert_true(arch.name[GLI_Q_NORM] && arch.name[GLI_K_NORM] && arch.norm == GLI_NORM_RMS && arch.bias[GLI_Q] == GLI_BIAS_NONE);
    assert_true(fabs(arch.layers[0].scale - 1 / sqrt(128)) < 1e-15);
    gli_arch_clear(&arch);
}

static void test_gemma1_gemma2(void **state)
{
    (void)state;
    static const struct { const char *keys; GliActivation activation; } forms[] = {
        {"", GLI_ACT_GELU_TANH}, {", 'hidden_act': 'gelu'", GLI_ACT_GELU_TANH}, {", 'hidden_act': 'gelu', 'hidden_activation': null", GLI_ACT_GELU_TANH},
        {", 'hidden_act': 'gelu', 'hidden_activation': 'silu'", GLI_ACT_SILU}, {", 'hidden_act': 'relu'", GLI_ACT_RELU},
    };
    GliArch arch;
    for (gsize i = 0; i < G_N_ELEMENTS(forms); i++) {
        g_autofree char *text = g_strdup_printf("{'model_type': 'gemma', 'num_key_value_heads': 1%s}", forms[i].keys);
        expect_good(text, &arch);
        assert_int_equal(arch.activation, forms[i].activation);
        assert_true(arch.tied && arch.norm == GLI_NORM_RMS_PLUS_ONE && arch.embed_scale == sqrt(3072) && arch.head_size == 256);
        gli_arch_clear(&arch);
    }
    expect_good("{'model_type': 'gemma2', 'query_pre_attn_scalar': 144}", &arch);
    assert_true(arch.attn_softcap == 50 && arch.final_softcap == 30 && arch.n_layers == 26 && arch.tied);
    assert_true(fabs(arch.layers[25].scale - 1.0 / 12) < 1e-15);
    gli_arch_clear(&arch);
    expect_good("{'model_type': 'gemma2', 'attn_logit_softcapping': null, 'final_logit_softcapping': 12.5}", &arch);
    assert_true(arch.attn_softcap == 0 && arch.final_softcap == 12.5);
    gli_arch_clear(&arch);
}

static void test_gpt2(void **state)
{
    (void)state;
    GliArch arch;
    expect_good("{" GPT2 ", 'n_inner': null, 'scale_attn_by_inverse_layer_idx': true}", &arch);
    assert_int_equal(arch.mlp_width, 192);
    assert_true(arch.tied && arch.in_out && arch.mlp == GLI_MLP_PLAIN && arch.activation == GLI_ACT_GELU_TANH);
    assert_true(fabs(arch.layers[2].scale - 0.25 / 3) < 1e-15);
    gli_arch_clear(&arch);
    expect_good("{" GPT2 ", 'scale_attn_weights': false, 'tie_word_embeddings': false}", &arch);
    assert_true(arch.layers[0].scale == 1 && !arch.tied);
    gli_arch_clear(&arch);
}

static void test_unsupported(void **state)
{
    (void)state;
    expect_refused("{'model_type': 'mamba2'}", GLINT_ERROR_UNSUPPORTED, "\"mamba2\" is not supported (glint knows");
    expect_refused("{" LLAMA ", 'rope_scaling': {'rope_type': 'yarn', 'factor': 4.0}}", GLINT_ERROR_UNSUPPORTED, "\"yarn\"");
    expect_refused("{" LLAMA ", 'rope_scaling': {'type': 'dynamic', 'factor': 4.0}}", GLINT_ERROR_UNSUPPORTED, "\"dynamic\"");
    expect_refused("{" LLAMA ", 'rope_parameters': {'rope_type': 'longrope'}}", GLINT_ERROR_UNSUPPORTED, "\"longrope\"");
    expect_refused("{" LLAMA ", 'num_local_experts': 8}", GLINT_ERROR_UNSUPPORTED, "num_local_experts");
    expect_refused("{" LLAMA ", 'quantization_config': {'quant_method': 'gptq'}}", GLINT_ERROR_UNSUPPORTED, "quantization_config");
    expect_refused("{" LLAMA ", 'hidden_act': 'mish'}", GLINT_ERROR_UNSUPPORTED, "\"mish\"");
    expect_refused("{'model_type': 'gemma3_text', 'use_bidirectional_attention': true}", GLINT_ERROR_UNSUPPORTED, "use_bidirectional_attention");
    expect_refused("{'model_type': 'gemma3_text', 'attn_logit_softcapping': 50.0}", GLINT_ERROR_UNSUPPORTED, "attn_logit_softcapping");
    expect_refused("{'model_type': 'gemma3', 'text_config': {'final_logit_softcapping': 30.0}}", GLINT_ERROR_UNSUPPORTED, "final_logit_softcapping");
    expect_refused("{'model_type': 'gemma3_text', 'num_hidden_layers': 1, 'layer_types': ['chunked_attention']}", GLINT_ERROR_UNSUPPORTED, "chunked_attention");
    static const char *const others[] = {"qwen2_moe", "qwen3_moe", "mixtral", "ministral", "gemma3n_text", "recurrent_gemma"};
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        g_autofree char *text = g_strdup_printf("{'model_type': '%s'}", others[i]), *words = g_strdup_printf("\"%s\" is not supported", others[i]);
        expect_refused(text, GLINT_ERROR_UNSUPPORTED, words);
    }
    expect_refused("{" QWEN2 ", 'rope_scaling': {'type': 'yarn', 'factor': 4.0, 'original_max_position_embeddings': 32768}}", GLINT_ERROR_UNSUPPORTED, "\"yarn\"");
    expect_refused("{" QWEN3 ", 'rope_parameters': {'rope_type': 'yarn', 'rope_theta': 1e6}}", GLINT_ERROR_UNSUPPORTED, "\"yarn\"");
    expect_refused("{" MISTRAL ", 'rope_parameters': {'rope_type': 'yarn', 'rope_theta': 1e6}}", GLINT_ERROR_UNSUPPORTED, "\"yarn\"");
    expect_refused("{" MISTRAL ", 'num_local_experts': 8}", GLINT_ERROR_UNSUPPORTED, "num_local_experts");
    expect_refused("{" MISTRAL ", 'layer_types': ['full_attention', 'full_attention', 'full_attention', 'full_attention']}", GLINT_ERROR_UNSUPPORTED, "layer_types");
    expect_refused("{" QWEN3 ", 'num_experts': 128}", GLINT_ERROR_UNSUPPORTED, "num_experts");
    expect_refused("{'model_type': 'gemma2', 'use_bidirectional_attention': true}", GLINT_ERROR_UNSUPPORTED, "use_bidirectional_attention");
    expect_refused("{" GPT2 ", 'add_cross_attention': true}", GLINT_ERROR_UNSUPPORTED, "add_cross_attention");
    expect_refused("{" GPT2 ", 'pruned_heads': {'1': [0]}}", GLINT_ERROR_UNSUPPORTED, "pruned_heads");
    expect_refused("{" GPT2 ", 'activation_function': 'quick_gelu'}", GLINT_ERROR_UNSUPPORTED, "\"quick_gelu\"");
    static const char *const turns[] = {"su", "mrope", "ntk", "proportional", "yarn", "longrope", "dynamic"};
    for (gsize i = 0; i < G_N_ELEMENTS(turns); i++) {
        g_autofree char *text = g_strdup_printf("{" LLAMA ", 'rope_scaling': {'type': '%s', 'factor': 2.0}}", turns[i]);
        expect_refused(text, GLINT_ERROR_UNSUPPORTED, turns[i]);
    }
    expect_refused("{" QWEN2 ", 'rope_scaling': {'type': 'default', 'mrope_section': [16, 24, 24]}}", GLINT_ERROR_UNSUPPORTED, "mrope_section");
    expect_refused("{" LLAMA ", 'layer_types': ['full_attention', 'sliding_attention', 'full_attention', 'full_attention']}", GLINT_ERROR_UNSUPPORTED,
                   "layer_types[1] is \"sliding_attention\", which a llama model does not have");
    expect_refused("{'model_type': 'gemma2', 'sliding_window': null}", GLINT_ERROR_FORMAT, "\"sliding_window\" is null");
    expect_refused("{'model_type': 'gemma3_text', 'sliding_window': null}", GLINT_ERROR_FORMAT, "\"sliding_window\" is null");
}

static void test_damaged(void **state)
{
    (void)state;
    expect_refused("[]", GLINT_ERROR_FORMAT, "expected a JSON object");
    expect_refused("{'hidden_size': 64}", GLINT_ERROR_FORMAT, "model_type");
    expect_refused("{'model_type': 'llama', 'hidden_size': 64}", GLINT_ERROR_FORMAT, "\"num_hidden_layers\" is missing");
    expect_refused("{'model_type': 'gemma3_text', 'rope_parameters': {'full_attention': 5}}", GLINT_ERROR_FORMAT, "an object for each kind of layer");
    expect_refused("{" GPT2 ", 'n_inner': 0}", GLINT_ERROR_FORMAT, "\"n_inner\" should be a positive integer");
    expect_refused("{" GPT2 ", 'n_inner': -3}", GLINT_ERROR_FORMAT, "\"n_inner\" should be a positive integer");
    expect_refused("{" GPT2 ", 'n_inner': 4000000000}", GLINT_ERROR_FORMAT, "\"n_inner\" should be a positive integer");
    expect_refused("{" LLAMA ", 'num_key_value_heads': 3}", GLINT_ERROR_FORMAT, "8 attention heads cannot share 3");
    expect_refused("{" LLAMA ", 'rms_norm_eps': 'small'}", GLINT_ERROR_FORMAT, "\"rms_norm_eps\" should be a number");
    expect_refused("{" LLAMA ", 'rms_norm_eps': -1}", GLINT_ERROR_FORMAT, "epsilon");
    expect_refused("{" LLAMA ", 'rope_theta': 0}", GLINT_ERROR_FORMAT, "rope_theta");
    expect_refused("{" LLAMA ", 'head_dim': 7}", GLINT_ERROR_FORMAT, "even number");
    expect_refused("{" LLAMA ", 'tie_word_embeddings': 1}", GLINT_ERROR_FORMAT, "true or false");
    expect_refused("{" LLAMA ", 'rope_scaling': {'rope_type': 'linear'}}", GLINT_ERROR_FORMAT, "factor");
    expect_refused("{" LLAMA ", 'rope_scaling': {'rope_type': 'llama3', 'factor': 8.0}}", GLINT_ERROR_FORMAT, "llama3");
    expect_refused("{" LLAMA ", 'rope_scaling': 8}", GLINT_ERROR_FORMAT, "rope_scaling");
    expect_refused("{'model_type': 'gemma3_text', 'num_hidden_layers': 200000000}", GLINT_ERROR_FORMAT, "no model has more than");
    expect_refused("{'model_type': 'gemma3_text', 'layer_types': ['full_attention']}", GLINT_ERROR_FORMAT, "list of 26");
    expect_refused("{" QWEN2 ", 'layer_types': ['full_attention', 'full_attention', 'full_attention', 'sliding_attention']}", GLINT_ERROR_FORMAT,
                   "layer_types[3] is \"sliding_attention\", but \"use_sliding_window\"");
    expect_refused("{" QWEN3 ", 'use_sliding_window': true, 'sliding_window': 0}", GLINT_ERROR_FORMAT, "\"sliding_window\" should be a positive integer");
    expect_refused("{" MISTRAL ", 'sliding_window': false}", GLINT_ERROR_FORMAT, "\"sliding_window\" should be a positive integer");
    expect_refused("{'model_type': 'gemma2', 'attn_logit_softcapping': -1.0}", GLINT_ERROR_FORMAT, "soft-caps");
    expect_refused("{'model_type': 'gemma2', 'query_pre_attn_scalar': 0}", GLINT_ERROR_FORMAT, "query_pre_attn_scalar");
    expect_refused("{'model_type': 'gemma', 'num_hidden_layers': 200000000}", GLINT_ERROR_FORMAT, "no model has more than");
    expect_refused("{'model_type': 'gemma3_text', 'query_pre_attn_scalar': 0}", GLINT_ERROR_FORMAT, "query_pre_attn_scalar");
}

/* Every key a family reads, with values of every wrong kind: an error that names file and key, or a model that adds up. */
static void test_lies(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "intermediate_size", "vocab_size",
        "max_position_embeddings", "rms_norm_eps", "rope_theta", "hidden_act", "tie_word_embeddings", "attention_bias", "rope_scaling", "rope_parameters",
        "sliding_window", "layer_types", "partial_rotary_factor", "architectures", "text_config", "auto_map",
    };
    static const char *const values[] = {"0", "-1", "1e308", "-1e308", "268435457", "9223372036854775807", "1180591620717411303424", "0.5", "'x'", "''", "null",
                                         "true", "false", "[]", "[1]", "[[]]", "{}", "{'type': 3}", "{'type': 'linear', 'factor': -1}", "{'a': {}}"};
    static const char *const families[] = {"llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "smollm3"};
    gsize refused = 0;
    for (gsize f = 0; f < G_N_ELEMENTS(families); f++)
        for (gsize k = 0; k < G_N_ELEMENTS(keys); k++)
            for (gsize v = 0; v < G_N_ELEMENTS(values); v++) {
                g_autofree char *rest = g_strdup_printf("'model_type': '%s', 'hidden_size': 64, 'num_hidden_layers': 4, 'num_attention_heads': 8, "
                                                        "'intermediate_size': 96, 'vocab_size': 100, ", families[f]);
                g_autofree char *own = g_strdup_printf("'%s':", keys[k]);
                char *at = strstr(rest, own); /* JSON with a key twice is refused before anything is looked at: rename the good one */
                if (at)
                    at[1] = '_';
                g_autofree char *text = g_strdup_printf("{%s'%s': %s}", rest, keys[k], values[v]);
                GliArch arch;
                g_autoptr(GError) error = NULL;
                if (describe(text, &arch, &error)) {
                    assert_true(arch.hidden > 0 && arch.n_layers > 0 && arch.n_layers <= 10000 && arch.n_heads % arch.n_kv_heads == 0);
                    assert_true(arch.rope[0].theta > 0 && isfinite(arch.rope[0].theta) && arch.norm_eps >= 0);
                    gli_arch_clear(&arch);
                } else {
                    assert_true(error && strstr(error->message, "config.json"));
                    refused++;
                }
            }
    assert_true(refused > 1000);
    expect_refused("{" LLAMA ", 'vocab_size': 100}", GLINT_ERROR_FORMAT, "not valid JSON"); /* a key twice */
    GliArch arch; /* an integer beyond 64 bits elsewhere turns all numbers into reals, which changes nothing */
    expect_good("{" LLAMA ", 'model_max_length': 1000000000000000019884624838656}", &arch);
    assert_int_equal(arch.hidden, 64);
    gli_arch_clear(&arch);
    expect_refused("{" LLAMA ", 'head_dim': 16384.5}", GLINT_ERROR_FORMAT, "\"head_dim\" should be a positive integer");
}

static int setup(void **state)
{
    (void)state;
    folder = temporary_folder();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    remove_folder(folder);
    g_free(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_llama), cmocka_unit_test(test_rope_forms), cmocka_unit_test(test_gemma3), cmocka_unit_test(test_windows),
        cmocka_unit_test(test_llama_descendants), cmocka_unit_test(test_gemma1_gemma2), cmocka_unit_test(test_gpt2),
        cmocka_unit_test(test_gpt_neox), cmocka_unit_test(test_gpt_neo), cmocka_unit_test(test_smollm3), cmocka_unit_test(test_classes),
        cmocka_unit_test(test_unsupported), cmocka_unit_test(test_damaged), cmocka_unit_test(test_lies),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
