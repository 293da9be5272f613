#!/usr/bin/env python3
"""Train glint's demo model: a tokenizer and a small Gemma 3, on two CPU cores in about an hour.

Two sources of text: the reviews of make_reviews.py (our own) and the labelled IMDB reviews (read at training time;
only weights learned from them leave this script). Each document ends with a line "Verdict: positive" or
"Verdict: negative", which gives the model a reason to work out the sentiment while it reads, and gives steering
experiments a number to move.

The run ends after --steps or --minutes, whichever comes first; the learning rate is constant up to --fall of the
way and then sinks to zero, so that a slow machine gives a shorter run, not a broken one. loss.csv holds the rate of
every step. --init continues from a model folder, which allows stages with different shares of the two sources.

    train_model.py --generated train.jsonl --imdb ../shared/data/imdb/aclImdb_labelled.tar.xz \\
                   --demo data/demo/reviews.jsonl --work /tmp/demo-train --out data/demo/model
"""
import os
import sys

# Keep freed memory in the process: page faults on the logits took a third of a step.
if "MALLOC_MMAP_THRESHOLD_" not in os.environ:
    os.environ.update(MALLOC_MMAP_THRESHOLD_="8589934592", MALLOC_TRIM_THRESHOLD_="8589934592",
                      OMP_WAIT_POLICY="PASSIVE")         # and do not spin where other jobs want the cores
    os.execv(sys.executable, [sys.executable, *sys.argv])

import argparse
import json
import shutil
import tarfile
import time

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import Gemma3ForCausalLM, Gemma3TextConfig

VOCAB, CONTEXT = 4096, 256
SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>"]          # ids 0..3, as in Gemma
EOS, BOS = 1, 2
LAYERS = ["sliding_attention", "sliding_attention", "full_attention"] * 2


def with_verdict(text, positive):
    return f"{text}\nVerdict: {'positive' if positive else 'negative'}"


def read_imdb(path):
    docs = []
    with tarfile.open(path, "r:xz") as tar:
        for member in tar:
            parts = member.name.split("/")
            if member.isfile() and parts[-2] in ("pos", "neg"):
                text = tar.extractfile(member).read().decode("utf-8")
                text = " ".join(text.replace("<br />", " ").split())
                docs.append((member.name, with_verdict(text, parts[-2] == "pos")))
    docs.sort()                                           # the order in the archive is nobody's promise
    return [text for _, text in docs]


