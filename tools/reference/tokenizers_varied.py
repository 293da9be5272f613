#!/usr/bin/env python3
"""Golden data of tests/text/test_tokenizer_varied.c (development time only; made with tokenizers 0.23.3, sentencepiece 0.2.3):

    tools/reference/tokenizers_varied.py tests/text/data

varied.txt         strings of tokenizer_strings.py, one a line, base64
spm_*.model        small SentencePiece models (sentencepiece_models.py)
unigram.json       a Unigram model with Precompiled normalizer and Metaspace
varied.golden.json for each tokenizer, 8 hexadecimal digits a string: the 32-bit FNV-1a hash of its ids as little-endian 32-bit numbers,
                   ******** where upstream panics; for tokenizers that are variants of a file, what changes in it
"""
import base64
import json
import os
import re
import sys
import tempfile
import sentencepiece
from tokenizers import Tokenizer
import sentencepiece_models
import tokenizers_compare
from tokenizer_strings import strings
from tokenizers_golden import added

KEEP = ["bpe_llama", "bpe_gemma", "bpe_unused", "unigram_unused", "unigram_bytes", "unigram_no_escape"]
SPECIAL = ["<s>", "</s>", "<unk>", "<ctl>", "<bos>", "<tag>", "film", "film was", "aaa", "1984", "tag", "<a>", "<b>", "ab", "a b", "x ", " x", "The"]
CONTENTS = ["<a>", "<b>", " x", "x ", "  ", "é", "tag", "The", "a b", "ab", "<a><b>", "123", "你", "🙂", "\n", "<|", "İ"]


def fnv(ids):
    h = 0x811C9DC5
    for byte in b"".join(i.to_bytes(4, "little") for i in ids):
        h = (h ^ byte) * 0x01000193 & 0xFFFFFFFF
    return f"{h:08x}"


def with_flags(k, vocab):
    normalizers = [{"type": "NFKC"}, {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"}]},
                   {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}, {"type": "Prepend", "prepend": "_"}]}]
    combos = list(tokenizers_compare.flags())
    ids = dict(vocab)
    for content in CONTENTS:
        ids.setdefault(content, len(ids))  # upstream wants them without gaps
    return {"normalizer": normalizers[k], "added_tokens": [added(c, ids[c], **{**combos[(5 * i + 7 * k) % 16], "special": (i + k) % 3 == 0}) for i, c in enumerate(CONTENTS)]}


def hashes(tk, texts):
    out = []
    for raw in texts:
        try:
            out.append(fnv(tk.encode(raw.decode(errors="replace"), add_special_tokens=False).ids))
        except BaseException as panic:
            if "PanicException" not in type(panic).__name__:
                raise
            out.append("********")
    return "".join(out)


def spm_hashes(model, texts):
    sp = sentencepiece.SentencePieceProcessor(model_proto=model)
    cut, _ = sentencepiece_models.pieces(model)
    pattern = re.compile("(" + "|".join(re.escape(c) for c in sorted(cut, key=len, reverse=True)) + ")")
    encode = lambda part: [cut[part]] if part in cut else sp.encode(part)
    return "".join(fnv(sum(map(encode, pattern.split(raw.decode(errors="replace"))), [])) for raw in texts)


def main(folder):
    path = lambda name: os.path.join(folder, name)
    texts = [t for t in strings(1500, 5, SPECIAL) if len(t) <= 160][:300]
    with open(path("varied.txt"), "w") as f:
        f.writelines(base64.b64encode(t).decode() + "\n" for t in texts)
    with tempfile.TemporaryDirectory() as work:
        models = sentencepiece_models.models(os.path.join(work, "rules.tsv"))
    golden = []
    for name in KEEP:
        with open(path(f"spm_{name}.model"), "wb") as f:
            f.write(models[name])
        golden.append({"file": f"spm_{name}.model", "hashes": spm_hashes(models[name], texts)})
    with open(path("unigram.json"), "w") as f:
        json.dump(tokenizers_compare.unigram(models["unigram_rules"]), f, ensure_ascii=False, separators=(",", ":"))
    golden.append({"file": "unigram.json", "hashes": hashes(Tokenizer.from_file(path("unigram.json")), texts)})
    for file in ["byte_level.json", "byte_fallback.json"]:
        with open(path(file)) as f:
            spec = json.load(f)
        golden.append({"file": file, "hashes": hashes(Tokenizer.from_file(path(file)), texts)})
        for k in range(3):
            top = with_flags(k, spec["model"]["vocab"])
            golden.append({"file": file, "top": top, "hashes": hashes(Tokenizer.from_str(json.dumps({**spec, **top})), texts)})
    with open(path("varied.golden.json"), "w") as f:
        json.dump(golden, f, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    main(sys.argv[1])
