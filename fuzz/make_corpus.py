#!/usr/bin/env python3
"""Makes the seed corpora fuzz/corpus/safetensors, fuzz/corpus/npy and fuzz/corpus/tokenizer_model: small files, good and malformed, one
per rule that the readers check. Needs numpy; run at development time only. Inputs that a fuzzer found are kept beside them as found-*."""
import io
import json
import os
import struct
import zipfile
import numpy as np

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def put(folder, name, data):
    os.makedirs(os.path.join(root, folder), exist_ok=True)
    with open(os.path.join(root, folder, name), "wb") as f:
        f.write(data)


def tensors(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


eight = bytes(range(8))
S = "safetensors"
put(S, "one", tensors({"a": entry()}, eight))
put(S, "metadata", tensors({"__metadata__": {"format": "pt"}, "a": entry()}, eight))
put(S, "no_tensors", tensors({}))
put(S, "padded", tensors(json.dumps({"a": entry()}).encode() + b"   ", eight))
put(S, "all_types", tensors({
    "a": entry("F64", (1,), (0, 8)), "b": entry("F32", (1,), (8, 12)), "c": entry("F16", (1,), (12, 14)), "d": entry("BF16", (1,), (14, 16)),
    "e": entry("I64", (1,), (16, 24)), "f": entry("I32", (1,), (24, 28)), "g": entry("I16", (1,), (28, 30)), "h": entry("I8", (1,), (30, 31)),
    "i": entry("U8", (1,), (31, 32)), "j": entry("BOOL", (1,), (32, 33)), "k": entry("U64", (1,), (33, 41)), "l": entry("F8_E4M3", (1,), (41, 42)),
    "z": entry("F32", (0, 3), (42, 42))}, bytes(42)))
put(S, "scalar", tensors({"a": entry("F32", (), (0, 4))}, eight[:4]))
put(S, "empty", b"")
put(S, "seven_bytes", bytes(7))
put(S, "length_zero", bytes(8))
put(S, "length_2_63", tensors({"a": entry()}, eight, length=2**63))
put(S, "length_all_ones", tensors({"a": entry()}, eight, length=2**64 - 1))
put(S, "length_off_by_one", tensors({"a": entry()}, b"", length=len(json.dumps({"a": entry()})) + 1))
put(S, "not_json", tensors(b"{nonsense"))
put(S, "not_object", tensors(b"[1,2]"))
put(S, "bad_utf8", tensors(b'{"\xff":1}'))
put(S, "duplicate_key", tensors(b'{"a":%s,"a":%s}' % ((json.dumps(entry()).encode(),) * 2), eight))
put(S, "deep", tensors(b'{"a":' + b"[" * 3000))
put(S, "overlap", tensors({"a": entry(), "b": entry(offsets=(4, 12))}, eight + eight[:4]))
put(S, "hole", tensors({"a": entry(), "b": entry(offsets=(12, 20))}, bytes(20)))
put(S, "tail", tensors({"a": entry()}, eight + b"x"))
put(S, "truncated", tensors({"a": entry()}, eight[:7]))
put(S, "backwards", tensors({"a": entry(offsets=(8, 0))}, eight))
put(S, "negative_offset", tensors({"a": entry(offsets=(-8, 0))}, eight))
put(S, "wrong_bytes", tensors({"a": entry(shape=(3,))}, eight))
put(S, "shape_overflow", tensors({"a": entry(shape=(2**62, 8))}, eight))
put(S, "shape_overflow_zero", tensors({"a": entry(shape=(2**62, 8, 0), offsets=(0, 0))}))
put(S, "bytes_overflow", tensors({"a": entry("F64", (2**61,), (0, 0))}))
put(S, "shape_negative", tensors({"a": entry(shape=(-2,))}, eight))
put(S, "shape_real", tensors({"a": entry(shape=(2.0,))}, eight))
put(S, "nine_dims", tensors({"a": entry(shape=(1,) * 8 + (2,))}, eight))
put(S, "unknown_dtype", tensors({"a": entry("Q4")}, eight))
put(S, "extra_key", tensors({"a": dict(entry(), more=1)}, eight))
put(S, "three_offsets", tensors({"a": entry(offsets=(0, 4, 8))}, eight))
put(S, "metadata_number", tensors({"__metadata__": {"a": 1}}))


def npy(text, data=b"", version=(1, 0), length=None):
    text = text.encode("latin1")
    n = len(text) if length is None else length
    return b"\x93NUMPY" + bytes(version) + (struct.pack("<H", n) if version[0] == 1 else struct.pack("<I", n)) + text + data


def save(array, **options):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, **options)
    return out.getvalue()


def dictionary(descr="'<f8'", order="False", shape="(1,)"):
    return "{'descr': %s, 'fortran_order': %s, 'shape': %s, }\n" % (descr, order, shape)


N = "npy"
for kind in ["b1", "u1", "<i2", ">i4", "<u8", "<f2", ">f4", "<f8", "S3", "U2"]:
    put(N, "type_" + kind.replace("<", "le_").replace(">", "be_"), save(np.arange(6).reshape(2, 3).astype(kind)))
