#!/usr/bin/env python3
"""Writes tests/model/data/families/<family>.safetensors: per family one file with tiny random checkpoints and what
transformers computes with them on a text of 2,000 tokens, far beyond every window.

    /opt/oracle/bin/python tools/reference/make_families.py              # all, into tests/model/data/families
    /opt/oracle/bin/python tools/reference/make_families.py gemma3       # one
    /opt/oracle/bin/python tools/reference/make_families.py --sweep 20 OUT [family...]   # random models, one file each, for
        build/release/tests/model/test_model_families_long OUT/*.safetensors             # the one-off proof

Development time only: the results are committed, the tests need no Python. Every checkpoint is written by transformers'
save_pretrained and read back from there. Tensors of a file, with V the name of a variant:

    ids                    U8 [2000]        the text
    V|weights|NAME         the checkpoint, in its own type
    V|positions            I32 [P]          positions whose logits are kept: lengths 1, window - 1, window, window + 1, ... 2,000
    V|logits               F32 [P, vocab]   computed in float64 (transformers' norms, softmax and angles stay float32)
    V|logits_bf16          F32 [P, vocab]   bf16 checkpoints: computed by transformers in bf16
    V|sites                I32 [S]          positions whose sites are kept
    V|blocks.L.SITE        F32 [S, width]   every site of every layer

and the metadata "V" is config.json. A model is causal, so row p of the logits is also the answer for the first p + 1 tokens.
"""
import json
import os
import pathlib
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
import safetensors
import safetensors.torch
import torch
import transformers

from make_models import SEED, hook_sites, randomize, write_v4_config

ROOT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "model" / "data" / "families"
VOCAB, TOKENS = 96, 2000
T = transformers
SMALL = dict(vocab_size=VOCAB, hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
             head_dim=8, max_position_embeddings=2048, pad_token_id=0, eos_token_id=2, bos_token_id=1)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=512) # a wave of 167 tokens lies where slow and fast are blended
GPT2 = dict(vocab_size=VOCAB, n_positions=2048, n_embd=12, n_layer=3, n_head=3, bos_token_id=0, eos_token_id=0, resid_pdrop=0, embd_pdrop=0,
            attn_pdrop=0)
NEO = dict(vocab_size=VOCAB, hidden_size=12, num_heads=3, max_position_embeddings=2048, bos_token_id=0, eos_token_id=0, resid_dropout=0,
           embed_dropout=0, attention_dropout=0)
NEOX = dict(vocab_size=VOCAB, hidden_size=24, intermediate_size=36, num_hidden_layers=3, num_attention_heads=3, max_position_embeddings=2048,
            bos_token_id=0, eos_token_id=0)
F32, F16, BF16 = torch.float32, torch.float16, torch.bfloat16


def small(**changes):
    return {key: value for key, value in {**SMALL, **changes}.items() if value != "absent"}


def multimodal(text):
    vision = dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, image_size=8, patch_size=4)
    return T.Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4)


