#!/usr/bin/env bash
# What an unfriendly user does: damaged models and data, absurd options, full disks, results tampered with. Every refusal is
# one line that names the file, with exit code 1 or 2, and leaves no half-written file.
. "${0%/*}/lib.sh"
SITE=blocks.1.mlp.hook_post
real=$GLINT
GLINT=$WORK/glint # a hang is a failure of its own (exit code 124), not of the whole test
printf "#!/bin/sh\nexec timeout 120 \"%s\" \"\$@\"\n" "$real" >"$GLINT"
chmod +x "$GLINT"
FEW="--max-samples 20 --layers 1 --max-tokens 16 --neurons 20 --quiet --threads 1"

# refused CODE PATTERN MODEL DATA [OPTIONS]: glint run fails so, says so, and leaves no result.
refused() {
    local code=$1 pattern=$2 model=$3 data=$4
    shift 4
    rm -rf out
    expect "$code" "$GLINT" run --model "$model" --dataset "$data" --alpha 0.4 --skip-viz --out out $FEW "$@"
    one_error
    says err.txt "$pattern"
    [ -z "$(find . -name 'precision.npz' -o -name '.glint-*' | head -n 1)" ] || fail "a refused run left results or temporary files"
}
# accepted DATA: glint run succeeds.
accepted() {
    rm -rf out
    expect 0 "$GLINT" run --model "$DEMO_MODEL" --dataset "$1" --alpha 0.4 --skip-viz --out out $FEW
}

# ---- models ----
# broken NAME PYTHON: a copy of the demo model in ./NAME changed by code that sees config `c`, tokenizer `t`, tensors `h` and their data `b`
broken() {
    rm -rf "$1"
    cp -r "$DEMO_MODEL" "$1"
    $PYTHON - "$1" "$2" <<'CODE'
import json, struct, sys
folder, code = sys.argv[1:]
paths = [folder + "/" + name for name in ("config.json", "tokenizer.json", "model.safetensors")]
c, t = (json.load(open(p)) for p in paths[:2])
raw = open(paths[2], "rb").read()
length = struct.unpack("<Q", raw[:8])[0]
h, b = json.loads(raw[8:8 + length]), raw[8 + length:]
first = sorted(k for k in h if k != "__metadata__")[1]
claimed = None
exec(code)
json.dump(c, open(paths[0], "w"))
json.dump(t, open(paths[1], "w"))
j = json.dumps(h).encode()
open(paths[2], "wb").write(struct.pack("<Q", len(j) if claimed is None else claimed) + j + b)
CODE
    [ $? -eq 0 ] || fail "could not make the model $1"
}
for change in 'c["hidden_size"]=10**12' 'c["num_hidden_layers"]=10**9' 'c["num_attention_heads"]=0' 'c["head_dim"]="64"' 'c["vocab_size"]=-1' \
              'c["model_type"]=7' 'c["rope_parameters"]=7' 'c["layer_types"]=[1]*6' 'c["intermediate_size"]=641'; do
    broken m "$change"
    refused 1 'm/(config.json|model.safetensors)' m "$DEMO_DATA"
done
for change in 'claimed=2**63' 'claimed=2**64-1' 'claimed=0' 'b=b[:len(b)//2]' 'b=b+b"x"' 'h[first]["data_offsets"]=[-1,2]' 'h[first]["data_offsets"]=[0,2**62]' \
              'h[first]["shape"]=[2**40,2**40]' 'h[first]["dtype"]="I7"' 'h[first]=5' 'del h[first]' 'b=b[:-2]+b"\xc0\x7f"'; do
    broken m "$change"
    refused 1 'm/model.safetensors' m "$DEMO_DATA"
done
for change in 't["model"]["type"]="Unigram"' 't["model"]["vocab"]={}' 't["model"]["merges"]=[["a"]]' 't["normalizer"]=5' 'del t["model"]' \
              't["pre_tokenizer"]={"type":"Split","pattern":{"Regex":"(("},"behavior":"Isolated","invert":False}'; do
    broken m "$change"
    refused 1 'm/tokenizer.json' m "$DEMO_DATA"
done
for file in config.json tokenizer.json model.safetensors; do
    broken m ''
    rm m/$file;                 refused 1 'm' m "$DEMO_DATA"
    mkdir m/$file;              refused 1 'm' m "$DEMO_DATA"; rmdir m/$file
    : >m/$file;                 refused 1 "m/$file" m "$DEMO_DATA"; rm m/$file
    ln -s $file m/$file;        refused 1 'm' m "$DEMO_DATA"; rm m/$file
done
refused 1 'is no model folder; give the folder' "$DEMO_MODEL/config.json" "$DEMO_DATA"
refused 1 'is no model folder; give the folder' . "$DEMO_DATA"
rm -rf m

# ---- data ----
# data NAME PYTHON: writes ./NAME from the expression; `x` are twenty reviews
data() {
    head -n 20 "$DEMO_DATA" | $PYTHON -c '
import gzip, json, sys
x = [json.loads(line)["text"] for line in sys.stdin]
def rows(label): return "".join(json.dumps({"text": text, "label": label(i)}) + "\n" for i, text in enumerate(x))
made = eval(sys.argv[2])
open(sys.argv[1], "wb").write(made if isinstance(made, bytes) else made.encode())' "$1" "$2" || fail "could not make $1"
}
for made in '""' '"\n"*9' '"\0"*99' '"["*99999' '"[1]\n"*9' 'rows(lambda i: {"a": 1})' 'rows(lambda i: None)' "rows(lambda i: 'a').replace('text','words')" \
            'rows(lambda i: "a").encode("utf-16")' 'rows(lambda i: i)' 'rows(lambda i: ("all", "b")[i % 2])'; do
    data d.jsonl "$made"
    refused 1 '.' "$DEMO_MODEL" d.jsonl --max-samples 0
