#!/usr/bin/env python3
"""Writes tests/model/data/generate_golden.json: greedy texts of the demo model by transformers' generate(), and the tokens that
its warpers for temperature, top-k, top-p and min-p leave of made-up logits.

    python3 tools/reference/generate_golden.py > tests/model/data/generate_golden.json

Needs torch and transformers from PyPI. The logits are ((i * 7919 + 13 * c) % V) * step with V prime: no two are equal, and any program makes the same ones.
"""
import json
import pathlib
import sys

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.generation.logits_process import MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

DEMO = pathlib.Path(__file__).parents[2] / "data" / "demo" / "model"
PROMPTS = ["This film", "I", "The acting was", "What a waste of", "A caf\u00e9 in Paris, 1930s:", "\u65e5\u672c\u8a9e and emoji \U0001f600"]
V = 997


def greedy():
    tokenizer = AutoTokenizer.from_pretrained(DEMO)
    model = AutoModelForCausalLM.from_pretrained(DEMO, dtype=torch.float32)
    cases = []
    for prompt in PROMPTS:
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        out = model.generate(ids, do_sample=False, max_new_tokens=60)[0].tolist()
        whole = tokenizer.decode(out, skip_special_tokens=True)
        assert whole.startswith(prompt)
        cases.append({"prompt": prompt, "prompt_tokens": ids[0].tolist(), "tokens": out[ids.shape[1]:], "text": whole[len(prompt):]})
    return cases


def filters():
    cases = []
    for c, (temperature, k, p, low, step) in enumerate([
            (1.0, 5, 1.0, 0.0, 0.01), (1.0, 0, 0.9, 0.0, 0.05), (0.7, 0, 0.5, 0.0, 0.02), (1.0, 40, 0.8, 0.0, 0.01), (1.5, 0, 1.0, 0.3, 0.01),
            (0.5, 20, 0.95, 0.2, 0.01), (1.0, 1, 1.0, 0.0, 0.01), (1.0, 0, 1e-6, 0.0, 0.01), (2.0, 900, 0.99, 0.001, 0.02), (1.0, 0, 0.999, 0.0, 0.005)]):
        logits = torch.tensor([[((i * 7919 + 13 * c) % V) * step for i in range(V)]], dtype=torch.float64)
        scores = TemperatureLogitsWarper(temperature)(None, logits)
        for warper in ([TopKLogitsWarper(k)] if k else []) + ([TopPLogitsWarper(p)] if p < 1 else []) + ([MinPLogitsWarper(low)] if low else []):
            scores = warper(None, scores)
        kept = torch.nonzero(scores[0] > -1e30)[:, 0].tolist()
        cases.append({"temperature": temperature, "top_k": k, "top_p": p, "min_p": low, "step": step, "kept": kept})
    return cases


if __name__ == "__main__":
    json.dump({"transformers": transformers.__version__, "torch": torch.__version__, "greedy": greedy(), "vocab": V, "filters": filters()}, sys.stdout)
    print()
