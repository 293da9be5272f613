"""Small SentencePiece models that differ in what matters to a reader of them, trained on sentences of our own."""
import io
import random
import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as proto
from tokenizer_strings import EMOJI, MARKS, SCRIPTS
from tokenizers_golden import corpus

RULES = [("ﬁ", "fi"), ("½", "1/2"), ("É", "é"), ("e\u0301", "é"), ("\u00a0", " "), ("\t", " "), ("\u200b", ""), ("\u3000", " "), ("…", "..."), ("Ａ", "A"), ("①", "1"), ("\u0301", ""), ("ﷺ", "a  b ")]


def rules(path):
    with open(path, "w") as f:
        for old, new in RULES:
            f.write(" ".join(f"{ord(c):X}" for c in old) + "\t" + " ".join(f"{ord(c):X}" for c in new) + "\n")
    return path


def lines():
    rng = random.Random(3)
    more = SCRIPTS[:9] + EMOJI + MARKS
    return corpus() + [" ".join(rng.choice(more) for _ in range(4)) for _ in range(60)]


def train(**options):
    out = io.BytesIO()
    defaults = dict(minloglevel=2, vocab_size=500, hard_vocab_limit=False, num_threads=1, character_coverage=0.98, sentence_iterator=iter(lines()), model_writer=out)
    sentencepiece.SentencePieceTrainer.train(**{**defaults, **options})
    return out.getvalue()


def edited(model, change):
    m = proto.ModelProto()
    m.ParseFromString(model)
    change(m)
    return m.SerializeToString()


def some_unused(m):
    """Every seventh normal piece of more than one character is marked unused, and every fifth a little further on gets its neighbour's score."""
    long = [p for p in m.pieces if p.type == 1 and len(p.piece) > 1]
    for p in long[3::7]:
        p.type = 5
    for a, b in zip(long[1::5], long[2::5]):
        b.score = a.score


def models(tsv):
    """name -> bytes; `tsv` is a path for the normalization rules."""
    user = ["<tag>", "film", "film was", "aaa", "\n\n", "▁▁", "1984", "é"]
    out = {
        "bpe_llama": train(model_type="bpe", byte_fallback=True, vocab_size=620, normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True,
                           allow_whitespace_only_pieces=True),
        "bpe_gemma": train(model_type="bpe", byte_fallback=True, vocab_size=640, normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=False,
                           split_digits=True, user_defined_symbols=user, pad_id=0, eos_id=1, bos_id=2, unk_id=3, bos_piece="<bos>", eos_piece="<eos>"),
        "bpe_rules": train(model_type="bpe", normalization_rule_tsv=rules(tsv), user_defined_symbols=user, control_symbols=["<ctl>"]),
        "unigram_rules": train(model_type="unigram", normalization_rule_tsv=rules(tsv), user_defined_symbols=user, control_symbols=["<ctl>"]),
        "unigram_bytes": train(model_type="unigram", byte_fallback=True, vocab_size=560, normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=False),
        "unigram_no_escape": train(model_type="unigram", normalization_rule_name="identity", split_by_whitespace=False, max_sentencepiece_length=30),
    }
    out["bpe_unused"] = edited(out["bpe_rules"], some_unused)
    out["unigram_unused"] = edited(out["unigram_rules"], some_unused)

    def no_escape(m):
        m.normalizer_spec.escape_whitespaces = False
        for p in m.pieces:
            p.piece = p.piece.replace("▁", " ")
    out["unigram_no_escape"] = edited(out["unigram_no_escape"], no_escape)
    return out


def big_models():
    """With the normalizer most models in use carry; its table alone takes 240 kB, so these are no test data."""
    return {"bpe_nmt_nfkc": train(model_type="bpe", user_defined_symbols=["film"]), "unigram_nmt_nfkc": train(model_type="unigram"),
            "unigram_nmt_nfkc_cf": train(model_type="unigram", normalization_rule_name="nmt_nfkc_cf", byte_fallback=True, vocab_size=560, remove_extra_whitespaces=False)}


def pieces(model):
    """The pieces that are recognised in a text before SentencePiece sees it: control and unknown."""
    m = proto.ModelProto()
    m.ParseFromString(model)
    return {p.piece: i for i, p in enumerate(m.pieces) if p.type in (2, 3)}, [p.piece for p in m.pieces if p.type == 4]