# v4: write config.json in the form transformers 4 used, with these keys. window: the one whose edges are looked at.
FAMILIES = {
    "gemma": {
        "f32_v4": dict(config=lambda: T.GemmaConfig(**small(num_key_value_heads=1)), dtype=F32, v4=dict(rope_theta=10000.0, hidden_act="gelu")),
        "bf16": dict(config=lambda: T.GemmaConfig(**small(attention_bias=True, head_dim=12, hidden_act="gelu_pytorch_tanh")), dtype=BF16),
    },
    "gemma2": {
        "f32_v4": dict(config=lambda: T.Gemma2Config(**small(), sliding_window=33, query_pre_attn_scalar=5, attn_logit_softcapping=1.5,
                                                     final_logit_softcapping=2.0), dtype=F32, window=33, v4=dict(rope_theta=10000.0)),
        "bf16": dict(config=lambda: T.Gemma2Config(**small(num_hidden_layers=4), sliding_window=65, query_pre_attn_scalar=8, attn_logit_softcapping=None,
                                                   final_logit_softcapping=None, layer_types=["full_attention"] + ["sliding_attention"] * 3),
                     dtype=BF16, window=65),
    },
    "gemma3": {
        "f32_v4_linear": dict(
            config=lambda: T.Gemma3TextConfig(**small(num_hidden_layers=5), sliding_window=64, sliding_window_pattern=3, query_pre_attn_scalar=5,
                                              rope_scaling={"rope_type": "linear", "factor": 8.0}), dtype=F32, window=64,
            v4=dict(rope_theta=1e6, rope_local_base_freq=1e4, rope_scaling={"type": "linear", "factor": 8.0}, sliding_window_pattern=3)),
        "bf16_multimodal": dict(
            config=lambda: multimodal(dict(**small(num_hidden_layers=3), sliding_window=31, query_pre_attn_scalar=24, layer_types=[
                "sliding_attention", "full_attention", "sliding_attention"], rope_parameters={
                    "full_attention": dict(rope_type="linear", factor=8.0, rope_theta=1e6), "sliding_attention": dict(rope_type="default", rope_theta=1e4)})),
            dtype=BF16, window=31),
        "bf16": dict(config=lambda: T.Gemma3TextConfig(**small(head_dim=16, num_key_value_heads=1), sliding_window=512, sliding_window_pattern=2,
                                                       query_pre_attn_scalar=16, final_logit_softcapping=3.0), dtype=BF16, window=512),
    },
    "gpt2": {
        "f32": dict(config=lambda: T.GPT2Config(**GPT2, scale_attn_by_inverse_layer_idx=True, n_inner=40), dtype=F32),
        "bf16": dict(config=lambda: T.GPT2Config(**GPT2, activation_function="gelu", reorder_and_upcast_attn=False), dtype=BF16),
    },
    "gpt_neo": {
        "f32": dict(config=lambda: T.GPTNeoConfig(**NEO, num_layers=3, window_size=33, attention_types=[[["global", "local", "local"], 1]]), dtype=F32, window=33),
        "bf16": dict(config=lambda: T.GPTNeoConfig(**NEO, num_layers=4, window_size=64, intermediate_size=20, attention_types=[[["local", "global"], 2]]),
                     dtype=BF16, window=64),
    },
    "gpt_neox": {
        "f32_v4": dict(config=lambda: T.GPTNeoXConfig(**NEOX, rotary_pct=0.25), dtype=F32, v4=dict(rotary_pct=0.25, rotary_emb_base=10000)),
        "f32_sequential": dict(config=lambda: T.GPTNeoXConfig(**{**NEOX, "num_hidden_layers": 2}, rotary_pct=0.5, use_parallel_residual=False, hidden_act="gelu_fast",
                                                              attention_bias=False, tie_word_embeddings=True), dtype=F32),
        "bf16_linear": dict(config=lambda: T.GPTNeoXConfig(**{**NEOX, "num_hidden_layers": 2}, rope_scaling=dict(rope_type="linear", factor=4.0)), dtype=BF16),
    },
    "llama": {
        "f32_v4_llama3": dict(config=lambda: T.LlamaConfig(**small(), rope_theta=5e5, rope_scaling=dict(LLAMA3)), dtype=F32, window=128,
                              v4=dict(rope_theta=5e5, rope_scaling=LLAMA3)),
        "f16_linear": dict(config=lambda: T.LlamaConfig(**small(num_hidden_layers=2, num_key_value_heads=4, head_dim=12, tie_word_embeddings=True, attention_bias=True,
                                                                mlp_bias=True, rms_norm_eps=1e-5), rope_scaling={"rope_type": "linear", "factor": 4.0}), dtype=F16),
        "bf16_tied": dict(config=lambda: T.LlamaConfig(**small(num_key_value_heads=1, tie_word_embeddings=True, head_dim="absent"),
                                                       rope_theta=5e5, rope_scaling={**LLAMA3, "factor": 32.0}), dtype=BF16),
    },
    "mistral": {
        "f32_v4": dict(config=lambda: T.MistralConfig(**small(), sliding_window=63), dtype=F32, window=63, v4=dict(rope_theta=10000.0)),
        "bf16_no_window": dict(config=lambda: T.MistralConfig(**small(head_dim=12), sliding_window=None, rope_theta=1e6), dtype=BF16),
    },
    "qwen2": {
        "f32_tied": dict(config=lambda: T.Qwen2Config(**small(head_dim="absent"), tie_word_embeddings=True, rope_theta=1e6), dtype=F32),
        "bf16_v4_window": dict(config=lambda: T.Qwen2Config(**small(head_dim="absent"), use_sliding_window=True, sliding_window=65, max_window_layers=1, rope_theta=1e6),
                               dtype=BF16, window=65, v4=dict(rope_theta=1e6)),
    },
    "qwen3": {
        "f32_v4": dict(config=lambda: T.Qwen3Config(**small(attention_bias=True), rope_theta=1e6), dtype=F32, v4=dict(rope_theta=1e6)),
        "bf16_window": dict(config=lambda: T.Qwen3Config(**small(), tie_word_embeddings=True, rope_theta=5e6, use_sliding_window=True, sliding_window=100, layer_types=[
            "sliding_attention", "full_attention", "sliding_attention"]), dtype=BF16, window=100),
    },
    "smollm3": {
        "f32": dict(config=lambda: T.SmolLM3Config(**small(num_hidden_layers=5, head_dim="absent"), rope_theta=5e6), dtype=F32),
        "bf16_v4_window": dict(config=lambda: T.SmolLM3Config(**small(head_dim="absent"), no_rope_layers=[1, 0, 0], use_sliding_window=True, sliding_window=33,
                                                              tie_word_embeddings=False), dtype=BF16, window=33, v4=dict(rope_theta=2e6)),
    },
}


