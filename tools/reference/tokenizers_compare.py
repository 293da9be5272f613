#!/usr/bin/env python3
"""Compares glint's tokenizers with Hugging Face's and with SentencePiece's on thousands of varied strings (development time only).

    tools/reference/tokenizers_compare.py build/release/tests/text/tokenize_lines [-n 10000] [--seed 1] [--only WORD] [TOKENIZER.json ...]

Tokenizers: those given, those made here (shaped like the ones of Gemma 3, Qwen, SmolLM, GPT-NeoX, Llama 3, Mistral and T5, and some that
bring all flags of added tokens together), and the SentencePiece models of sentencepiece_models.py. Texts are those of
tokenizer_strings.py with the tokenizer's added tokens mixed in. For tokenizer.json, ids without and with special tokens and both
ways of decoding are compared; for SentencePiece models the ids, of the stretches between control pieces. Prints one line a
tokenizer, the first differences, and exits 1 if there are any. Made with tokenizers 0.23.3, sentencepiece 0.2.3.
"""
import argparse
import base64
import copy
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as proto
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
import sentencepiece_models
from tokenizer_strings import strings
from tokenizers_golden import added, template

GPT4 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def train_bytes(specials, normalizer=None, pre=None, size=900):
    tk = Tokenizer(models.BPE())
    if normalizer:
        tk.normalizer = normalizer
    tk.pre_tokenizer = pre
    tk.decoder = decoders.ByteLevel()
    tk.train_from_iterator(sentencepiece_models.lines(), trainers.BpeTrainer(vocab_size=size, special_tokens=specials, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    return json.loads(tk.to_str())


def train_fallback(specials, size=900):
    tk = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokens = specials + [f"<0x{b:02X}>" for b in range(256)]
    tk.train_from_iterator([("▁" + l).replace(" ", "▁") for l in sentencepiece_models.lines()],
                           trainers.BpeTrainer(vocab_size=size, special_tokens=tokens, limit_alphabet=120, max_token_length=12, show_progress=False))
    spec = json.loads(tk.to_str())
    spec["added_tokens"] = [t for t in spec["added_tokens"] if t["id"] < len(specials)]
    return spec


def more(spec, tokens):
    """Adds (content, flags) to a tokenizer, under the ids they have, or behind all ids."""
    vocab = spec["model"]["vocab"]
    known = dict(vocab) if isinstance(vocab, dict) else {t: i for i, (t, _) in enumerate(vocab)}
    known.update((t["content"], t["id"]) for t in spec["added_tokens"])
    for content, flags in tokens:
        known.setdefault(content, max(known.values()) + 1)
        if all(t["content"] != content for t in spec["added_tokens"]):
            spec["added_tokens"].append(added(content, known[content], **flags))
    return spec


FALLBACK_DECODER = {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]}


def unigram(spm, **model):
    m = proto.ModelProto()
    m.ParseFromString(spm)
    meta = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    normalizer = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(m.normalizer_spec.precompiled_charsmap).decode()} if m.normalizer_spec.precompiled_charsmap else None
    spec = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [added("<s>", 1, special=True), added("</s>", 2, special=True)], "normalizer": normalizer,
            "pre_tokenizer": meta, "post_processor": template("<s>", 1, ("</s>", 2)), "decoder": meta,
            "model": {"type": "Unigram", "unk_id": 0, "vocab": [[p.piece, p.score] for p in m.pieces], "byte_fallback": m.trainer_spec.byte_fallback, **model}}
    return spec


def flags():
    for bits in itertools.product([False, True], repeat=4):
        yield dict(zip(("lstrip", "rstrip", "single_word", "normalized"), bits))


