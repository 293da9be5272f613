#!/usr/bin/env python3
"""Writes the tiny random models of tests/model/data and what transformers computes with them.

    /opt/oracle/bin/python tools/reference/make_models.py            # all, into tests/model/data
    /opt/oracle/bin/python tools/reference/make_models.py gemma3_bf16

Development time only: the results are committed, the tests need no Python. Each folder is a checkpoint (config.json and
safetensors, sharded where the name says so) plus golden.safetensors: `ids`, `logits` [tokens, vocabulary], and the sites
of some layers under their TransformerLens names, computed by transformers in float64 (its norms, softmax and rotary
angles stay float32, as its code has them) from the weights as stored. versions.json says with what.
"""
import json
import os
import pathlib
import sys

import safetensors.torch
import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "model" / "data"
VOCAB = 96
SEED = 20240607


def gemma3(**changes):
    return transformers.Gemma3TextConfig(**{**dict(
        vocab_size=VOCAB, hidden_size=32, intermediate_size=48, num_hidden_layers=8, num_attention_heads=4, num_key_value_heads=2,
        head_dim=16, sliding_window=16, sliding_window_pattern=6, query_pre_attn_scalar=24, max_position_embeddings=128,
        pad_token_id=0, eos_token_id=1, bos_token_id=2), **changes})


def llama(**changes):
    return transformers.LlamaConfig(**{**dict(
        vocab_size=VOCAB, hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=256, pad_token_id=0, eos_token_id=2, bos_token_id=1), **changes})


def gpt2(**changes):
    return transformers.GPT2Config(**{**dict(
        vocab_size=VOCAB, n_positions=64, n_embd=24, n_layer=3, n_head=3, n_inner=80, bos_token_id=0, eos_token_id=0,
        resid_pdrop=0, embd_pdrop=0, attn_pdrop=0), **changes})


def neox(**changes):
    return transformers.GPTNeoXConfig(**{**dict(
        vocab_size=VOCAB, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=64,
        rotary_pct=0.5, bos_token_id=0, eos_token_id=0), **changes})


# One set of small sizes for what starts from Llama: heads shared in pairs, their width not hidden / heads, windows shorter
# than the text.
SMALL = dict(vocab_size=VOCAB, hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
             head_dim=8, max_position_embeddings=128, pad_token_id=0, eos_token_id=2, bos_token_id=1)


