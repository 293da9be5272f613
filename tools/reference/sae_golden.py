#!/usr/bin/env python3
"""Tiny sparse autoencoders of every kind glint reads, and what they encode: tests/collect/data/sae-<kind>/{cfg.json, sae_weights.safetensors,
expected.safetensors}. The formulas are written out in numpy (f64), from the definitions: ReLU; JumpReLU (Rajamanoharan et al. 2024); top-k (Gao et
al. 2024), also with pre-activations scaled by the decoder's norms. Made with numpy 2.4 and safetensors 0.8:

    python3 tools/reference/sae_golden.py tests/collect/data
"""
import json
import os
import sys

import numpy as np
from safetensors.numpy import save_file

D_IN, D_SAE, ROWS, K = 8, 24, 33, 3


def top_k(h, k):
    out = np.zeros_like(h)
    for row, to in zip(h, out):
        best = np.argsort(-row, kind="stable")[:k]
        to[best] = np.maximum(row[best], 0)
    return out


def main(folder):
    kinds = {
        "relu": dict(architecture="standard", activation_fn_str="relu", hook_name="blocks.1.hook_mlp_out", apply_b_dec_to_input=True, normalize_activations="none"),
        "jumprelu": dict(architecture="jumprelu", apply_b_dec_to_input=False, metadata=dict(hook_name="blocks.1.hook_mlp_out", model_name="tiny")),
        "topk": dict(architecture="topk", k=K, metadata=dict(hook_name="blocks.1.hook_mlp_out")),
        "topk-scaled": dict(architecture="topk", k=K, rescale_acts_by_decoder_norm=True, metadata=dict(hook_name="blocks.1.hook_mlp_out")),
        "topk-old": dict(architecture="standard", activation_fn_str="topk", activation_fn_kwargs=dict(k=K), hook_name="blocks.1.hook_mlp_out", apply_b_dec_to_input=True),
    }
    for number, (kind, config) in enumerate(kinds.items()):
        rng = np.random.default_rng(number)
        weights = {
            "W_enc": rng.normal(size=(D_IN, D_SAE)).astype(np.float32),
            "b_enc": rng.normal(size=D_SAE).astype(np.float32) * 0.3,
            "W_dec": (rng.normal(size=(D_SAE, D_IN)) * rng.uniform(0.5, 2, size=(D_SAE, 1))).astype(np.float32),
            "b_dec": (2 + np.arange(D_IN) + rng.normal(size=D_IN) * 0.2).astype(np.float32),  # the mean of the tests' fake model: most features are sparse
        }
        if kind == "jumprelu":
            weights["threshold"] = rng.uniform(0, 2, size=D_SAE).astype(np.float32)
        x = (rng.normal(size=(ROWS, D_IN)) * 1.5 + (weights["b_dec"] if config.get("apply_b_dec_to_input", True) else 0)).astype(np.float32)
        w = {name: tensor.astype(np.float64) for name, tensor in weights.items()}
        inputs = x.astype(np.float64)
        if config.get("apply_b_dec_to_input", True):
            inputs = inputs - w["b_dec"]
        h = inputs @ w["W_enc"] + w["b_enc"]
        if config.get("rescale_acts_by_decoder_norm"):
            h = h * np.linalg.norm(w["W_dec"], axis=1)
        features = {"relu": lambda: np.maximum(h, 0), "jumprelu": lambda: np.maximum(h, 0) * (h > w["threshold"])}.get(kind, lambda: top_k(h, K))()
        path = os.path.join(folder, "sae-" + kind)
        os.makedirs(path, exist_ok=True)
        with open(os.path.join(path, "cfg.json"), "w") as file:
            json.dump(dict(d_in=D_IN, d_sae=D_SAE, dtype="float32", **config), file, indent=1)
        save_file(weights, os.path.join(path, "sae_weights.safetensors"))
        save_file({"x": x, "features": features.astype(np.float32)}, os.path.join(path, "expected.safetensors"))


main(sys.argv[1])
