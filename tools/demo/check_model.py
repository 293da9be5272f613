#!/usr/bin/env python3
"""Compare the C program with transformers on the demo model (development time only, needs torch).

Runs `glint trace` in float32 on a few texts and compares token count, logits and every layer's neurons with what
transformers computes from the same folder in float32. Exits 1 when a relative 2-norm error exceeds --tolerance.

    check_model.py --glint build/release/glint [--model data/demo/model] [--text TEXT ...]
"""
import argparse
import os
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

TEXTS = [
    "The film was a delight.",
    "Although the food was cold, the waiters were charming; we paid 42.50 and went home happy.",
    "Línea de café: naïve, 東京 and 🙂.\n\nTwo lines,  two spaces.",              # byte fallback and runs of blanks
    "We stayed for three nights. " * 24,                                          # longer than the sliding window
]


def expected(model, tok, text):
    """Logits and neurons by transformers, under the names glint uses."""
    seen, hooks = {}, []
    for i, layer in enumerate(model.model.layers):
        hooks.append(layer.mlp.down_proj.register_forward_pre_hook(
            lambda _, args, i=i: seen.__setitem__(f"blocks.{i}.mlp.hook_post", args[0][0])))
    with torch.no_grad():
        seen["logits"] = model(torch.tensor([tok.encode(text)])).logits[0]
    for hook in hooks:
        hook.remove()
    return seen


def traced(glint, model, text, folder):
    out = os.path.join(folder, "trace.safetensors")
    command = [glint, "trace", "--model", model, "--text", text, "--site", "mlp.hook_post", "--dtype", "f32", "--out", out]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"glint trace failed with exit code {done.returncode}: {done.stderr.strip()}")
    tensors = load_file(out)
    os.remove(out)
    return tensors


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--glint", required=True, help="the program")
    ap.add_argument("--model", default="data/demo/model")
    ap.add_argument("--text", action="append", help="text to compare on (several allowed); default: four built in")
    ap.add_argument("--tolerance", type=float, default=1e-4)
    args = ap.parse_args()
    torch.set_num_threads(2)
    tok = AutoTokenizer.from_pretrained(args.model)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()

    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for text in args.text or TEXTS:
            want, got = expected(model, tok, text), traced(args.glint, args.model, text, folder)
            print(f"{text[:60]!r}: {want['logits'].shape[0]} tokens")
            for name in sorted(want):
                if name not in got:
                    sys.exit(f"  {name}: not in the trace, which has {', '.join(sorted(got))}")
                if got[name].shape != want[name].shape:
                    sys.exit(f"  {name}: shape {tuple(got[name].shape)}, expected {tuple(want[name].shape)}")
                error = ((got[name].double() - want[name].double()).norm() / want[name].double().norm()).item()
                worst = max(worst, error if error == error else float("inf"))      # NaN is a failure, too
                print(f"  {name:26s} relative error {error:.2e}")
    print(f"worst {worst:.2e}, allowed {args.tolerance:.0e}")
    sys.exit(worst > args.tolerance)


if __name__ == "__main__":
    main()
