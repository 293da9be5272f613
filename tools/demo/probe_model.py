#!/usr/bin/env python3
"""What has the demo model learned? Greedy samples, and how well a linear probe reads the sentiment and the topic of
the demo reviews from the mean-pooled neurons (inputs of down_proj) of each layer.

    probe_model.py --model data/demo/model --reviews data/demo/reviews.jsonl
"""
import argparse
import json

import numpy as np
import torch
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from transformers import AutoModelForCausalLM, AutoTokenizer

PROMPTS = ["The film was", "This is one of the worst", "The food was cold, but", "I have already booked",
           "We stayed for three nights"]


def pooled_neurons(model, tok, texts, batch=32):
    """[layers, texts, width]: means over each text's tokens, without <bos> and padding."""
    seen = {}
    for i, layer in enumerate(model.model.layers):
        layer.mlp.down_proj.register_forward_pre_hook(lambda _, args, i=i: seen.__setitem__(i, args[0]))
    out = []
    for i in range(0, len(texts), batch):
        enc = tok(texts[i:i + batch], return_tensors="pt", padding=True, padding_side="right")
        with torch.no_grad():
            model(**enc)
        keep = enc["attention_mask"].clone()
        keep[:, 0] = 0
        keep = keep[:, :, None].float()
        out.append(torch.stack([(seen[k] * keep).sum(1) / keep.sum(1) for k in sorted(seen)]))
    return torch.cat(out, dim=1).numpy()


def accuracy(x, y, train):
    probe = make_pipeline(StandardScaler(), RidgeClassifier(alpha=100.0))      # closed form: seconds, not minutes
    return probe.fit(x[train], y[train]).score(x[~train], y[~train])


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--model", default="data/demo/model")
    ap.add_argument("--reviews", default="data/demo/reviews.jsonl")
    args = ap.parse_args()
    torch.set_num_threads(2)
    tok = AutoTokenizer.from_pretrained(args.model)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()

    for prompt in PROMPTS:
        ids = tok(prompt, return_tensors="pt")
        ids.pop("token_type_ids", None)
        out = model.generate(**ids, max_new_tokens=40, do_sample=False)
        print("SAMPLE", json.dumps(tok.decode(out[0], skip_special_tokens=True), ensure_ascii=False))

    with open(args.reviews, encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    texts = [r["text"] for r in rows]
    label = np.array([r["label"] == "positive" for r in rows])
    topic = np.array([r["topic"] for r in rows])

    # The model's own verdict: which of the two words it finds likelier after the text.
    words = [tok.encode(f"Verdict: {w}", add_special_tokens=False)[-1] for w in ("negative", "positive")]
    right, batch = 0, 25
    for i in range(0, 500, batch):
        enc = tok([t + "\nVerdict:" for t in texts[i:i + batch]], return_tensors="pt", padding=True, padding_side="right")
        last = enc["attention_mask"].sum(1) - 1
        with torch.no_grad():
            logits = model(input_ids=enc["input_ids"], attention_mask=enc["attention_mask"]).logits
        logits = logits[torch.arange(batch), last]
        right += ((logits[:, words[1]] > logits[:, words[0]]).numpy() == label[i:i + batch]).sum()
    print(f"VERDICT right on {right / 5:.1f}% of the first 500 reviews")

    x = pooled_neurons(model, tok, texts)
    train = np.arange(len(rows)) < 2000
    counts = [{w for w in t.lower().split()} for t in texts]
    vocab = sorted(set().union(*counts[:2000]))
    index = {w: i for i, w in enumerate(vocab)}
    bags = np.zeros((len(texts), len(vocab)), np.float32)
    for i, words_of in enumerate(counts):
        bags[i, [index[w] for w in words_of if w in index]] = 1
    print(f"PROBE bag of words     sentiment {accuracy(bags, label, train):.3f}")
    for k in range(len(x)):
        print(f"PROBE layer {k} neurons  sentiment {accuracy(x[k], label, train):.3f}  topic {accuracy(x[k], topic, train):.3f}")


if __name__ == "__main__":
    main()
