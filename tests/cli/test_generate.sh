#!/usr/bin/env bash
# glint generate on the demo model; --chat of every command that reads texts; chats do not mix in a results folder.
. "${0%/*}/lib.sh"

GEN="$GLINT generate --model $DEMO_MODEL --dtype f32 --quiet"
expect 0 $GEN --prompt 'This film' --max-new-tokens 12
cp out.txt greedy.txt
[ "$(head -n 1 greedy.txt)" = ' is a great movie.' ] || fail "greedy text: $(cat greedy.txt)"
printf 'This film\n' >prompt.txt
expect 0 $GEN --prompt-file prompt.txt --max-new-tokens 12; cmp -s out.txt greedy.txt || fail "--prompt-file"
"$GLINT" generate --model "$DEMO_MODEL" --dtype f32 --max-new-tokens 12 <prompt.txt >out.txt 2>err.txt || fail "standard input"
cmp -s out.txt greedy.txt || fail "standard input"
says err.txt 'prompts: 3 tokens, .* tokens/s; generated: [0-9]+ tokens, .* tokens/s'

# the seed decides, and nothing else: neither the batch nor the number of threads
SAMPLE="$GEN --temperature 0.9 --top-p 0.95 --max-new-tokens 20 --json"
expect 0 $SAMPLE --prompt A --prompt 'The plot' --n 3 --seed 5; cp out.txt a.json
expect 0 $SAMPLE --prompt A --prompt 'The plot' --n 3 --seed 5 --batch-size 1 --threads 1; cp out.txt b.json
[ "$(json a.json '[t["tokens"] for t in d["texts"]]')" = "$(json b.json '[t["tokens"] for t in d["texts"]]')" ] || fail "a draw depends on the batch"
[ "$(json a.json 'len(d["texts"]), len({t["text"] for t in d["texts"]}), [(t["prompt_index"], t["sample"]) for t in d["texts"]]')" = \
  '(6, 6, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)])' ] || fail "samples: $(cat a.json)"
expect 0 $SAMPLE --prompt A --prompt 'The plot' --n 3 --seed 6
[ "$(json a.json '[t["text"] for t in d["texts"]]')" != "$(json out.txt '[t["text"] for t in d["texts"]]')" ] || fail "the seed changes nothing"
printf 'A\n\nThe plot\r\n' >lines.txt
expect 0 $SAMPLE --prompt-file lines.txt --lines --n 3 --seed 5
[ "$(json a.json '[t["text"] for t in d["texts"]]')" = "$(json out.txt '[t["text"] for t in d["texts"]]')" ] || fail "--lines"

# ends
expect 0 $GEN --prompt 'This film' --stop 'eat mo' --json
[ "$(json out.txt 'd["texts"][0]["text"], d["texts"][0]["finish"]')" = "(' is a gr', 'stop_string')" ] || fail "--stop: $(cat out.txt)"
expect 0 $GEN --prompt 'This film' --json
[ "$(json out.txt 'd["texts"][0]["finish"], d["texts"][0]["tokens"][-1]')" = "('stop_token', 1)" ] || fail "end token: $(cat out.txt)"
expect 0 $GEN --prompt 'This film' --json --ignore-eos --max-new-tokens 30
[ "$(json out.txt 'd["texts"][0]["finish"], len(d["texts"][0]["tokens"])')" = "('length', 30)" ] || fail "--ignore-eos"

# activations while generating are those of the finished text
expect 0 $GEN --prompt 'This film' --max-new-tokens 8 --ignore-eos --save-site mlp.hook_post --layers 1,3 --out rows.safetensors
expect 0 $GEN --prompt 'This film' --max-new-tokens 8 --ignore-eos --json; cp out.txt text.json
expect 0 "$GLINT" trace --model "$DEMO_MODEL" --dtype f32 --quiet --text "This film$(json text.json 'd["texts"][0]["text"]')" --layers 1,3 --out whole.safetensors
$PYTHON - rows.safetensors whole.safetensors text.json <<'PY' || fail "activations"
import array, json, struct, sys
def read(path):
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    head = json.loads(raw[8:8 + n])
    return {k: (v["shape"], array.array("f" if v["dtype"] == "F32" else "q", raw[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]]))
            for k, v in head.items() if k != "__metadata__"}