def read_reviews(path):
    with open(path, encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    return [with_verdict(r["text"], r["label"] == "positive") for r in rows]


def train_tokenizer(texts, path):
    """A BPE in Gemma's form. Merges are learned inside words only, so none is needed to split text later:
    a space is the letter "▁" in front of its word, and what the vocabulary lacks is spelled in bytes."""
    learner = Tokenizer(models.BPE())
    learner.normalizer = normalizers.Replace(" ", "▁")
    learner.pre_tokenizer = pre_tokenizers.Split(
        Regex(r"'(?:s|t|re|ve|m|ll|d)|▁?\p{L}+|▁?\p{N}|\n+|▁?[^\s\p{L}\p{N}▁]+|▁+"), "isolated")
    learner.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=VOCAB - len(SPECIAL) - 256, limit_alphabet=120, special_tokens=[], show_progress=False,
        initial_alphabet=[chr(c) for c in range(33, 127)] + ["▁", "\n"]))
    learned = json.loads(learner.to_str())["model"]
    pieces = sorted(learned["vocab"], key=learned["vocab"].get)
    names = SPECIAL + [f"<0x{b:02X}>" for b in range(256)] + pieces
    merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in learned["merges"]]
    tok = Tokenizer(models.BPE(vocab={n: i for i, n in enumerate(names)}, merges=merges,
                               unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tok.normalizer = normalizers.Replace(" ", "▁")
    tok.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tok.post_processor = processors.TemplateProcessing(single="<bos> $A", pair="<bos> $A <bos> $B",
                                                       special_tokens=[("<bos>", BOS)])
    tok.add_special_tokens(SPECIAL)
    assert tok.get_vocab_size() == VOCAB, tok.get_vocab_size()
    tok.save(path)
    return tok


def rows_of(tok, texts):
    """Documents one after another, cut into rows of CONTEXT + 1 tokens. Every row starts with <bos> in place of
    its first token, since that is how every text starts when the model is used."""
    stream = []
    for i in range(0, len(texts), 1000):
        for enc in tok.encode_batch(texts[i:i + 1000]):
            stream += enc.ids + [EOS]
    n = len(stream) // (CONTEXT + 1)
    rows = np.array(stream[:n * (CONTEXT + 1)], dtype=np.int64).reshape(n, CONTEXT + 1)
    rows[:, 0] = BOS
    return torch.from_numpy(rows)


def mixed_batches(sources, shares, batch, seed):
    """Endless batches with a fixed share of each source, every source reshuffled whenever it runs out."""
    gen = torch.Generator().manual_seed(seed)
    queues = [torch.empty(0, dtype=torch.int64) for _ in sources]
    while True:
        parts = []
        for k, (rows, share) in enumerate(zip(sources, shares)):
            if len(queues[k]) < share:
                queues[k] = torch.cat([queues[k], torch.randperm(len(rows), generator=gen)])
            parts.append(rows[queues[k][:share]])
            queues[k] = queues[k][share:]
        yield torch.cat(parts)


def loss_of(model, rows, verdict=None, weight=1.0):
    """Mean cross entropy. `verdict`: the ids of ":", " positive" and " negative"; the word after "Verdict:" then
    counts `weight` times, for it is one token in a hundred and the one that needs the whole text."""
    logits = model(input_ids=rows[:, :-1], use_cache=False).logits
    target = rows[:, 1:].reshape(-1)
    losses = torch.nn.functional.cross_entropy(logits.reshape(-1, VOCAB).float(), target, reduction="none")
    if verdict is None:
        return losses.mean()
    colon, *words = verdict
    chosen = (rows[:, :-1].reshape(-1) == colon) & torch.isin(target, torch.tensor(words))
    scale = torch.where(chosen, weight, 1.0)
    return (losses * scale).sum() / scale.sum()


@torch.no_grad()
def held_out(model, rows):
    model.eval()
    losses = [loss_of(model, rows[i:i + 16]).item() * len(rows[i:i + 16]) for i in range(0, len(rows), 16)]
    model.train()
    return sum(losses) / len(rows)


def save(model, tokenizer_path, folder):
    """The folder in bf16, complete or not at all: built beside the target and then swapped in."""
    new, old = folder + ".new", folder + ".old"
    shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    copy = Gemma3ForCausalLM(model.config)
    copy.load_state_dict(model.state_dict())
    copy.to(torch.bfloat16).save_pretrained(new)
    shutil.copy(tokenizer_path, os.path.join(new, "tokenizer.json"))
    write_json(os.path.join(new, "tokenizer_config.json"), {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 1024, "add_bos_token": True,
        "add_eos_token": False, "clean_up_tokenization_spaces": False, "bos_token": "<bos>", "eos_token": "<eos>",
        "pad_token": "<pad>", "unk_token": "<unk>",
        "added_tokens_decoder": {str(i): {"content": t, "lstrip": False, "normalized": False, "rstrip": False,
                                          "single_word": False, "special": True} for i, t in enumerate(SPECIAL)}})
    write_json(os.path.join(new, "special_tokens_map.json"),
               {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"})
    # Both spellings of the position settings: rope_parameters is transformers 5, the rest is 4 and most C readers.
    path = os.path.join(new, "config.json")
    with open(path, encoding="utf-8") as f:
        config = json.load(f)
    config.pop("_sliding_window_pattern", None)            # private to transformers, and not what layer_types say
    config.update(rope_theta=1000000.0, rope_local_base_freq=10000.0, rope_scaling=None, sliding_window_pattern=3,
                  torch_dtype="bfloat16")
    write_json(path, dict(sorted(config.items())))
    for name in os.listdir(new):                           # safetensors writes 0600
        os.chmod(os.path.join(new, name), 0o644)
    if os.path.exists(folder):
        os.rename(folder, old)
    os.rename(new, folder)
    shutil.rmtree(old, ignore_errors=True)


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, indent=2)
        f.write("\n")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--generated", required=True, help="training texts of make_reviews.py")
    ap.add_argument("--imdb", required=True, help="aclImdb_labelled.tar.xz")
    ap.add_argument("--demo", required=True, help="the demo data set: never trained on, measured at the end")
    ap.add_argument("--work", required=True, help="folder for the tokenizer, token cache and log")
    ap.add_argument("--out", required=True, help="model folder, rewritten at every checkpoint")
    ap.add_argument("--init", help="model folder to continue from")
    ap.add_argument("--steps", type=int, default=4000)
    ap.add_argument("--minutes", type=float, default=60)
    ap.add_argument("--fall", type=float, default=0.7, help="where on the way the learning rate starts to sink")
    ap.add_argument("--verdict-weight", type=float, default=1.0, help="weight of the word after \"Verdict:\" in the loss")
    ap.add_argument("--batch", type=int, default=16)
    ap.add_argument("--generated-share", type=int, default=5, help="rows of each batch from --generated")
    ap.add_argument("--lr", type=float, default=3e-3)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--save-every", type=float, default=4, help="minutes between checkpoints")
    args = ap.parse_args()

    torch.manual_seed(args.seed)
    torch.set_num_threads(2)
    os.makedirs(args.work, exist_ok=True)
    log = open(os.path.join(args.work, "loss.csv"), "w", buffering=1)
    log.write("step,minutes,lr,loss\n")

    tokenizer_path, cache = os.path.join(args.work, "tokenizer.json"), os.path.join(args.work, "rows.pt")
    if not os.path.exists(cache):
        imdb, ours = read_imdb(args.imdb), read_reviews(args.generated)
        imdb_test, imdb = imdb[::100], [t for i, t in enumerate(imdb) if i % 100]
        tok = train_tokenizer(imdb[::4] + ours[:20000], tokenizer_path)
        torch.save({"ours": rows_of(tok, ours), "imdb": rows_of(tok, imdb), "imdb_test": rows_of(tok, imdb_test),
                    "demo": rows_of(tok, read_reviews(args.demo))}, cache)
    data = torch.load(cache)
    print({k: tuple(v.shape) for k, v in data.items()}, flush=True)

    model = Gemma3ForCausalLM(Gemma3TextConfig(
        vocab_size=VOCAB, hidden_size=192, intermediate_size=640, num_hidden_layers=len(LAYERS), layer_types=LAYERS,
        num_attention_heads=4, num_key_value_heads=1, head_dim=64, query_pre_attn_scalar=64, sliding_window=64,
        max_position_embeddings=1024, pad_token_id=0, eos_token_id=EOS, bos_token_id=BOS, tie_word_embeddings=True,
        attn_implementation="eager"))
    if args.init:
        model.load_state_dict(Gemma3ForCausalLM.from_pretrained(args.init, dtype=torch.float32).state_dict())
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters", flush=True)

    # Muon for the matrices inside the layers, AdamW for embeddings and norms: fewer steps to the same loss.
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    optimizers = [torch.optim.Muon(matrices, lr=args.lr, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
                  torch.optim.AdamW(others, lr=args.lr, betas=(0.9, 0.98), weight_decay=0.0)]
    batches = mixed_batches([data["ours"], data["imdb"]],
                            [args.generated_share, args.batch - args.generated_share], args.batch, args.seed)

    tok = Tokenizer.from_file(tokenizer_path)
    verdict = [tok.encode(t).ids[-1] for t in (":", "Verdict: positive", "Verdict: negative")]
    start, saved, smooth = time.time(), time.time(), None
    step = 0
    while True:
        minutes = (time.time() - start) / 60
        progress = max(step / args.steps, minutes / args.minutes)
        if progress >= 1:
            break
        lr = args.lr * min((step + 1) / 50, 1.0, (1 - progress) / max(1 - args.fall, 1e-9))
        for opt in optimizers:
            for group in opt.param_groups:
                group["lr"] = lr
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(model, next(batches), verdict, args.verdict_weight)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for opt in optimizers:
            opt.step()
            opt.zero_grad()
        step += 1
        smooth = loss.item() if smooth is None else 0.97 * smooth + 0.03 * loss.item()
        log.write(f"{step},{minutes:.2f},{lr:.6f},{loss.item():.4f}\n")
        if step % 20 == 0:
            print(f"step {step}/{args.steps}  {minutes:.1f} min  lr {lr:.5f}  loss {smooth:.3f}  "
                  f"{step * args.batch * CONTEXT / minutes / 60 if minutes else 0:.0f} tokens/s", flush=True)
        if time.time() - saved > 60 * args.save_every:
            save(model, tokenizer_path, args.out)
            print(f"saved at step {step}", flush=True)
            saved = time.time()

    summary = {"seed": args.seed, "steps": step, "batch": args.batch, "context": CONTEXT, "lr": args.lr,
               "tokens": step * args.batch * CONTEXT, "minutes": round((time.time() - start) / 60, 1),
               "train_loss": round(smooth, 4)}
    save(model, tokenizer_path, args.out)
    final = Gemma3ForCausalLM.from_pretrained(args.out, dtype=torch.float32)
    summary["held_out_imdb"] = round(held_out(final, data["imdb_test"]), 4)
    summary["held_out_demo"] = round(held_out(final, data["demo"]), 4)
    write_json(os.path.join(args.work, "summary.json"), summary)
    print(summary, flush=True)


if __name__ == "__main__":
    main()
