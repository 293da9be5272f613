#!/usr/bin/env python3
"""transformers' forward pass on the CPU in bf16, over the batch that bench_forward runs: what the engine is compared with.

    bench/transformers_forward.py MODEL [--sequences 8] [--length 256] [--threads N] [--repeat 2]

Bare means the decoder's layers without the output matrix, as bench_forward runs them; watched adds a hook on every down projection
that averages its input over the tokens, as people collect neurons. Prints tokens/s by wall time, and by CPU time times threads.
Exits with 77 where torch or transformers cannot be imported.
"""
import argparse
import sys
import time

try:
    import torch
    import transformers
except ImportError as error:
    print(f"transformers not installed ({error})", file=sys.stderr)
    sys.exit(77)


def best(repeat, run):
    wall = cpu = float("inf")
    for _ in range(repeat):
        start = time.perf_counter(), time.process_time()
        run()
        wall, cpu = min(wall, time.perf_counter() - start[0]), min(cpu, time.process_time() - start[1])
    return wall, cpu


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--sequences", type=int, default=8)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeat", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    start = time.perf_counter()
    model = transformers.AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.bfloat16).eval()
    opened = time.perf_counter() - start
    ids = torch.randint(0, model.config.vocab_size, (args.sequences, args.length), generator=torch.Generator().manual_seed(1))
    means = {}

    def watch(layer):
        def hook(module, inputs):
            means[layer] = inputs[0].float().mean(dim=1)
        return hook

    def run():
        with torch.inference_mode():
            model.model(ids, use_cache=False)

    n = ids.numel()
    bare = best(args.repeat, run)
    hooks = [layer.mlp.down_proj.register_forward_pre_hook(watch(k)) for k, layer in enumerate(model.model.layers)]
    watched = best(args.repeat, run)
    assert len(means) == len(hooks) and all(torch.isfinite(mean).all() for mean in means.values())
    print(f"forward   transformers {transformers.__version__}, torch {torch.__version__} (bf16), {args.sequences} x {args.length} tokens, {args.threads} threads; opened in {opened:.2f} s")
    for name, (wall, cpu) in (("bare", bare), ("pooling the neurons of all layers", watched)):
        print(f"forward   transformers, {name:<33} {n / wall:6.0f} tokens/s, by CPU time {n * args.threads / cpu:6.0f}")


if __name__ == "__main__":
    main()
