#!/usr/bin/env bash
# glint info: a model folder in plain text and JSON, for families of the test data; what is refused; this build.
. "${0%/*}/lib.sh"
data="$SOURCE/tests/model/data"

expect 0 "$GLINT" info "$data/gemma3_bf16"
says out.txt '^layers +8: 5 sliding \(16\) : 1 full, repeated$'
says out.txt '^positions +rotary, base 10000 on 16 dimensions \(sliding layers\); base 1000000 on 16 dimensions \(full layers\)$'
says out.txt 'tied to the embedding'
says out.txt 'tokenizer +none in the folder'
says out.txt 'blocks\.\{L\}\.mlp\.hook_post +48 +18\.8 KB'
expect 0 "$GLINT" info "$data/gemma3_v4_f32";     says out.txt 'linear scaling x 8 \(full layers\)'
expect 0 "$GLINT" info "$data/llama_sharded_f32"; says out.txt 'llama3 scaling x 8'; says out.txt 'in 3 files; output matrix of its own'
expect 0 "$GLINT" info "$data/gpt2_f32";          says out.txt '^positions +learned$'; says out.txt '^layers +3: 3 full$'
expect 0 "$GLINT" info "$data/smollm3_f32";       says out.txt '1 full : 2 sliding \(7\) without positions'
expect 0 "$GLINT" info "$DEMO_MODEL";             says out.txt '2 sliding \(64\) : 1 full, repeated'; says out.txt 'texts begin with <bos>'

expect 0 "$GLINT" info --json "$data/qwen2_v4_bf16"
if command -v python3 >/dev/null; then
    python3 - out.txt <<'E2' || fail "the JSON of info is not as expected"
import json, sys
model = json.load(open(sys.argv[1]))
assert model["family"] == "qwen2" and model["layers"] == 3 and model["layer_kinds"] == ["full", "sliding (9)", "sliding (9)"]
assert model["positions"] == [{"layers": "full", "base": 1e6, "width": 4, "scaling": "none", "factor": 1.0}]
assert model["weights"] == "BF16" and model["tied"] is True and model["tokenizer"] is None
assert model["sites"]["mlp.hook_post"] == 24 and model["memory"]["moments_of_a_layer"]["mlp.hook_post"] == 8 * (24 * 24 + 24)
assert 0 < model["memory"]["bf16"]["weights"] < model["memory"]["f32"]["weights"] and model["memory"]["batch_tokens"] == 4096
E2
fi

# a damaged tokenizer is told and does not hide the model
cp -r "$data/gpt2_f32" broken
echo '{' >broken/tokenizer.json
expect 0 "$GLINT" info broken; says out.txt 'tokenizer.json cannot be used: .*not valid JSON'
sed -i 's/"model_type": "gpt2"/"model_type": "mamba2"/' broken/config.json
expect 1 "$GLINT" info broken; one_error; says err.txt '"mamba2" is not supported \(glint knows'

expect 0 "$GLINT" info --build
says out.txt '^matrix products +oneDNN with .*AMX: (yes|no); fast bf16: (yes|no)$'
says out.txt '^linear algebra +OpenBLAS for '
says out.txt '^threads +[0-9]+ of [0-9]+ processors$'
expect 0 "$GLINT" info --build --json; says out.txt '"matrix_products"'; says out.txt '"own_loops"'
exit 0
