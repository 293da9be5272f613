"""Random configs of every family, for make_families.py --sweep: sizes, windows, rotary forms, biases and types drawn at random,
one file per model. Nothing of it is committed; docs/models.md reports what the last sweep found."""
import random

import make_families as M
import transformers as T


def pick(rng, *values):
    return rng.choice(values)


def base(rng):
    kv = pick(rng, 1, 2, 3)
    return dict(vocab_size=M.VOCAB, hidden_size=0, intermediate_size=rng.randrange(5, 90), num_hidden_layers=rng.randrange(1, 7),
                num_attention_heads=kv * pick(rng, 1, 2, 3), num_key_value_heads=kv, head_dim=2 * rng.randrange(2, 20), max_position_embeddings=4096,
                rms_norm_eps=pick(rng, 1e-6, 1e-5), pad_token_id=0, eos_token_id=2, bos_token_id=1)


def with_hidden(rng, config):
    heads = config["num_attention_heads"]
    return {**config, "hidden_size": heads * 2 * rng.randrange(2, 9)} # transformers wants a multiple of the heads


def scaling(rng):
    kind = pick(rng, None, None, "linear", "llama3")
    if kind == "linear":
        return dict(rope_type="linear", factor=pick(rng, 1.0, 2.0, 8.0))
    if kind == "llama3":
        low = pick(rng, 1.0, 2.0)
        return dict(rope_type="llama3", factor=pick(rng, 4.0, 8.0, 32.0), low_freq_factor=low, high_freq_factor=low * pick(rng, 2.0, 4.0),
                    original_max_position_embeddings=pick(rng, 64, 256, 1024))
    return None


def layer_types(rng, n):
    return [pick(rng, "sliding_attention", "full_attention") for _ in range(n)]


def window(rng):
    return pick(rng, 1, 2, 5, 31, 63, 64, 65, 128, 200, 512, 1500)


def llama_like(rng, kind):
    c = with_hidden(rng, base(rng))
    w, spec = window(rng), {}
    common = dict(tie_word_embeddings=pick(rng, True, False), rope_theta=pick(rng, 1e4, 5e5, 1e6), rope_scaling=scaling(rng))
    if kind == "llama":
        return T.LlamaConfig(**c, **common, attention_bias=pick(rng, True, False), mlp_bias=pick(rng, True, False), hidden_act=pick(rng, "silu", "gelu", "relu")), w
    if kind == "mistral":
        return T.MistralConfig(**c, **common, sliding_window=pick(rng, None, w, w)), w
    slides = pick(rng, True, True, False)
    windows = dict(use_sliding_window=slides, sliding_window=w, max_window_layers=rng.randrange(0, 4))
    if slides and pick(rng, True, False):
        windows["layer_types"] = layer_types(rng, c["num_hidden_layers"])
    if kind == "qwen2":
        del c["head_dim"]
        return T.Qwen2Config(**c, **common, **windows), w
    if kind == "qwen3":
        return T.Qwen3Config(**c, **common, **windows, attention_bias=pick(rng, True, False)), w
    del c["head_dim"], windows["max_window_layers"]
    turns = pick(rng, dict(no_rope_layer_interval=rng.randrange(1, 5)), dict(no_rope_layers=[rng.randrange(2) for _ in range(c["num_hidden_layers"])]))
    return T.SmolLM3Config(**c, **common, **windows, **turns, attention_bias=pick(rng, True, False), mlp_bias=pick(rng, True, False)), w


def gemma(rng, kind):
    c = with_hidden(rng, base(rng))
    w, bias = window(rng), pick(rng, True, False)
    if kind == "gemma":
        return T.GemmaConfig(**c, attention_bias=bias, rope_theta=pick(rng, 1e4, 1e5), rope_scaling=scaling(rng), hidden_act=pick(rng, "gelu", "gelu_pytorch_tanh")), w
    more = dict(sliding_window=w, query_pre_attn_scalar=rng.randrange(3, 40), attention_bias=bias, final_logit_softcapping=pick(rng, None, 2.0, 30.0))
    if pick(rng, True, False):
        more["layer_types"] = layer_types(rng, c["num_hidden_layers"])
    if kind == "gemma2":
        return T.Gemma2Config(**c, **more, attn_logit_softcapping=pick(rng, None, 1.5, 50.0), rope_scaling=scaling(rng)), w
    full = {**(scaling(rng) or dict(rope_type="default")), "rope_theta": pick(rng, 1e5, 1e6)}
    if "layer_types" not in more:
        more["sliding_window_pattern"] = rng.randrange(1, 7)
    ropes = dict(full_attention=full, sliding_attention=dict(rope_type="default", rope_theta=pick(rng, 1e4, 3e4)))
    text = dict(**c, **more, rope_parameters=ropes)
    if "layer_types" in more and pick(rng, True, False): # transformers leaves the cap out there, glint refuses it
        return M.multimodal({**text, "final_logit_softcapping": None}), w
    return T.Gemma3TextConfig(**text), w


def gpt(rng, kind):
    heads, layers = rng.randrange(1, 6), rng.randrange(1, 7)
    hidden, w = heads * 2 * rng.randrange(4, 12), window(rng)
    act = pick(rng, "gelu_new", "gelu", "relu", "silu", "gelu_fast")
    if kind == "gpt2":
        return T.GPT2Config(**{**M.GPT2, "n_embd": hidden, "n_layer": layers, "n_head": heads}, n_inner=pick(rng, None, 37), activation_function=act,
                            scale_attn_weights=pick(rng, True, False), scale_attn_by_inverse_layer_idx=pick(rng, True, False),
                            reorder_and_upcast_attn=False, tie_word_embeddings=pick(rng, True, True, False)), w
    if kind == "gpt_neo":
        kinds = [pick(rng, "global", "local") for _ in range(layers)]
        return T.GPTNeoConfig(**{**M.NEO, "hidden_size": hidden, "num_heads": heads}, num_layers=layers, window_size=w, activation_function=act,
                              intermediate_size=pick(rng, None, 29), attention_types=[[kinds, 1]]), w
    size = hidden // heads
    pct = 2 * rng.randrange(1, size // 2 + 1) / size
    pct = pct if int(size * pct) % 2 == 0 and int(size * pct) >= 2 else 1.0
    rope = dict(rope_scaling=scaling(rng)) if pick(rng, True, False) else {}
    return T.GPTNeoXConfig(**{**M.NEOX, "hidden_size": hidden, "num_attention_heads": heads, "num_hidden_layers": layers}, rotary_pct=pct, hidden_act=act,
                           use_parallel_residual=pick(rng, True, False), attention_bias=pick(rng, True, False), **rope), w


def draw(rng, family):
    make = gemma if family.startswith("gemma") else gpt if family.startswith("gpt") else llama_like
    return make(rng, family)


def run(count, out, families):
    for family in families or M.FAMILIES:
        for i in range(count):
            rng = random.Random(f"{family} {i}")
            config, w = draw(rng, family)
            spec = dict(config=lambda: config, dtype=pick(rng, M.F32, M.F32, M.F16, M.BF16), window=max(w, 2))
            M.make(out / f"{family}_{i:03d}.safetensors", {"model": spec}, M.SEED + 1000 * i, rng.choice([40, 300, 700, 1100, 2000]))
