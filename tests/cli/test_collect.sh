#!/usr/bin/env bash
# glint collect: lists of sites, passes planned to fit --memory, rows saved and read back, features of a sparse autoencoder.
. "${0%/*}/lib.sh"
COLLECT="$GLINT collect --model $DEMO_MODEL --dataset $DEMO_DATA --max-samples 60 --max-tokens 40 --quiet"
# the plan, and nothing but the plan
expect 0 $COLLECT --site mlp.hook_post,hook_resid_post --layers 0,1 --out a --dry-run; says out.txt '^pass 1: class negative, 4 targets \(blocks.0.mlp.hook_post to blocks.1.hook_resid_post\)'
[ ! -e a ] || fail "a dry run left a folder"
expect 0 $COLLECT --site all --layers 0 --examples 0 --memory 14M --out a --dry-run --json
[ "$(json out.txt 'd["plan"]["targets"], len({p["class"] for p in d["plan"]["passes"]}), len(d["plan"]["passes"]) > 2, max(p["bytes"] for p in d["plan"]["passes"]) <= 14 << 20')" = "(9, 2, True, True)" ] || fail "the plan of --memory 14M"
expect 2 $COLLECT --memory 1M --out a; one_error; says err.txt 'blocks.0.mlp.hook_post, of 640 columns, takes .* give --memory [0-9]+M'
for size in x -1 0 5Q 1Gx; do expect 2 $COLLECT --memory $size --out a; one_error; says err.txt 'needs a size such as 500M or 8G'; done
expect 2 $COLLECT --site mlp.hook_post,nonsense --out a; one_error; says err.txt "unknown site 'nonsense'"
expect 2 $COLLECT --site blocks.0.mlp.hook_post,blocks.1.hook_mlp_out --layers 0 --out a; one_error; says err.txt 'leave --layers out'
expect 2 $COLLECT --save-dtype f16 --out a; one_error; says err.txt '--save-activations'
expect 2 $COLLECT --save-activations --save-dtype f64 --out a; one_error; says err.txt 'choose f32, bf16 or f16'
# one pass and several leave the same bytes
expect 0 $COLLECT --site blocks.0.mlp.hook_post,blocks.2.hook_resid_post --out one
expect 0 $COLLECT --site hook_resid_post,mlp.hook_post --layers 0,2 --memory 12M --out several
cmp one/moments/positive/blocks.2.hook_resid_post.safetensors several/moments/positive/blocks.2.hook_resid_post.safetensors || fail "passes change the moments"
cmp one/moments/negative/blocks.0.mlp.hook_post.safetensors several/moments/negative/blocks.0.mlp.hook_post.safetensors || fail "passes change the moments"
# rows saved, read back, solved
SITE=blocks.1.mlp.hook_post
expect 0 $COLLECT --site $SITE --pool tokens --save-activations --examples 0 --out rows
expect 0 $GLINT collect --from rows --out again --quiet
diff -r rows/moments again/moments || fail "moments of saved rows differ from those of the run"
expect 0 $GLINT collect --from rows --out again; says err.txt 'all there already'
expect 2 $GLINT collect --from rows --model demo --out other; one_error; says err.txt '--model does not go with --from'
expect 2 $GLINT collect --from rows --chat --out other; one_error; says err.txt '--chat does not go with --from'
expect 2 $GLINT collect --from rows --site x --out other; one_error; says err.txt "unknown site 'x'"
expect 1 $GLINT collect --from one --out other; one_error; says err.txt '--save-activations writes them'
expect 0 $COLLECT --site $SITE --pool tokens --save-activations --save-dtype bf16 --examples 0 --out narrow
expect 1 $GLINT collect --from narrow --out again; one_error; says err.txt '--dtype \(was .*, is now .*, saved as BF16\)'
expect 2 $GLINT solve --activations rows --alpha 0.8 --out solved; one_error; says err.txt 'holds activations of 2 classes and sites'
expect 0 $GLINT solve --activations rows --class positive --alpha 0.8 --stability 4 --out solved --quiet
[ "$(json solved/certificate.json 'd["site"], d["class"], d["independent"], d["n"] > 500')" = "('$SITE', 'positive', 30, True)" ] || fail "the certificate of saved rows"
says solved/neurons.csv '^[0-9]+,L1.N[0-9]+,'
expect 2 $GLINT solve --activations rows --class positive --lambda-select cv --out solved; one_error; says err.txt 'of one text depend on each other'
expect 2 $GLINT solve rows --class positive; one_error
if $PYTHON -c 'import numpy' 2>/dev/null; then
    $PYTHON - <<PY || fail "the shard is not what numpy computes moments of"
