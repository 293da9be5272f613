#!/usr/bin/env bash
# glint run end to end on the demo: files, the parts one by one, resuming after SIGKILL, refusals.
. "${0%/*}/lib.sh"
SITE=blocks.1.mlp.hook_post
FEW="--max-samples 240 --layers 1-2 --max-tokens 64 --quiet"
RUN="$GLINT run --model $DEMO_MODEL --dataset $DEMO_DATA $FEW"

expect 0 $RUN --batch_size 8 --alpha 0.35 --output_dir results
says out.txt 'What differs between the classes'
for file in precision.npz covariance.npy precision.npy edges.csv modules.csv neurons.csv certificate.json precision.png graph.dot graph.png graph.svg graph.graphml; do
    [ -s results/positive/$SITE/$file ] || fail "results/positive/$SITE/$file is missing"
done
[ -s results/compare/$SITE/edges.csv ] && [ -s results/compare/$SITE/partial_correlations.png ] || fail "compare/$SITE is incomplete"
[ "$(json results/run.json 'd["settings"]["seed"], len(d["results"]), len(d["compare"])')" = '(0, 4, 2)' ] || fail "run.json"
[ "$(json results/positive/$SITE/certificate.json 'd["outcome"], d["lambda"], d["relative_duality_gap"] <= 1e-6, d["n"]')" = "('converged', 0.35, True, 120)" ] || fail "certificate.json"
$PYTHON "$SOURCE/tests/outputs/check_results.py" results >check.txt 2>&1; code=$?
[ $code -eq 0 ] || [ $code -eq 77 ] || { cat check.txt; fail "check_results.py"; }
nothing_left results

# a second run keeps everything: no file of the results changes
find results -name certificate.json -exec sha256sum {} + | sort >before.txt
expect 0 $RUN --batch_size 8 --alpha 0.35 --output_dir results
find results -name certificate.json -exec sha256sum {} + | sort >after.txt
cmp -s before.txt after.txt || fail "a second run computed again"
[ "$(json results/run.json 'd["collect"]["reused"], [r["reused"] for r in d["results"]]')" = '(True, [True, True, True, True])' ] || fail "a second run did not reuse"

# another lambda solves again without running the model; other data is refused
expect 0 $RUN --batch_size 8 --degree 4 --output_dir results
[ "$(json results/run.json 'd["collect"]["reused"], any(r["reused"] for r in d["results"])')" = '(True, False)' ] || fail "another lambda"
[ "$(json results/run.json 'all(abs(2*r["edges"]/r["p"] - 4) < 1 for r in d["results"])')" = True ] || fail "--degree 4 is missed"
expect 1 $RUN --batch_size 8 --alpha 0.35 --pool last --output_dir results
one_error; says err.txt 'pool'

# all classes together, on request: no part of the comparison
expect 0 $RUN --batch_size 8 --degree 4 --with-all --skip-viz --output_dir results
[ "$(json results/all/$SITE/certificate.json 'd["class"], d["n"], d["outcome"]')" = "('all', 240, 'converged')" ] || fail "--with-all"
[ "$(json results/run.json 'len(d["results"]), [sorted(c["classes"]) for c in d["compare"]]')" = "(6, [['negative', 'positive'], ['negative', 'positive']])" ] || fail "--with-all in the comparison"

# the parts give what the whole gives
expect 0 $GLINT collect --model $DEMO_MODEL --dataset $DEMO_DATA $FEW --batch_size 8 --out parts
expect 2 $GLINT solve parts --alpha 0.35 --out elsewhere
one_error; says err.txt 'in place'
expect 0 $GLINT solve parts --alpha 0.35 --quiet
expect 0 $GLINT graph parts
expect 0 $GLINT draw parts
expect 0 $GLINT compare parts
expect 0 $RUN --batch_size 8 --alpha 0.35 --output_dir whole
for file in precision.npz edges.csv modules.csv graph.dot graph.graphml precision.png graph.png graph.svg; do
    cmp -s whole/positive/$SITE/$file parts/positive/$SITE/$file || fail "the parts give another $file than run"
done
cmp -s whole/compare/$SITE/edges.csv parts/compare/$SITE/edges.csv || fail "the parts give another comparison"

# stopped between batches and continued at another number of threads: the same moments, bit for bit. SIGKILL comes before the first
# checkpoint here (later ones: tests/collect); SIGINT makes one, and says so with 130 unless the run was faster.
# stop SIGNAL FOLDER: a run that gets the signal as soon as its first batch may be under way; its exit code in $code.
stop() {
    $RUN --batch_size 1 --threads 1 --skip_viz --output_dir $2 >/dev/null 2>err.txt &
    local pid=$! tries=0
    until [ -e $2/moments/settings.json ] || [ $((tries++)) -gt 500 ]; do sleep 0.02; done
    kill -$1 $pid 2>/dev/null
    wait $pid 2>/dev/null
    code=$?
}
expect 0 $RUN --batch_size 1 --skip_viz --output_dir undisturbed
stop KILL killed
[ $code -eq 137 ] || [ $code -eq 0 ] || { cat err.txt; fail "SIGKILL gave exit code $code"; }
stop INT stopped
[ $code -eq 130 ] || [ $code -eq 0 ] || { cat err.txt; fail "SIGINT gave exit code $code"; }
for folder in killed stopped; do
    expect 0 $RUN --batch_size 1 --threads 2 --skip_viz --output_dir $folder
    for class in positive negative; do
        cmp -s $folder/moments/$class/$SITE.safetensors undisturbed/moments/$class/$SITE.safetensors || fail "$folder and resumed differs from undisturbed"
    done
done
[ $code -eq 0 ] || [ "$(json stopped/run.json 'd["collect"]["resumed"]')" = True ] || fail "the work before SIGINT was thrown away"
[ ! -e killed/positive/$SITE/graph.png ] || fail "--skip_viz drew"

# position 0 of a causal model is the same for every text
expect 1 $RUN --pool first --output_dir first
one_error; says err.txt 'pool'
[ ! -e first/positive ] || fail "--pool first left results"

# one class: graphs, nothing to compare
head -n 40 $DEMO_DATA | $PYTHON -c 'import json,sys
for l in sys.stdin: print(json.loads(l)["text"])' >one.txt
expect 0 $GLINT run --model $DEMO_MODEL --dataset one.txt --layers 1 --neurons 50 --quiet --out one
says out.txt 'nothing to compare'
[ ! -e one/compare ] || fail "one class was compared"
[ "$(json one/run.json 'd["results"][0]["p"]')" = 50 ] || fail "--neurons 50"
exit 0