# v4: write config.json in the form transformers 4 used (rope_theta, rope_scaling, sliding_window_pattern at the top).
MODELS = {
    "gemma3_bf16": dict(config=gemma3(), dtype=torch.bfloat16, layers=[1, 5], tokens=44),
    "gemma3_v4_f32": dict(
        config=gemma3(hidden_size=16, intermediate_size=40, num_hidden_layers=7, num_attention_heads=2, num_key_value_heads=1, head_dim=8,
                      sliding_window=7, sliding_window_pattern=3, query_pre_attn_scalar=5, final_logit_softcapping=2.0,
                      rope_scaling={"rope_type": "linear", "factor": 8.0}),
        dtype=torch.float32, layers=[2, 6], tokens=44,
        v4=dict(rope_theta=1e6, rope_local_base_freq=1e4, rope_scaling={"type": "linear", "factor": 8.0}, sliding_window_pattern=3)),
    "llama_sharded_f32": dict(
        config=llama(rope_theta=5e5, rope_scaling={"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                                   "original_max_position_embeddings": 32}),
        dtype=torch.float32, layers=[0, 2], tokens=70, shard="50KB",
        v4=dict(rope_theta=5e5, rope_scaling={"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                              "original_max_position_embeddings": 32})),
    "llama_tied_f16": dict(
        config=llama(num_hidden_layers=2, num_key_value_heads=4, head_dim=12, hidden_size=20, tie_word_embeddings=True, attention_bias=True,
                     mlp_bias=True, rms_norm_eps=1e-5, rope_scaling={"rope_type": "linear", "factor": 2.0}),
        dtype=torch.float16, layers=[0, 1], tokens=33),
    "gpt2_f32": dict(config=gpt2(scale_attn_by_inverse_layer_idx=True), dtype=torch.float32, layers=[0, 2], tokens=40),
    "gpt2_bf16": dict(config=gpt2(n_layer=2, n_inner=None, activation_function="gelu"), dtype=torch.bfloat16, layers=[1], tokens=20),
    "gpt_neox_f32": dict(config=neox(), dtype=torch.float32, layers=[1], tokens=24,
                         v4=dict(rotary_pct=0.5, rotary_emb_base=10000)),
    "mistral_v4_f32": dict(config=transformers.MistralConfig(**SMALL, sliding_window=7), dtype=torch.float32, layers=[0, 2], tokens=30,
                           v4=dict(rope_theta=10000.0)),
    "qwen2_v4_bf16": dict(
        config=transformers.Qwen2Config(**{key: value for key, value in SMALL.items() if key != "head_dim"}, use_sliding_window=True, sliding_window=9, max_window_layers=1,
                                        tie_word_embeddings=True, rope_theta=1e6),
        dtype=torch.bfloat16, layers=[0, 2], tokens=30, v4=dict(rope_theta=1e6)), # max_window_layers alone says which layers slide
    "qwen3_v4_f32": dict(config=transformers.Qwen3Config(**SMALL, rope_theta=1e6), dtype=torch.float32, layers=[0, 2], tokens=30,
                         v4=dict(rope_theta=1e6)),
    "gemma_v4_f32": dict( # "gelu" in old configs means the tanh form that the model computes
        config=transformers.GemmaConfig(**{**SMALL, "num_key_value_heads": 1}), dtype=torch.float32, layers=[0, 2], tokens=30,
        v4=dict(rope_theta=10000.0, hidden_act="gelu")),
    "gemma2_bf16": dict(
        config=transformers.Gemma2Config(**{**SMALL, "num_hidden_layers": 4}, sliding_window=7, query_pre_attn_scalar=5,
                                         attn_logit_softcapping=1.5, final_logit_softcapping=2.0),
        dtype=torch.bfloat16, layers=[2, 3], tokens=30),
    "smollm3_f32": dict( # layers 1 and 2 without positions, the window on these
        config=transformers.SmolLM3Config(**{key: value for key, value in SMALL.items() if key != "head_dim"}, no_rope_layers=[1, 0, 0],
                                          use_sliding_window=True, sliding_window=7), dtype=torch.float32, layers=[0, 2], tokens=30),
    "gpt_neo_f32": dict(
        config=transformers.GPTNeoConfig(vocab_size=VOCAB, hidden_size=24, num_layers=3, num_heads=3, max_position_embeddings=128, window_size=7,
                                         attention_types=[[["global", "local", "local"], 1]], intermediate_size=40, bos_token_id=0, eos_token_id=0,
                                         resid_dropout=0, embed_dropout=0, attention_dropout=0), dtype=torch.float32, layers=[0, 1], tokens=30),
}


def randomize(model, dtype, seed=SEED):
    """Weights large enough that every part matters, rounded to the type they will be stored in."""
    generator = torch.Generator().manual_seed(seed)
    gemma = "gemma" in model.config.model_type
    for name, weight in model.named_parameters():
        noise = torch.randn(weight.shape, generator=generator)
        if weight.dim() == 2:
            embedding = "embed" in name or "wte" in name or "wpe" in name
            inputs = weight.shape[0] if model.config.model_type == "gpt2" and not embedding else weight.shape[1]
            value = noise * ((weight.shape[1] ** -0.5 if gemma else 0.5) if embedding else 1.3 * inputs ** -0.5)
        elif name.endswith("bias"):
            value = 0.3 * noise
        else:
            value = 0.3 * noise + (0 if gemma else 1)
        weight.data = value.to(dtype).to(torch.float64)


def hook_sites(model, layers, found):
    """Registers hooks that put the sites of `layers` into `found`."""
    def keep(name, value):
        found[name] = value[0].detach().to(torch.float32).contiguous()

    def on_input(module, name):
        module.register_forward_pre_hook(lambda m, args, kwargs: keep(name, args[0] if args else kwargs["hidden_states"]), with_kwargs=True)

    def on_output(module, name):
        module.register_forward_hook(lambda m, args, out: keep(name, out[0] if isinstance(out, tuple) else out))

    kind = model.config.model_type
    for index in layers:
        block = (model.transformer.h if kind in ("gpt2", "gpt_neo") else model.gpt_neox.layers if kind == "gpt_neox" else model.model.layers)[index]
        at = f"blocks.{index}."
        on_input(block, at + "hook_resid_pre")
        on_output(block, at + "hook_resid_post")
        if kind == "gpt_neo":
            parts = dict(z=block.attn.attention.out_proj, attn=block.attn, mid=block.ln_2, pre=block.mlp.c_fc, post=block.mlp.c_proj, mlp=block.mlp)
        elif kind == "gpt2":
            parts = dict(z=block.attn.c_proj, attn=block.attn, mid=block.ln_2, pre=block.mlp.c_fc, post=block.mlp.c_proj, mlp=block.mlp)
        elif kind == "gpt_neox":
            parts = dict(z=block.attention.dense, attn=block.attention, pre=block.mlp.dense_h_to_4h, post=block.mlp.dense_4h_to_h, mlp=block.mlp)
            if not model.config.use_parallel_residual:
                parts["mid"] = block.post_attention_layernorm
        elif kind in ("llama", "mistral", "qwen2", "qwen3", "gemma", "smollm3"):
            parts = dict(z=block.self_attn.o_proj, attn=block.self_attn, mid=block.post_attention_layernorm, pre=block.mlp.gate_proj,
                         up=block.mlp.up_proj, post=block.mlp.down_proj, mlp=block.mlp)
        else:
            parts = dict(z=block.self_attn.o_proj, attn=block.post_attention_layernorm, mid=block.pre_feedforward_layernorm,
                         pre=block.mlp.gate_proj, up=block.mlp.up_proj, post=block.mlp.down_proj, mlp=block.post_feedforward_layernorm)
        on_input(parts["z"], at + "attn.hook_z")
        on_output(parts["attn"], at + "hook_attn_out")
        if "mid" in parts: # attention and MLP in parallel have no residual between them
            on_input(parts["mid"], at + "hook_resid_mid")
        on_output(parts["pre"], at + "mlp.hook_pre")
        if "up" in parts:
            on_output(parts["up"], at + "mlp.hook_pre_linear")
        on_input(parts["post"], at + "mlp.hook_post")
        on_output(parts["mlp"], at + "hook_mlp_out")


def write_v4_config(folder, changes):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    for key in ("rope_parameters", "layer_types", "_sliding_window_pattern", "use_bidirectional_attention"):
        config.pop(key, None)
    config["torch_dtype"] = config.pop("dtype", "float32")
    config.update(changes)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def make(name, spec):
    folder = ROOT / name
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    torch.manual_seed(SEED)
    model = transformers.AutoModelForCausalLM.from_config(spec["config"], attn_implementation="eager").eval().double()
    randomize(model, spec["dtype"])
    generator = torch.Generator().manual_seed(SEED + 1)
    ids = torch.randint(3, VOCAB, (1, spec["tokens"]), generator=generator)
    found = {}
    hook_sites(model, spec["layers"], found)
    with torch.no_grad():
        found["logits"] = model(ids).logits[0].to(torch.float32).contiguous()
    found["ids"] = ids[0].contiguous()
    model.to(spec["dtype"])
    model.config.dtype = spec["dtype"]
    model.save_pretrained(folder, max_shard_size=spec.get("shard", "1GB"))
    (folder / "generation_config.json").unlink(missing_ok=True)
    if "v4" in spec:
        write_v4_config(folder, spec["v4"])
    safetensors.torch.save_file(found, folder / "golden.safetensors")
    size = sum(path.stat().st_size for path in folder.iterdir())
    rms = {key: float(value.double().pow(2).mean().sqrt()) for key, value in found.items() if key != "ids"}
    print(f"{name}: {size / 1024:.0f} KiB, {len(found)} tensors, rms {min(rms.values()):.3g} to {max(rms.values()):.3g}")


def main():
    wanted = sys.argv[1:] or list(MODELS)
    for name in wanted:
        make(name, MODELS[name])
    versions = dict(python=sys.version.split()[0], torch=torch.__version__, transformers=transformers.__version__,
                    safetensors=safetensors.__version__, seed=SEED, script="tools/reference/make_models.py")
    (ROOT / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    main()