done
for made in '"x,y\n1,2\n"' '"text,label\n"' "'text,label\n\"never closed,a\nb,c\n'" '"text,label\n"+"a\n"*9' '"text,label\n"+"a,b,c\n"*9'; do
    data d.csv "$made"
    refused 1 'd.csv' "$DEMO_MODEL" d.csv
done
data d.tar.gz 'gzip.compress(b"no archive at all"*99)';  refused 1 'd.tar.gz: damaged' "$DEMO_MODEL" d.tar.gz
mkdir -p tree/a tree/b
for k in 1 2 3 4; do head -c 20000 /dev/urandom | base64 | tee tree/a/$k.txt >tree/b/$k.txt; done
for format in gz xz; do
    tar -caf d.tar.$format tree
    truncate -s 60000 d.tar.$format
    refused 1 'd.tar.gz|d.tar.xz' "$DEMO_MODEL" d.tar.$format
done
mkfifo fifo.jsonl;       refused 1 'fifo.jsonl' "$DEMO_MODEL" fifo.jsonl
mkdir -p empty.jsonl;    refused 1 'empty.jsonl' "$DEMO_MODEL" empty.jsonl
ln -s loop.csv loop.csv; refused 1 'loop.csv' "$DEMO_MODEL" loop.csv
refused 1 '/dev/zero' "$DEMO_MODEL" /dev/zero

# awkward class names stay inside the results folder, and never meet glint's own names
for name in '../../evil' '..' 'a/b' 'moments' 'compare' 'run.json' 'settings.json' '.partial' 'a\nb' '\x1b[31m' '-rf' '\u202e'; do
    data d.jsonl "rows(lambda i: '$name' if i % 2 else 'other')"
    accepted d.jsonl
    [ "$(find out -name precision.npz | wc -l)" -eq 2 ] || fail "class '$name' has no result of its own"
    [ "$(json out/run.json 'len(d["compare"])')" = 1 ] || fail "class '$name' was not compared"
done
for name in 'x' '\u00e9'; do
    data d.jsonl "rows(lambda i: '$name' * 300 + str(i % 2))"
    accepted d.jsonl
    [ "$(find out/compare -name 'only_*' | wc -l)" -eq 2 ] || fail "long class names share a file"
done
[ ! -e ../evil ] && [ ! -e ../../evil ] || fail "a class name left the results folder"

# ---- options and places ----
for options in '--neurons 1' '--neurons x' '--threads 100000' '--threads 2147483647' '--threads 99999999999' '--layers 0-99' '--layers 5-3' '--max-tokens 1' \
               '--degree 0' '--degree 1e308' '--tol 0' '--seed 9223372036854775808' '--site ../../x' '--max-iterations -1'; do
    rm -rf out
    expect 2 "$GLINT" run --model "$DEMO_MODEL" --dataset "$DEMO_DATA" --skip-viz --out out $FEW $options
    one_error
    [ -z "$(find out -name "*.safetensors" 2>/dev/null)" ] || fail "$options was found wrong only after the model had run"
done
mkdir inside
( cd inside && expect 2 "$GLINT" run --model "$DEMO_MODEL" --dataset "$DEMO_DATA" --skip-viz --out '' $FEW && one_error && [ ! -e moments ] ) || fail "an empty --out"
: >file
for place in file file/below /proc/nowhere /dev/null; do
    expect 1 "$GLINT" run --model "$DEMO_MODEL" --dataset "$DEMO_DATA" --skip-viz --out $place --alpha 0.4 $FEW
    one_error; says err.txt "$place"
done
[ ! -s file ] || fail "--out overwrote a file"

# ---- results that were tampered with: what is missing or damaged is made again, and ends up the same ----
RUN="$GLINT run --model $DEMO_MODEL --dataset $DEMO_DATA --alpha 0.4 --skip-viz --out kept $FEW"
expect 0 $RUN
cp -r kept whole
for file in precision.npz covariance.npy precision.npy neurons.csv edges.csv modules.csv graph.dot graph.graphml certificate.json; do
    for damage in 'rm -f' 'truncate -s 0'; do
        $damage kept/positive/$SITE/$file
        expect 0 $RUN
        [ $file = certificate.json ] || cmp -s kept/positive/$SITE/$file whole/positive/$SITE/$file || fail "$file was not made again after $damage"
    done
done
for file in precision.npz edges.csv modules.csv; do
    truncate -s 60 kept/positive/$SITE/$file
    expect 0 $RUN
    cmp -s kept/positive/$SITE/$file whole/positive/$SITE/$file || fail "a truncated $file was not made again"
done
rm -r kept/moments/positive kept/compare kept/negative
expect 0 $RUN
diff -rq -x run.json -x certificate.json kept whole || fail "what was deleted came back different"
nothing_left kept
truncate -s 1000 kept/moments/positive/$SITE.safetensors; expect 1 $RUN; one_error; says err.txt 'positive/.*delete it'
truncate -s 20 kept/moments/settings.json;                expect 1 $RUN; one_error; says err.txt 'settings.json.*delete'
exit 0