rows, whole, text = read(sys.argv[1]), read(sys.argv[2]), json.load(open(sys.argv[3]))["texts"][0]
assert list(rows["token"][1]) == text["tokens"][:-1], rows["token"]
assert list(rows["position"][1]) == list(range(3, 10)) and set(rows["prompt"][1]) == {0}
assert list(whole["tokens"][1])[:11] == text["prompt_tokens"] + text["tokens"], "the text reads back as other tokens"
for name in ("blocks.1.mlp.hook_post", "blocks.3.mlp.hook_post"):
    (n, width), ours = rows[name]
    theirs = whole[name][1][3 * width:10 * width]
    assert n == 7 and width == 640
    scale = max(map(abs, theirs))
    assert max(abs(a - b) for a, b in zip(ours, theirs)) < 1e-5 * scale
PY

# chats
cp -r "$DEMO_MODEL" model
$PYTHON - <<'PY'
import json
path = "model/tokenizer_config.json"
config = json.load(open(path))
config["chat_template"] = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
json.dump(config, open(path, "w"))
PY
expect 0 "$GLINT" tokens --model model --no-special --text $'<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n'; cp out.txt by-hand.txt
expect 0 "$GLINT" tokens --model model --chat --text Hi; cmp -s out.txt by-hand.txt || fail "tokens --chat"
expect 0 "$GLINT" tokens --model "$DEMO_MODEL" --chat-format gemma3 --system S --text Hi --json
[ "$(json out.txt 'd["ids"].count(2), d["ids"][0]')" = '(1, 2)' ] || fail "BOS doubled: $(cat out.txt)"
expect 0 "$GLINT" generate --model model --quiet --chat --prompt Hi --max-new-tokens 3 --json
[ "$(json out.txt 'd["chat"], len(d["texts"][0]["prompt_tokens"])')" = "('chatml', $(wc -l <by-hand.txt))" ] || fail "generate --chat: $(cat out.txt)"
expect 0 "$GLINT" trace --model model --quiet --chat --text Hi --out chat.safetensors --layers 0
expect 1 "$GLINT" tokens --model "$DEMO_MODEL" --chat --text Hi; one_error; says err.txt 'no chat template.*--chat-format'
expect 2 "$GLINT" tokens --model "$DEMO_MODEL" --system S --text Hi; one_error; says err.txt 'give --chat'

COLLECT="$GLINT collect --model model --dataset $DEMO_DATA --max-samples 40 --layers 0 --quiet"
expect 0 $COLLECT --out plain
expect 0 $COLLECT --out chat --chat --system S
expect 1 $COLLECT --out plain --chat; one_error; says err.txt '--chat'
expect 1 $COLLECT --out chat --chat; one_error; says err.txt '--chat'
expect 0 $COLLECT --out chat --chat --system S
$PYTHON - <<'PY' || fail "settings of collect"
import json
assert json.load(open("plain/moments/settings.json"))["settings"]["chat"] == "none"
assert json.load(open("chat/moments/settings.json"))["settings"]["chat"].startswith("chatml ")
PY
# folders made before there were chats are of texts as they are
$PYTHON - <<'PY'
import json
root = json.load(open("plain/moments/settings.json"))
del root["settings"]["chat"]
json.dump(root, open("plain/moments/settings.json", "w"))
PY
expect 0 $COLLECT --out plain

# wrong command lines
expect 2 $GEN --prompt x --n 0; one_error
expect 2 $GEN --prompt x --save-site mlp.hook_post; one_error; says err.txt 'needs --out'
expect 2 $GEN --prompt x --out f; one_error
expect 2 $GEN --prompt x --temperature -1; one_error
expect 2 $GEN --prompt x --top-p 0; one_error
expect 2 $GEN --prompt x --stop ''; one_error
expect 2 $GEN x; one_error; says err.txt '--prompt'
expect 2 $GEN --prompt x --save-site nowhere --out f; one_error
expect 1 $GEN --prompt-file missing.txt; one_error; says err.txt 'missing.txt'
expect 1 $GEN --prompt-file /dev/null --lines; one_error; says err.txt 'empty'
nothing_left "$WORK"
