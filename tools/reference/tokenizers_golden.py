#!/usr/bin/env python3
"""Golden data of tests/text/test_tokenizer.c, made with Hugging Face's tokenizers library (development time only).

Trains two small BPE tokenizers on sentences of our own, one byte-level (as GPT-2) and one with byte fallback (as Llama 2),
and writes for each the file and the ids and decoded texts of a few hundred strings, then the same for variants that swap
a component (normalizer, pre-tokenizer, added tokens, ...) so that each kind glint reads is compared at least once.

Use tokenizers 0.20 to 0.21: 0.23 returns special tokens that are "normalized" in their normal form ("▁<s>"), so that its
decode() does not skip them; glint does as the older ones.

    pip install tokenizers==0.20.3 && tools/reference/tokenizers_golden.py tests/text/data
"""
import copy, json, os, random, sys
import tokenizers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SUBJECTS = "the film|this small story|an old machine|my neighbour|the second act|a quiet street|the music|her garden".split("|")
VERBS = "was made with|could not hold|didn't need|has given us|we'll remember|they're certain of|found|lost".split("|")
OBJECTS = "great care|its promise|3 or 4 good ideas|the year 1984|nothing at all|a warm ending|café chairs|naïve hope".split("|")
TAILS = [".", "!", "?", ", and then some more.", " (twice).", " -- or so.", "\n", "...  "]
EXTRA = ["Добрый вечер, мир", "你好世界 世界很大", "Ångström übergrößen", "καλημέρα κόσμε", "emoji 🙂 🍎🍎 family 👩‍👩‍👧", "x = foo_bar(42); // 0x2A\n\treturn;\n"]


def corpus():
    rng = random.Random(7)
    lines = [f"{rng.choice(SUBJECTS)} {rng.choice(VERBS)} {rng.choice(OBJECTS)}{rng.choice(TAILS)}" for _ in range(1500)]
    return [l[0].upper() + l[1:] for l in lines] + EXTRA * 4


SPECIAL = ["<s>", "</s>", "<unk>", "<|sep|>", "<tag>", " <s>", "<s> ", "<|sep|>  ", "tag"]
ODD = ["\u0000", "\u0007", "\t", "\r\n", "\n\n\n", "\u0085", "\u00a0", "\u200b", "\u200d", "\u2028", "\u3000", "\ufeff", "\u180e", "\u1680", "\ufffd",
       "▁", "▁▁", "é", "e\u0301", "Å", "ﬁ", "½", "Ⅷ", "٣", "１２", "ſ", "ő", "o\u030b", "'ſ", "İ", "ß", "Σς", "ǅ", "가", "\u1100\u1161", "𝔸", "Ⓐ", "_", "—", "…", "«»", "🙂", "👩‍👩‍👧",
       "<0x41>", "<0x0A>", "12345678", "3.14", "'s", "'S", "'LL", "n't", " 's", "don't", "I'VE"]


def strings():
    rng = random.Random(11)
    parts = SPECIAL + ODD + EXTRA + [" ", "  ", "     ", "a", "The", " film", "film", " care.", "story"] * 3
    texts = ["", " ", "  ", "\n", "a", " a", "a ", "The film was made with great care.", "<s>", "a<s>b", " <s> <s> "] + EXTRA + SPECIAL + ODD
    texts += ["".join(rng.choice(parts) for _ in range(rng.randint(2, 9))) for _ in range(110)]
    return texts


def added(content, id, **flags):
    token = dict(id=id, content=content, single_word=False, lstrip=False, rstrip=False, normalized=False, special=False)
    return {**token, **flags}


def byte_level():
    tk = Tokenizer(models.BPE())
    tk.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tk.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=480, special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tk.train_from_iterator(corpus(), trainer)
    spec = json.loads(tk.to_str())
    spec["post_processor"] = template("<s>", 0)
    return spec