def synthetic(spm):
    byte = lambda **k: pre_tokenizers.ByteLevel(add_prefix_space=False, **k)
    split = lambda digits: pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(GPT4 % digits), "isolated"), byte(use_regex=False)])
    chat = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    yield "qwen", train_bytes(chat, normalizers.NFC(), split(""))
    llama3 = train_bytes(["<|begin_of_text|>", "<|end_of_text|>"], None, split("{1,3}"))
    yield "llama3", {**llama3, "model": {**llama3["model"], "ignore_merges": True}, "post_processor": template("<|begin_of_text|>", 0)}
    yield "smollm", train_bytes(chat, None, pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte()]))
    neox = train_bytes(["<|endoftext|>", "<|padding|>"], normalizers.NFC(), byte())
    yield "neox", more(neox, [(" " * n, dict(normalized=True)) for n in range(24, 1, -1)])
    gemma = train_fallback(["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"])
    gemma.update(normalizer={"type": "Replace", "pattern": {"String": " "}, "content": "▁"}, decoder=FALLBACK_DECODER, post_processor=template("<bos>", 2),
                 pre_tokenizer={"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False})
    yield "gemma3", more(gemma, [("<start_of_turn>", dict(special=True)), ("<end_of_turn>", dict(special=True))] + [(c * n, {}) for c in "\n\t▁" for n in range(2, 9)] + [("<h1>", {}), ("</h1>", {})])
    mistral = train_fallback(["<unk>", "<s>", "</s>", "[INST]", "[/INST]"])
    mistral.update(normalizer=None, decoder=FALLBACK_DECODER, post_processor=template("<s>", 1), pre_tokenizer={"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False})
    mistral["model"]["ignore_merges"] = True
    yield "mistral", mistral
    llama2 = train_fallback(["<unk>", "<s>", "</s>"])
    llama2.update(normalizer={"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}, post_processor=template("<s>", 1),
                  decoder={"type": "Sequence", "decoders": FALLBACK_DECODER["decoders"] + [{"type": "Strip", "content": " ", "start": 1, "stop": 0}]})
    llama2["model"]["merges"] = [" ".join(m) for m in llama2["model"]["merges"]]
    yield "llama2 old merges", llama2
    yield "t5", unigram(spm["unigram_nmt_nfkc"])
    yield "unigram bytes", unigram(spm["unigram_bytes"])
    yield "unigram casefold bytes", unigram(spm["unigram_nmt_nfkc_cf"])
    # what only adversaries write
    contents = ["<a>", "<b>", " x", "x ", "  ", "é", "tag", "The", "a b", "ab", "<a><b>", "123", "你", "🙂", "\n", "▁", "<|", "İ"]
    for name, base in [("nfkc", neox), ("llama2", llama2), ("t5", unigram(spm["unigram_nmt_nfkc"]))]:
        for k in range(4):
            spec = copy.deepcopy(base)
            spec["added_tokens"] = spec["added_tokens"][:2]
            if name == "nfkc":
                spec["normalizer"] = [{"type": "NFKC"}, {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"}]}, {"type": "Strip", "strip_left": True, "strip_right": True},
                                      {"type": "Sequence", "normalizers": [{"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}, {"type": "Prepend", "prepend": "_"}]}][k]
            if name == "llama2" and k % 2:
                spec.update(normalizer=None, pre_tokenizer={"type": "Metaspace", "replacement": "▁", "prepend_scheme": ["always", "first"][k // 2], "split": True})
            combos = list(flags())
            yield f"flags {name} {k}", more(spec, [(c, {**combos[(5 * i + 7 * k) % 16], "special": (i + k) % 3 == 0}) for i, c in enumerate(contents)])


def run(tool, path, texts):
    data = "\n".join(t.hex() for t in texts) + "\n"
    lines = subprocess.run([tool, path], input=data.encode(), stdout=subprocess.PIPE, check=True).stdout.decode().split("\n")[:-1]
    assert len(lines) == len(texts), (len(lines), len(texts))
    for line in lines:
        fields = line.split("\t")
        if fields[0] == "error":
            yield "error " + fields[1]
        else:
            yield [int(i) for i in fields[0].split()], [int(i) for i in fields[1].split()], bytes.fromhex(fields[2]).decode(), bytes.fromhex(fields[3]).decode()


def compare(name, texts, ours, theirs, parts):
    wrong = 0
    for raw, us, them in zip(texts, ours, theirs):
        if them is not None and (isinstance(us, str) or us[:parts] != them[:parts]):
            wrong += 1
            if wrong <= 2:
                print(f"   {raw!r}\n     ours   {us if isinstance(us, str) else us[:parts]}\n     theirs {them[:parts]}")
    panics = theirs.count(None)
    print(f"{name:34s} {len(texts)} strings, {wrong} differ" + (f", {panics} on which upstream panics" if panics else ""), flush=True)
    return wrong


def load(path):
    """Upstream refuses merges in the old form ("a b") whose tokens hold spaces, as Llama 2's file has them; in the new form it takes them."""
    try:
        return Tokenizer.from_file(path)
    except Exception as refusal:
        if "Merges" not in str(refusal):
            raise
    with open(path) as f:
        spec = json.load(f)
    vocab = spec["model"]["vocab"]
    cuts = lambda m: [(m[:i], m[i + 1:]) for i, c in enumerate(m) if c == " "]
    spec["model"]["merges"] = [next((list(c) for c in cuts(m) if all(t in vocab for t in (*c, "".join(c)))), m) for m in spec["model"]["merges"]]
    return Tokenizer.from_str(json.dumps(spec))


def check_json(tool, name, path, n, seed):
    tk = load(path)
    special = [t.content for t in tk.get_added_tokens_decoder().values()]
    texts = strings(n, seed, special[:40])
    expected = []
    for raw in texts:
        text = raw.decode(errors="replace")
        try:
            ids = tk.encode(text).ids
        except BaseException as panic:  # some texts of overlapping added tokens: "AddedVocabulary bad split"
            if "PanicException" not in type(panic).__name__:
                raise
            expected.append(None)
            continue
        expected.append((tk.encode(text, add_special_tokens=False).ids, ids, tk.decode(ids, skip_special_tokens=False), tk.decode(ids)))
    # tokenizers 0.23 decodes special tokens that are "normalized" in their normal form; glint in the one of the file (see tokenizers_golden.py)
    odd = any(t.special and t.normalized for t in tk.get_added_tokens_decoder().values()) or name.startswith("flags")
    return compare(name, texts, run(tool, path, texts), expected, 2 if odd else 4)


def check_model(tool, name, path, n, seed):
    with open(path, "rb") as f:
        cut, user = sentencepiece_models.pieces(f.read())
    sp = sentencepiece.SentencePieceProcessor(model_file=path)
    pattern = re.compile("(" + "|".join(re.escape(c) for c in sorted(cut, key=len, reverse=True)) + ")")
    texts = strings(n, seed, list(cut) + user)
    expected = []
    for raw in texts:
        ids = []
        for part in pattern.split(raw.decode(errors="replace")):
            ids += [cut[part]] if part in cut else sp.encode(part)
        expected.append((ids,))
    return compare(name, texts, run(tool, path, texts), expected, 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("files", nargs="*")
    parser.add_argument("-n", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    args = parser.parse_intermixed_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        path = lambda name: os.path.join(folder, name)
        spm = {**sentencepiece_models.models(path("rules.tsv")), **sentencepiece_models.big_models()}
        for file in args.files:
            if args.only in file:
                check = check_model if file.endswith(".model") else check_json
                wrong += check(args.tool, file[-33:], file, args.n, args.seed)
        for name, spec in synthetic(spm):
            if args.only in name:
                with open(path("tokenizer.json"), "w") as f:
                    json.dump(spec, f, ensure_ascii=False)
                wrong += check_json(args.tool, name, path("tokenizer.json"), args.n, args.seed)
        for name, model in spm.items():
            if args.only in name:
                with open(path("tokenizer.model"), "wb") as f:
                    f.write(model)
                wrong += check_model(args.tool, name, path("tokenizer.model"), args.n, args.seed)
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