put(N, "text_bytes", save(np.array(b"csr")))
put(N, "text_unicode", save(np.array("csr")))
put(N, "fortran", save(np.asfortranarray(np.arange(24.0).reshape(2, 3, 4))))
put(N, "version2", save(np.zeros(2), version=(2, 0)))
put(N, "version3", save(np.zeros(2), version=(3, 0)))
put(N, "version9", npy(dictionary(), eight, version=(9, 0)))
put(N, "scalar", save(np.array(1.0)))
put(N, "zero_size", save(np.zeros((0, 3))))
put(N, "object", save(np.array([None]), allow_pickle=True))
put(N, "structured", save(np.zeros(1, dtype=[("a", "f4")])))
put(N, "complex", save(np.zeros(1, dtype="c16")))
put(N, "empty", b"")
put(N, "magic_only", b"\x93NUMPY")
put(N, "truncated_header", npy(dictionary())[:30])
put(N, "truncated_data", npy(dictionary(), eight[:7]))
put(N, "trailing_data", npy(dictionary(), eight + b"x"))
put(N, "header_length_lie", npy(dictionary(), eight, length=60000))
put(N, "header_length_4g", npy(dictionary(), eight, version=(2, 0), length=2**32 - 1))
put(N, "shape_overflow", npy(dictionary(shape="(4611686018427387904, 8)"), eight))
put(N, "shape_2_64", npy(dictionary(shape="(18446744073709551616,)"), eight))
put(N, "shape_negative", npy(dictionary(shape="(-1,)"), eight))
put(N, "shape_no_comma", npy(dictionary(shape="(1)"), eight))
put(N, "shape_long", npy(dictionary(shape="(1L,)"), eight))
put(N, "five_dims", npy(dictionary(shape="(1, 1, 1, 1, 1)"), eight))
put(N, "missing_key", npy("{'descr': '<f8', 'shape': (1,)}", eight))
put(N, "key_twice", npy("{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (1,)}", eight))
put(N, "code", npy(dictionary(shape="__import__('os')"), eight))
put(N, "open_string", npy("{'descr': '<f8", eight))
put(N, "huge_item", npy(dictionary(descr="'S99999999999'"), eight))


def zipped(compression, name="a.npy", data=None):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as z:
        z.writestr(zipfile.ZipInfo(name), save(np.arange(6.0).reshape(2, 3)) if data is None else data, compression)
    return out.getvalue()


put(N, "npz_stored", zipped(zipfile.ZIP_STORED))
put(N, "npz_deflated", zipped(zipfile.ZIP_DEFLATED))
put(N, "npz_other_member", zipped(zipfile.ZIP_DEFLATED, name="b.npy"))
put(N, "npz_lie", zipped(zipfile.ZIP_STORED, data=npy(dictionary(shape="(1000000000,)"), eight)))
put(N, "npz_bad_crc", zipped(zipfile.ZIP_STORED).replace(struct.pack("<d", 5.0), struct.pack("<d", 6.0)))
put(N, "npz_truncated", zipped(zipfile.ZIP_DEFLATED)[:120])


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3) + varint(value)


def piece(text, score=0.0, kind=1):
    return field(1, field(1, text.encode() if isinstance(text, str) else text) + field(2, score) + field(3, kind))


def model(kind, *more, normalizer=b"", pieces=b"", specials=True, trainer=b""):
    start = piece("<unk>", 0.0, 2) + piece("<s>", 0.0, 3) + piece("</s>", 0.0, 3) if specials else b""
    words = b"".join(piece(w, -float(i)) for i, w in enumerate(["\u2581", "a", "b", "ab", "\u2581ab", "l", "o", "Hel", "lo", "\u00f6"]))
    return start + words + pieces + field(2, field(3, kind) + trainer) + field(3, normalizer)


# the map that takes "A" to "b": a trie of 1 + 256 units, then the replacements
units = [0] * 512
units[0] = 256 << 10
units[256 ^ 65] = 65 | 1 << 8 | (256 ^ 65 ^ 300) << 10
units[300] = 1 << 31 | 0
charsmap = struct.pack("<I", 2048) + struct.pack("<512I", *units) + b"b\0"
user = piece("aa", 0.0, 4) + piece("\u2581b", -2.5, 5)
config = b'\n====\n{"add_bos_token":true,"add_eos_token":true,"legacy":false,"added_tokens_decoder":{"2":{"content":"<end>","lstrip":true,"special":true}}}'
text = b"\n====\n ab  abHello<s>A\xc3\xb6 aab<end> \xff"
M = "tokenizer_model"
put(M, "bpe", model(2, pieces=user))
put(M, "unigram", model(1, pieces=user) + config + text)
put(M, "bpe_map", model(2, normalizer=field(2, charsmap)) + config + text)
put(M, "unigram_map", model(1, normalizer=field(2, charsmap) + field(3, 0) + field(4, 0)) + config + text)
put(M, "no_escape", model(1, normalizer=field(5, 0)))
put(M, "bytes", model(2, trainer=field(35, 1), pieces=b"".join(piece("<0x%02X>" % b, 0.0, 6) for b in range(256))) + config + text)
put(M, "bytes_missing", model(1, trainer=field(35, 1), pieces=piece("<0x00>", 0.0, 6)))
put(M, "map_lie", model(2, normalizer=field(2, struct.pack("<I", 2**31) + bytes(8))))
put(M, "map_value_lie", model(2, normalizer=field(2, charsmap.replace(struct.pack("<I", 1 << 31), struct.pack("<I", 1 << 31 | 99)))) + config + text)
put(M, "word", model(3))
put(M, "suffix", model(2, trainer=field(24, 1)))
put(M, "no_unknown", model(2, specials=False))
put(M, "same_piece", model(2, pieces=piece("ab")))
put(M, "not_utf8", model(2, pieces=piece(b"\xff")))
put(M, "nan", model(2, pieces=piece("x", float("nan"))))
put(M, "denormalizer", model(2) + field(5, field(2, b"x")))
put(M, "length_lie", model(2) + b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
put(M, "open_varint", b"\xff" * 12)
put(M, "group", b"\x0b" + model(2))
put(M, "truncated", model(2)[:-7])
put(M, "tiktoken", b"IQ== 0\nIg== 1\n")
