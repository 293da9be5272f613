"""The varied strings that tokenizers are compared on (tokenizers_compare.py, sentencepiece_golden.py): seeded, so that anyone who
runs the scripts compares the same ones. `strings(n, seed, special)` gives n of them as bytes, a tenth of them no valid UTF-8."""
import random

WORDS = ("the The film movie was made with great care and it's don't WE'LL they're I'M 'tis naïve café über Straße İstanbul ﬁne ½ "
         "hello world token tokenizer antidisestablishmentarianism aaaaaaaaaaaaaaaaaaaa supercalifragilistic x=1; foo_bar(42) 0x2A "
         "https://example.org/a?b=c&d=%20 user@example.com #tag @me $3.50 1,234,567.89 1984 2026-11-25 12:30 -1e-9 ３４ ٣٤ Ⅷ ²").split(" ")
SCRIPTS = ["Добрый вечер мир", "καλημέρα κόσμε ἀρχή", "שלום עולם בְּרֵאשִׁית", "مرحبا بالعالم الْحَمْدُ", "नमस्ते दुनिया क्षत्रिय", "ওহে বিশ্ব", "வணக்கம் உலகம்", "สวัสดีชาวโลก",
           "你好世界 很大的世界", "こんにちは世界 カタカナ ｶﾀｶﾅ", "안녕하세요 세계", "ἄλφα", "ᚠᚢᚦᚨᚱᚲ", "𝔸𝕓𝕔 𝟘𝟙", "𐍈𐌰𐌹", "ⵣⵓⵍ", "ქართული", "Հայերեն", "ພາສາລາວ", "မြန်မာ", "አማርኛ", "ᏣᎳᎩ", "ཨོཾ"]
EMOJI = ["🙂", "🍎🍎", "👩‍👩‍👧", "👨🏽‍💻", "🏳️‍🌈", "🇩🇪🇫🇷", "❤️", "1️⃣", "©®™", "👍🏿", "🫠", "☺︎"]
SPACES = [" ", "  ", "   ", "    ", " " * 9, " " * 33, "\t", "\t\t", "\n", "\n\n", "\n\n\n\n", "\r\n", "\r", " \n", "\n ", "\t \t", "\u00a0", "\u2002", "\u2009", "\u202f", "\u3000", "\u2028",
          "\u2029", "\u0085", "\u000b", "\u000c", "\u1680", "\u180e", "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff"]
CONTROL = [chr(c) for c in range(32)] + ["\x7f", "\x80", "\x9f", "\u200e", "\u202e", "\u2066", "\ufffe", "\uffff", "\ufffd", "\ue000", "\U000e0001", "\U0010ffff", "\u0378", "\U0001f8ff"]
MARKS = ["é", "e\u0301", "o\u0302\u0303\u0304\u0305", "Å", "A\u030a", "ő", "o\u030b", "\u0301", "\u0301\u0301a", "\u1100\u1161\u11a8", "각", "q\u0307\u0323", "q\u0323\u0307", "ạ̈", "ﷺ", "ﬃ", "㎏", "①",
         "ǆ", "ſ", "K", "Ω", "가", "ヴ", "ｶﾞ", "か\u3099", "ཱི", "\u0344", "\u0f73", "\u1e9b\u0323", "x\u034f\u0301"]
PUNCTUATION = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") + ["…", "—", "–", "«", "»", "“", "”", "‘", "’", "¡", "¿", "、", "。", "「", "」", "・", "...", "!!!", "--", "==>", "::", "//", "▁", "▁▁", "Ġ", "Ċ", "##a",
                "<0x41>", "<0x0A>", "<0xFF>", "<|", "|>", "<s", "</s", " ⁇ "]
BROKEN = [b"\xff", b"\xfe\xfe", b"\xe2\x82", b"\xf0\x9f\x98", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xc3", b"\xe4\xb8", b"\xf8\x88\x80\x80\x80", b"\xe2\x28\xa1"]


def part(rng, special):
    k = rng.random()
    if special and k < 0.12:
        token = rng.choice(special)
        return token if rng.random() < 0.8 else token[: rng.randint(1, len(token))]
    if k < 0.40:
        return rng.choice(WORDS)
    if k < 0.60:
        return rng.choice(SPACES[:16] if rng.random() < 0.7 else SPACES)
    if k < 0.70:
        text = rng.choice(SCRIPTS)
        start = rng.randrange(len(text))
        return text[start: start + rng.randint(1, 12)]
    if k < 0.76:
        return rng.choice(EMOJI)
    if k < 0.80:
        return rng.choice(CONTROL)
    if k < 0.86:
        return rng.choice(MARKS)
    if k < 0.95:
        return rng.choice(PUNCTUATION)
    if k < 0.98:
        return "".join(rng.choice("abcdefghijklmnopqrstuvwxyzABC0123456789") for _ in range(rng.randint(1, 20)))
    c = rng.randrange(0x110000)
    return chr(c) if not 0xD800 <= c < 0xE000 else "\u4e00"


def one(rng, special):
    parts = []
    for _ in range(rng.choice([1, 2, 3, 4, 6, 8, 12, 20, 40])):
        parts.append(part(rng, special).encode())
        if rng.random() < 0.5:
            parts.append(b" ")
    if rng.random() < 0.1:
        for _ in range(rng.randint(1, 3)):
            parts.insert(rng.randint(0, len(parts)), rng.choice(BROKEN))
        if rng.random() < 0.5:
            whole = b"".join(parts)
            return whole[: rng.randint(0, len(whole))]
    return b"".join(parts)


def strings(n, seed=1, special=()):
    rng = random.Random(seed)
    fixed = [b"", b" ", b"  ", b"\n", b"a", b" a", b"a ", b"\0", b"\xff", "▁".encode(), " ▁".encode()]
    return (fixed + [one(rng, list(special)) for _ in range(n)])[:n]