def template(token, id, end=None):
    single = [{"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    special = {token: {"id": token, "ids": [id], "tokens": [token]}}
    if end:
        single.append({"SpecialToken": {"id": end[0], "type_id": 0}})
        special[end[0]] = {"id": end[0], "ids": [end[1]], "tokens": [end[0]]}
    return {"type": "TemplateProcessing", "single": single, "pair": single + [{"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": special}


def byte_fallback():
    tk = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=620, special_tokens=tokens, limit_alphabet=60, max_token_length=12, show_progress=False)
    tk.train_from_iterator([("▁" + l).replace(" ", "▁") for l in corpus()], trainer)
    spec = json.loads(tk.to_str())
    spec["added_tokens"] = [dict(t, normalized=True) for t in spec["added_tokens"] if t["id"] < 3]
    spec["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}
    spec["post_processor"] = template("<s>", 1)
    spec["decoder"] = {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
                                                        {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    return spec


def variants(base, n):
    """(name, the top-level keys that differ, the keys of "model" that differ)"""
    llama3 = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
    split = lambda p, behavior, invert=False: {"type": "Split", "pattern": p, "behavior": behavior, "invert": invert}
    seq = lambda *steps: {"type": "Sequence", "pretokenizers": list(steps)}
    byte = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    if base == "byte_level":
        yield "llama3", {"pre_tokenizer": seq(split({"Regex": llama3}, "Isolated"), byte)}, {"ignore_merges": True}
        yield "prefix", {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True}, "post_processor": template("<s>", 0, ("</s>", 1))}, {}
        for form in ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel"]:
            yield form, {"normalizer": {"type": form}}, {}
        yield "strip", {"normalizer": {"type": "Sequence", "normalizers": [{"type": "Strip", "strip_left": True, "strip_right": True},
                                                                           {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}]}}, {}
        for behavior in ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]:
            yield "split " + behavior, {"pre_tokenizer": seq(split({"Regex": "[a-m]"}, behavior), split({"String": "t"}, behavior, True), byte)}, {}
        for kind in [{"type": "Digits", "individual_digits": True}, {"type": "Digits", "individual_digits": False}, {"type": "Whitespace"}, {"type": "WhitespaceSplit"},
                     {"type": "Punctuation"}, {"type": "Punctuation", "behavior": "Contiguous"}, {"type": "CharDelimiterSplit", "delimiter": "i"}, {"type": "BertPreTokenizer"}]:
            yield json.dumps(kind), {"pre_tokenizer": seq(kind, byte)}, {}
        yield "word pattern", {"pre_tokenizer": seq(split({"Regex": "\\w+|\\b.|^\\d|(?m:.)$"}, "Isolated"), byte)}, {}
        tags = [added("<s>", 0, special=True), added("</s>", 1, special=True), added("<|sep|>", n, lstrip=True, rstrip=True), added("tag", n + 1, single_word=True, normalized=True),
                added("<tag>", n + 2, normalized=True, lstrip=True), added("  ", n + 3, normalized=True), added("ő", n + 4, normalized=True), added("The film", n + 5, single_word=True)]
        yield "added tokens", {"added_tokens": tags, "normalizer": {"type": "NFD"}}, {}
        yield "roberta", {"post_processor": {"type": "RobertaProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0], "trim_offsets": True, "add_prefix_space": False}}, {}
        yield "processors", {"post_processor": {"type": "Sequence", "processors": [{"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}, template("<s>", 0, ("</s>", 1))]}}, {}
    else:
        meta = lambda **k: {"type": "Metaspace", "replacement": "▁", **k}
        for k in [dict(add_prefix_space=True), dict(add_prefix_space=False, prepend_scheme="never"), dict(prepend_scheme="always", split=True), dict(prepend_scheme="first", split=True),
                  dict(prepend_scheme="never", split=True), dict(prepend_scheme="first", split=False)]:
            yield json.dumps(k), {"normalizer": None, "pre_tokenizer": meta(**k), "decoder": meta(**k)}, {}
        yield "gemma", {"normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}, "pre_tokenizer": split({"String": " "}, "MergedWithPrevious"),
                        "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]}}, {}
        yield "no bytes, fused", {}, {"byte_fallback": False}
        yield "no bytes", {}, {"byte_fallback": False, "fuse_unk": False}
        yield "no unknown", {}, {"byte_fallback": False, "unk_token": None}
        yield "no decoder", {"decoder": None}, {}


def golden(spec, texts):
    tk = Tokenizer.from_str(json.dumps(spec))
    out = []
    for t in texts:
        ids = tk.encode(t).ids
        case = {"text": t, "ids": ids, "plain": tk.encode(t, add_special_tokens=False).ids, "decoded": tk.decode(ids, skip_special_tokens=False), "skipped": tk.decode(ids)}
        out.append(case)
    return out


def shorter(case):
    return {k: v for k, v in case.items() if k != "skipped" or v != case["text"]}


def main(folder):
    texts = strings()
    for name, spec in [("byte_level", byte_level()), ("byte_fallback", byte_fallback())]:
        old = copy.deepcopy(spec)  # one file with merges in the old form, "a b", one in the new
        if name == "byte_level":
            old["model"]["merges"] = [" ".join(m) if isinstance(m, list) else m for m in spec["model"]["merges"]]
        else:
            old["model"]["merges"] = [m.split(" ") if isinstance(m, str) else m for m in spec["model"]["merges"]]
        dump = dict(ensure_ascii=False, separators=(",", ":"))
        with open(os.path.join(folder, name + ".json"), "w") as f:
            json.dump(old, f, **dump)
        with open(os.path.join(folder, name + ".golden.jsonl"), "w") as f:
            for case in golden(old, texts):
                f.write(json.dumps(shorter(case), **dump) + "\n")
        with open(os.path.join(folder, name + ".variants.jsonl"), "w") as f:
            for k, (what, top, model) in enumerate(variants(name, len(spec["model"]["vocab"]))):
                changed = {**old, **top, "model": {**old["model"], **model}}
                some = texts[11 + k % 3::13]
                cases = [[t["text"], t["plain"], t["skipped"]] for t in golden(changed, some)]
                f.write(json.dumps({"name": what, "top": top, "model": model, "cases": cases}, **dump) + "\n")
    print("tokenizers", tokenizers.__version__, len(texts), "texts")


if __name__ == "__main__":
    main(sys.argv[1])