import json, numpy as np
def load(path):
    raw = open(path, "rb").read()
    n = int.from_bytes(raw[:8], "little"); head = json.loads(raw[8:8 + n]); kinds = {"F32": "<f4", "F64": "<f8", "I32": "<i4"}
    return {k: np.frombuffer(raw[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]], kinds[v["dtype"]]).reshape(v["shape"]) for k, v in head.items() if k != "__metadata__"}
shard, moments = load("rows/activations/positive/$SITE/shard-00000.safetensors"), load("rows/moments/positive/$SITE.safetensors")
x = shard["$SITE"].astype(float); mean = x.mean(0); d = x - mean
assert abs(mean - moments["mean"]).max() < 1e-12 * abs(mean).max() and abs(d.T @ d - moments["m2"]).max() < 1e-11 * abs(moments["m2"]).max()
assert len(shard["text"]) == len(shard["position"]) == len(x) and shard["position"].min() == 1 and len(set(shard["text"])) == 30
texts = [line.split(",") for line in open("rows/activations/texts.csv").read().splitlines()[1:]]
assert all(texts[t][1] == "positive" for t in set(shard["text"])) and len(texts) == 60
PY
    # an SAE of the demo model, with random weights
    $PYTHON - <<PY
import json, numpy as np
rng = np.random.default_rng(0); width, features = 192, 500
t = {"W_enc": rng.normal(size=(width, features)), "b_enc": -rng.uniform(size=features), "W_dec": rng.normal(size=(features, width)), "b_dec": np.zeros(width)}
head, at, body = {}, 0, b""
for k, v in t.items():
    raw = v.astype("<f4").tobytes(); head[k] = {"dtype": "F32", "shape": list(v.shape), "data_offsets": [at, at + len(raw)]}; at += len(raw); body += raw
text = json.dumps(head).encode(); text += b" " * (-len(text) % 8)
import os; os.mkdir("sae")
open("sae/sae_weights.safetensors", "wb").write(len(text).to_bytes(8, "little") + text + body)
json.dump({"architecture": "standard", "activation_fn_str": "relu", "hook_name": "blocks.3.hook_resid_post", "d_in": width, "d_sae": features}, open("sae/cfg.json", "w"))
PY
    FEATURES=blocks.3.hook_resid_post.sae
    expect 0 $COLLECT --sae sae --sae-features 50 --out features
    [ "$(ls features/moments/positive/*.safetensors)" = features/moments/positive/$FEATURES.safetensors ] || fail "--sae alone collects more than its features"
    expect 0 $GLINT solve features --alpha 0.7 --quiet
    says features/positive/$FEATURES/neurons.csv '^[0-9]+,L3.S[0-9]+,'
    [ "$(json features/positive/$FEATURES/certificate.json 'd["columns"]')" = 50 ] || fail "--sae-features 50"
    expect 1 $COLLECT --sae sae --sae-features 51 --out features; one_error; says err.txt 'holds other features'
    expect 0 $COLLECT --sae sae --sae-features 4,2,450 --site mlp.hook_post --layers 0 --out listed
    [ "$(ls listed/moments/positive/*.safetensors | wc -l)" -eq 2 ] || fail "--sae and --site"
    expect 0 $GLINT solve listed --alpha 0.9 --quiet; says listed/positive/$FEATURES/neurons.csv 'L3.S450'
    expect 2 $COLLECT --sae sae --memory 1M --out big; one_error; says err.txt 'keep fewer, with --sae-features, or give --memory'
    expect 2 $COLLECT --sae-features 5 --out big; one_error; says err.txt 'give that'
    expect 2 $COLLECT --sae sae --sae-features 1,x --out big; one_error
fi
nothing_left rows; nothing_left one; nothing_left several
exit 0
