#!/usr/bin/env bash
# glint collect --shard, glint merge, --examples and --pool punct on the demo; and, in builds with MPI, mpirun.
. "${0%/*}/lib.sh"
COLLECT="$GLINT collect --model $DEMO_MODEL --dataset $DEMO_DATA --max-samples 150 --layers 1 --max-tokens 48 --quiet"
SITE=blocks.1.mlp.hook_post
same() { diff -r "$1" "$2" >diff.txt 2>&1 || { head -n 5 diff.txt >&2; fail "$1 and $2 differ"; }; }

for i in 1 2 3; do expect 0 $COLLECT --threads $i --shard $i/3 --out part$i; done
expect 0 $GLINT merge one part3 part1 part2 --json
[ "$(json out.txt 'd["shards"], d["missing"], d["sites"], d["texts"]')" = '(3, 0, 1, 150)' ] || fail "merge --json"
expect 0 $GLINT merge two part1 part2 part3 --quiet
same one two
nothing_left one
expect 0 $COLLECT --out whole
cmp -s one/moments/settings.json whole/moments/settings.json || fail "settings of the merge are not those of the whole"
$PYTHON - <<'PY'
import json, struct, sys
try:
    import numpy as np
except ImportError:
    sys.exit(0)  # tests/collect compares moments too
