#!/usr/bin/env python3
"""Compares how glint and Hugging Face's tokenizers judge every Unicode character (development time only): word characters, normal forms,
lower case, marks. What differs between the versions of Unicode behind both goes into src/text/unicode_versions.c.

    tools/reference/unicode_compare.py build/release/tests/text/tokenize_lines
"""
import json
import os
import subprocess
import sys
import tempfile
from tokenizers import Tokenizer, normalizers, pre_tokenizers

# Long runs of characters that all behave alike are looked at by their first ones only.
ALIKE = [(0x3410, 0x4DBF), (0x4E10, 0x9F00), (0xAC30, 0xD790), (0xE010, 0xF8F0), (0x20010, 0x2A6D0), (0x2A710, 0x2EB00), (0x30010, 0x32400), (0x32500, 0xE0000), (0xE0200, 0x110000)]
CHARS = [c for c in range(0x80, 0x110000) if not 0xD800 <= c < 0xE000 and not any(a <= c < b for a, b in ALIKE)]
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False, "trim_offsets": False}
EMPTY = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": BYTES, "post_processor": None, "decoder": BYTES}


def lines(tool, spec, texts):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump(spec, f)
        f.flush()
        data = "".join(t.encode().hex() + "\n" for t in texts)
        return [line.split("\t") for line in subprocess.run([tool, f.name], input=data.encode(), stdout=subprocess.PIPE, check=True).stdout.decode().split("\n")[:-1]]


def report(what, ours, theirs):
    bad, ranges = [c for c, o, t in zip(CHARS, ours, theirs) if o != t], []
    for c in bad:
        if ranges and ranges[-1][1] == c - 1:
            ranges[-1][1] = c
        else:
            ranges.append([c, c])
    print(f"{what:24s} {len(CHARS)} characters, {len(bad)} differ", " ".join(f"{a:X}-{b:X}" for a, b in ranges))
    return len(bad)


def words(tool):
    token = {"id": 1, "content": "T", "single_word": True, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
    spec = {**EMPTY, "pre_tokenizer": None, "decoder": None, "added_tokens": [token], "model": {"type": "BPE", "unk_token": "u", "vocab": {"u": 0}, "merges": []}}
    tk, texts = Tokenizer.from_str(json.dumps(spec)), ["T" + chr(c) for c in CHARS]
    return report("word", ["1" in fields[0].split() for fields in lines(tool, spec, texts)], [1 in tk.encode(t).ids for t in texts])


def forms(tool):
    model = {"type": "BPE", "vocab": {c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, "merges": []}
    for kind in ["NFC", "NFD", "NFKC", "NFKD", "StripAccents", "Lowercase", "Nmt"]:
        for pattern in ["%s", "a%s\u0323\u0301"]:
            texts = [pattern % chr(c) for c in CHARS]
            ours = [bytes.fromhex(fields[3]).decode() for fields in lines(tool, {**EMPTY, "normalizer": {"type": kind}, "model": model}, texts)]
            yield report(f"{kind} {'alone' if pattern == '%s' else 'among marks'}", ours, [getattr(normalizers, kind)().normalize_str(t) for t in texts])


if __name__ == "__main__":
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    sys.exit(words(sys.argv[1]) + sum(forms(sys.argv[1])) > 0)
