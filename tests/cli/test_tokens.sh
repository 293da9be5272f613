#!/usr/bin/env bash
# glint tokens and glint trace on the demo model.
. "${0%/*}/lib.sh"

expect 0 "$GLINT" tokens --model "$DEMO_MODEL" --text 'A fine film.' --json
[ "$(json out.txt 'd["ids"][0]')" = 2 ] || fail "the demo model's texts start with <bos>"
[ "$(json out.txt 'len(d["ids"]) == len(d["tokens"])')" = True ] || fail "ids and tokens differ in number"
[ "$(json out.txt '"".join(d["tokens"][1:]).replace("\u2581", " ")')" = 'A fine film.' ] || fail "tokens do not spell the text"
cp out.txt with.json

# standard input byte for byte, and the same file by --tokenizer
printf 'A fine film.' >text.txt
"$GLINT" tokens --model "$DEMO_MODEL" --json <text.txt >stdin.json || fail "tokens from standard input"
cmp -s with.json stdin.json || fail "--text and standard input differ"
"$GLINT" tokens --tokenizer "$DEMO_MODEL/tokenizer.json" --json <text.txt >file.json || fail "tokens --tokenizer"
cmp -s with.json file.json || fail "--model and --tokenizer differ"
expect 0 "$GLINT" tokens --model "$DEMO_MODEL" --text 'A fine film.' --json --no-special
[ "$(json out.txt 'd["ids"]')" = "$(json with.json 'd["ids"][1:]')" ] || fail "--no-special must only drop <bos>"
expect 0 env LC_ALL=C "$GLINT" tokens --model "$DEMO_MODEL" --text 'Äpfel 🍎' --json
[ "$(json out.txt 'len(d["ids"]) > 3')" = True ] || fail "UTF-8 text in the C locale"
printf 'a\n\\' >lines.txt
[ "$("$GLINT" tokens --model "$DEMO_MODEL" --no-special <lines.txt | cut -f 2 | tail -n 2)" = '\n
\\' ] || fail "line breaks and backslashes must be escaped, one token a line"
# a SentencePiece model, with the settings beside it; and a file that is none
mkdir spm && cp "$SOURCE/tests/text/data/spm_bpe_llama.model" spm/tokenizer.model
expect 0 "$GLINT" tokens --tokenizer spm --text 'The film' --json
[ "$(json out.txt 'd["ids"]')" = '[1, 279, 423]' ] || fail "tokenizer.model of a folder"
printf '{"add_bos_token": false, "add_eos_token": true}' >spm/tokenizer_config.json
expect 0 "$GLINT" tokens --tokenizer spm/tokenizer.model --text 'The film' --json
[ "$(json out.txt 'd["ids"]')" = '[279, 423, 2]' ] || fail "tokenizer_config.json beside tokenizer.model"
printf 'IQ== 0\n' >spm/tokenizer.model
expect 1 "$GLINT" tokens --tokenizer spm --text x; one_error; says err.txt 'spm/tokenizer.model: not a SentencePiece model'
expect 2 "$GLINT" tokens --text x; one_error
expect 1 "$GLINT" tokens --tokenizer "$WORK" --text x; one_error
printf '{' >broken.json
expect 1 "$GLINT" tokens --tokenizer broken.json --text x; one_error; says err.txt 'broken.json'

# trace: names, shapes, and determinism
expect 0 "$GLINT" trace --model "$DEMO_MODEL" --text 'A fine film.' --site mlp.hook_post --dtype f32 --out a.safetensors
expect 0 "$GLINT" trace --model "$DEMO_MODEL" --text 'A fine film.' --site mlp.hook_post --dtype f32 --out b.safetensors
cmp -s a.safetensors b.safetensors || fail "two traces of one text differ"
$PYTHON - a.safetensors with.json <<'PY' || fail "trace file"
import json, struct, sys
raw = open(sys.argv[1], "rb").read()
n = struct.unpack("<Q", raw[:8])[0]
head = json.loads(raw[8:8 + n])
tokens = len(json.load(open(sys.argv[2]))["ids"])
assert head["logits"]["dtype"] == "F32" and head["logits"]["shape"][0] == tokens, head["logits"]
layers = [k for k in head if k.startswith("blocks.")]
assert layers and all(k.endswith(".mlp.hook_post") and head[k]["shape"][0] == tokens for k in layers), layers
assert head["tokens"]["shape"] == [tokens]
PY
# a trace cannot be written where there is a folder in the way, and nothing half-written stays
mkdir taken.safetensors
expect 1 "$GLINT" trace --model "$DEMO_MODEL" --text x --out taken.safetensors; one_error
expect 1 "$GLINT" trace --model "$DEMO_MODEL" --text x --out text.txt/inside.safetensors; one_error
nothing_left .
exit 0