def load(name):
    with open(name, "rb") as file:
        data = file.read()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + n])
    return {k: np.frombuffer(data[8 + n :], "<f8", (v["data_offsets"][1] - v["data_offsets"][0]) // 8, v["data_offsets"][0]) for k, v in header.items() if k != "__metadata__"}
for c in "negative", "positive":
    a, b = (load(f"{d}/moments/{c}/blocks.1.mlp.hook_post.safetensors") for d in ("one", "whole"))
    assert all(abs(a[k] - b[k]).max() <= 1e-12 * abs(b[k]).max() for k in ("mean", "m2")), c
PY
[ $? -eq 0 ] || fail "moments of the merge are not those of the whole to 1e-12"
# bf16 batches of other texts round alike or nearly: the same tokens lead, by almost the same values
for class in negative positive; do
    wc -l one/moments/$class/examples/$SITE.jsonl | grep -q '^640 ' || fail "not one line a neuron"
    cmp -s {one,whole}/moments/$class/examples/texts.jsonl || fail "texts.jsonl of the merge"
    $PYTHON - {one,whole}/moments/$class/examples/$SITE.jsonl <<'PY' || fail "examples of the merge are not those of the whole"
import json, sys
a, b = ([json.loads(line) for line in open(name)] for name in sys.argv[1:])
assert len(a) == len(b) == 640 and all(x["id"] == f"L1.N{k}" and len(x["top"]) == 10 for k, x in enumerate(a))
near = sum(abs(x["top"][0]["value"] - y["top"][0]["value"]) <= 0.05 * abs(y["top"][0]["value"]) for x, y in zip(a, b))
assert near > 600, near
assert all(e["tokens"][e["at"]] for x in a for e in x["top"])
assert all(x["top"][i]["value"] >= x["top"][i + 1]["value"] for x in a for i in range(9))
PY
done
# the merge is a run like any other: nothing to collect, and it can be solved; a part of it says that it is one
expect 0 $COLLECT --json --out one
[ "$(json out.txt 'd["collect"]["reused"]')" = True ] || fail "the merge is collected again"
expect 0 $GLINT solve one --alpha 0.4 --quiet
[ "$(json one/negative/$SITE/certificate.json 'd["n"], d["outcome"]')" = "(75, 'converged')" ] || fail "solve of the merge"
expect 0 $GLINT solve part1 --alpha 0.4 --quiet
says err.txt 'part1 holds only shard 1/3'

# what does not belong together
expect 1 $GLINT merge no part1 part3
one_error; says err.txt 'not given: 2.*--partial'
expect 0 $GLINT merge some part1 part3 --partial
says err.txt '1 shard is missing'
expect 1 $GLINT merge no part1 part2 part2 part3
one_error; says err.txt 'given twice'
expect 0 $COLLECT --pool last --shard 3/3 --out last3
expect 1 $GLINT merge no part1 part2 last3
one_error; says err.txt '--pool \(was mean, is now last\)'
expect 1 $GLINT merge no part1 part2 whole
one_error; says err.txt 'whole: not a shard'
expect 1 $GLINT merge no part1 part2 nowhere
one_error; says err.txt 'nowhere'
[ -e no ] && fail "a refused merge left something"
expect 2 $GLINT merge no
one_error
for shard in 0/3 4/3 3 a/b 1/3/2 1/ -1/3; do
    expect 2 $COLLECT --shard=$shard --out no
    one_error; says err.txt '--shard needs'
done
expect 2 $GLINT run --model demo --dataset demo --shard 1/2 --out no
expect 2 $COLLECT --examples=-1 --out no
expect 2 $COLLECT --examples 1001 --out no
one_error; says err.txt 'at most 1000'

# rows of a share that has no text of a class: none, but whole
FEW="$GLINT collect --model $DEMO_MODEL --dataset $DEMO_DATA --max-samples 4 --layers 1 --examples 0 --save-activations"
expect 0 $FEW --shard 3/3 --out few
expect 0 $FEW --shard 3/3 --out few
says err.txt 'nothing to run'
expect 0 $GLINT collect --from few --out few-from --quiet
same few/moments few-from/moments
expect 1 $GLINT solve --activations few --class positive --alpha 0.4 --out no
one_error; says err.txt 'holds no row'

# no examples; punctuation
expect 0 $COLLECT --examples 0 --pool punct --json --out punct
[ -e punct/moments/negative/examples ] && fail "--examples 0 wrote examples"
[ "$(json out.txt 'd["collect"]["pool"], d["collect"]["without_punctuation"] < 150')" = "('punct', True)" ] || fail "--pool punct"

command -v mpirun >mpirun.txt || { echo "no mpirun: that part is left out"; exit 0; }
MPI="timeout 300 mpirun --allow-run-as-root --oversubscribe -n 3"
if [ "${HAS_MPI:-0}" != 1 ]; then
    expect 1 $MPI $COLLECT --out no
    says err.txt 'built without MPI'
    echo "built without MPI: that part is left out"
    exit 0
fi
expect 0 $MPI $COLLECT --out ranks
[ "$(cat out.txt)" = ranks ] || fail "standard output of three ranks: $(cat out.txt)"
same ranks two
nothing_left ranks
expect 0 $MPI $COLLECT --out ranks
same ranks two
# an error of one rank ends all, and what is wrong can be put right
mkdir -p spoilt/.shards && : >spoilt/.shards/2-of-3
expect 1 $MPI $COLLECT --out spoilt
says err.txt 'rank 1 of 3'; says err.txt 'a rank failed, and all ended'
rm spoilt/.shards/2-of-3
expect 0 $MPI $COLLECT --out spoilt
same spoilt two
# stopped, one rank killed: the same command continues
for signal in INT KILL; do
    $MPI $COLLECT --batch-size 1 --out stopped-$signal >/dev/null 2>err.txt &
    pid=$! tries=0
    until [ -e stopped-$signal/.shards/2-of-3/moments/settings.json ] || [ $((tries++)) -gt 500 ]; do sleep 0.02; done
    if [ $signal = INT ]; then kill -INT $pid; else
        lock=$(readlink -f stopped-$signal/.shards/2-of-3/moments)
        for process in /proc/[0-9]*; do
            ls -l $process/fd 2>/dev/null | grep -q "$lock/.lock" && kill -KILL ${process#/proc/}
        done
    fi
    wait $pid
    expect 0 $MPI $COLLECT --batch-size 1 --out stopped-$signal
done
same stopped-INT stopped-KILL
expect 2 $MPI $COLLECT --shard 1/2 --out no
expect 2 $MPI $COLLECT --save-activations --out no
says err.txt '--save-activations does not go with mpirun'
expect 2 $MPI $GLINT run --model demo --dataset demo --out no
[ -e no ] && fail "refused, but something is left"
exit 0