def positions_of(window, tokens):
    edges = [0, 1, window - 2, window - 1, window, window + 1, 2 * window - 1, 2 * window, 3 * window + 5, 62, 63, 64, 65, 500, 1023, tokens - 1]
    return sorted({p for p in edges if 0 <= p < tokens})


def text_model(model):
    """The part with layers, under a name hook_sites understands."""
    return model.model.language_model if hasattr(model, "model") and hasattr(model.model, "language_model") else None


class TextOnly:
    """A multimodal model seen as its language model, for hook_sites."""
    def __init__(self, model):
        self.model, self.config = text_model(model), model.config.text_config


def compute(model, ids, layers):
    found = {}
    hook_sites(TextOnly(model) if text_model(model) else model, layers, found)
    with torch.no_grad():
        logits = model(input_ids=ids).logits[0]
    return logits, found


def load(folder, dtype):
    kind = json.loads((folder / "config.json").read_text())["model_type"]
    auto = T.AutoModelForImageTextToText if kind == "gemma3" else T.AutoModelForCausalLM
    return auto.from_pretrained(folder, attn_implementation="eager", dtype=dtype).eval()


def initial(config, seed, dtype):
    torch.manual_seed(seed)
    auto = T.AutoModelForImageTextToText if config.model_type == "gemma3" else T.AutoModelForCausalLM
    model = auto.from_config(config, attn_implementation="eager").eval()
    randomize(model, dtype, seed)
    return model.to(dtype)


def add_variant(name, spec, ids, seed, tensors, metadata):
    window, dtype, tokens = spec.get("window", 128), spec["dtype"], ids.shape[1]
    at, sites = positions_of(window, tokens), sorted({p for p in (0, window - 1, window, 64, 1000, tokens - 1) if p < tokens})
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        model = initial(spec["config"](), seed, dtype)
        model.config.dtype = dtype
        model.save_pretrained(folder)
        exact = load(folder, torch.float64) # the v5 form, which transformers itself has written
        config = exact.config.text_config if text_model(exact) else exact.config
        logits, found = compute(exact, ids, range(config.num_hidden_layers))
        if dtype == BF16:
            half, _ = compute(load(folder, BF16), ids, [])
            tensors[f"{name}|logits_bf16"] = half[at].to(F32).contiguous()
        if "v4" in spec:
            write_v4_config(folder, spec["v4"])
        metadata[name] = (folder / "config.json").read_text()
        with safetensors.safe_open(folder / "model.safetensors", "pt") as weights:
            for key in weights.keys():
                tensors[f"{name}|weights|{key}"] = weights.get_tensor(key)
    tensors[f"{name}|positions"] = torch.tensor(at, dtype=torch.int32)
    tensors[f"{name}|sites"] = torch.tensor(sites, dtype=torch.int32)
    tensors[f"{name}|logits"] = logits[at].to(F32).contiguous()
    for site, rows in found.items():
        tensors[f"{name}|{site}"] = rows[sites].contiguous()
    return float(logits.double().pow(2).mean().sqrt())


def make(path, variants, seed, tokens):
    generator = torch.Generator().manual_seed(seed + 1)
    ids = torch.randint(3, VOCAB, (1, tokens), generator=generator)
    tensors, metadata = {"ids": ids[0].to(torch.uint8)}, {}
    rms = [add_variant(name, spec, ids, seed + i, tensors, metadata) for i, (name, spec) in enumerate(variants.items())]
    path.parent.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(tensors, path, metadata)
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KiB, {len(variants)} models, rms of logits {min(rms):.2f} to {max(rms):.2f}", flush=True)


def main():
    arguments = sys.argv[1:]
    if arguments[:1] == ["--sweep"]:
        import sweep
        return sweep.run(int(arguments[1]), pathlib.Path(arguments[2]), arguments[3:])
    for family in arguments or FAMILIES:
        make(ROOT / f"{family}.safetensors", FAMILIES[family], SEED, TOKENS)
    versions = dict(python=sys.version.split()[0], torch=torch.__version__, transformers=transformers.__version__,
                    safetensors=safetensors.__version__, seed=SEED, script="tools/reference/make_families.py")
    (ROOT / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")


if __name__ == "__main__":
    main()
