#!/usr/bin/env bash
# The program against what others computed: golden logits and neurons, and the tokenizer cases, from ../shared.
. "${0%/*}/lib.sh"
[ -d "$SHARED/models/golden" ] || skip "no reference data in $SHARED"
$PYTHON -c 'import numpy' 2>/dev/null || skip "python3-numpy is not installed"

cat >compare.py <<'PY'
import json, struct, sys
import numpy as np

golden = json.load(open(sys.argv[1]))
raw = open(sys.argv[2], "rb").read()
n = struct.unpack("<Q", raw[:8])[0]
head = json.loads(raw[8:8 + n])
data = raw[8 + n:]


def tensor(name):
    t = head[name]
    b, e = t["data_offsets"]
    return np.frombuffer(data[b:e], {"F32": "<f4", "I64": "<i8"}[t["dtype"]]).reshape(t["shape"])


def check(what, got, want):
    want = np.array(want)
    error = np.linalg.norm(got - want) / np.linalg.norm(want)
    assert error < 1e-5, (what, error)


assert tensor("tokens").tolist() == golden["ids"], (tensor("tokens").tolist(), golden["ids"])
check("logits", tensor("logits")[-1], golden["logits_last_prompt_token"])
check("logits of the first token", tensor("logits")[0], golden["logits_first_token"])
for layer, want in enumerate(golden["mlp_neuron_acts_last_prompt_token"]):
    check(f"layer {layer}", tensor(f"blocks.{layer}.mlp.hook_post")[-1], want)
PY
for golden in "$SHARED"/models/golden/*.json; do
    name=$(basename "$golden" .json)
    prompt=$($PYTHON -c 'import json,sys; print(json.load(open(sys.argv[1]))["prompt"], end="")' "$golden")
    expect 0 "$GLINT" trace --model "$SHARED/models/${name%.*}" --text "$prompt" --site mlp.hook_post --dtype f32 --out t.safetensors
    $PYTHON compare.py "$golden" t.safetensors || fail "$name differs from its golden file"
done

# every third case of each tokenizer through the program; the unit tests take them all
for kind in gpt2 llama2 llama3 qwen2; do
    $PYTHON - "$SHARED/tokenizers/$kind" "$GLINT" <<'PY' || fail "tokenizer $kind"
import json, subprocess, sys
folder, glint = sys.argv[1:]
texts = open(folder + "/cases.inp", encoding="utf-8", newline="").read().split("\n__ggml_vocab_test__\n")
wanted = [[int(x) for x in line.split()] for line in open(folder + "/cases.out").read().split("\n")]
for text, want in list(zip(texts, wanted))[::3]:
    out = subprocess.run([glint, "tokens", "--tokenizer", folder + "/tokenizer.json", "--no-special", "--json"], input=text.encode(), capture_output=True, check=True)
    got = json.loads(out.stdout)["ids"]
    assert got == want, (text, got, want)
PY
done
exit 0
