#!/usr/bin/env bash
# glint steer on a small run: files, equal seeds, control vector, generation, ablation matrix, refusals.
. "${0%/*}/lib.sh"
SITE=blocks.2.mlp.hook_post
AT=results/steer/$SITE
expect 0 $GLINT run --model $DEMO_MODEL --dataset $DEMO_DATA --max-samples 400 --layers 2 --max-tokens 48 --degree 4 --dense --skip-viz --quiet --out results
for k in 1 2 3 4; do sed -n "$((2900 + k))p" "$DEMO_DATA"; done | $PYTHON -c 'import sys, json
for line in sys.stdin: print(json.loads(line)["text"][:160].replace("\n", " "))' >neutral.txt
[ "$(wc -l <neutral.txt)" -eq 4 ] || fail "the neutral texts"
FEW="--controls 3 --prompts 16 --samples 2 --sample-tokens 8 --kl 0.05,0.2 --neutral neutral.txt --quiet"

expect 0 $GLINT steer results $FEW --export-gguf vector.gguf
says out.txt 'layer 2, module [0-9]+ \([0-9]+ neurons\): At a mean KL of 0\.[0-9]+ the module changes the log-odds by'
says err.txt 'with 3 controls the smallest p is 0.250'
for file in steer.json doses.csv controls.csv texts.csv samples.html dose.png dose.svg; do
    [ -s $AT/$file ] || fail "$AT/$file is missing"
done
[ "$(json $AT/steer.json '[sum(a["role"] == r for a in d["arms"]) for r in ("module", "random", "degree-matched", "top-neurons", "residual-difference")]')" = '[1, 3, 3, 1, 1]' ] || fail "arms of steer.json"
[ "$(json $AT/steer.json 'd["texts"], len(d["p_random"]), all(abs(x["kl"] / x["kl_wanted"] - 1) < 0.021 for a in d["arms"] for x in a["doses"] if x["reached"])')" = '(16, 2, True)' ] || fail "doses of steer.json"
[ "$(wc -l <$AT/texts.csv)" -eq $((16 * 3 + 1)) ] || fail "texts.csv"
[ "$(head -c 4 vector.gguf)" = GGUF ] && grep -aq 'direction.2' vector.gguf && grep -aq controlvector vector.gguf || fail "vector.gguf"
[ $(($(stat -c %s vector.gguf) % 32)) -eq 0 ] || fail "vector.gguf is not padded"
nothing_left results

# the same seed gives the same bytes
cp -r $AT first && mv vector.gguf first.gguf
expect 0 $GLINT steer results $FEW --export-gguf vector.gguf --threads 1
for file in steer.json doses.csv controls.csv texts.csv samples.html dose.png; do
    cmp -s first/$file $AT/$file || fail "$file differs from that of the same seed"
done
cmp -s first.gguf vector.gguf || fail "the control vector differs"

# generation: nothing at strength 0 and before --steer-from, something at large strength, and the verdict's by default
GENERATE="$GLINT generate --model $DEMO_MODEL --prompt This --max-new-tokens 12 --ignore-eos"
expect 0 $GENERATE; cp out.txt plain.txt
for options in '--strength 0' '--steer-from 1000'; do
    expect 0 $GENERATE --steer $AT/steer.json $options
    cmp -s out.txt plain.txt || fail "--steer $options is not the text of nobody steering"
done
STRENGTH=$(json $AT/steer.json 'd["strength"]')
expect 0 $GENERATE --steer $AT/steer.json --json; cp out.txt default.json
says err.txt 'that of the verdict'
expect 0 $GENERATE --steer $AT/steer.json --strength $STRENGTH --json
[ "$(json out.txt 'd["texts"][0]["tokens"]')" = "$(json default.json 'd["texts"][0]["tokens"]')" ] || fail "the default strength is not that of the verdict"
[ "$(json out.txt 'd["steer"]["strength"], d["steer"]["site"], d["steer"]["from"]')" = "($STRENGTH, '$SITE', 1)" ] || fail "steer in the JSON of generate"
expect 0 $GENERATE --steer $AT/steer.json --strength 1e6
! cmp -s out.txt plain.txt || fail "a huge strength changes nothing"
expect 0 $GENERATE --steer $AT/steer.json --strength 1e6 --steer-from 4
! cmp -s out.txt plain.txt || fail "steering generated tokens changes nothing"

# one that was measured elsewhere, one that does not fit, one that lies
$PYTHON - $AT/steer.json <<'EOF'
import json, sys
d = json.load(open(sys.argv[1]))
def write(name, **operator):
    e = json.loads(json.dumps(d)); e["operator"].update(operator); e["model_sha256"] = "0" if not operator else d["model_sha256"]
    json.dump(e, open(name, "w"))
write("other.json")
write("deep.json", site="blocks.9.mlp.hook_post")
write("wide.json", columns=[99999] + d["operator"]["columns"][1:])
write("lies.json", constant=[1])
EOF
expect 0 $GENERATE --steer other.json; says err.txt 'warning: other.json was measured on another model'
expect 1 $GENERATE --steer deep.json; one_error; says err.txt 'deep.json steers blocks.9.mlp.hook_post, and the model has 6 layers'
expect 1 $GENERATE --steer wide.json; one_error; says err.txt 'steers column 99999'
expect 1 $GENERATE --steer lies.json; one_error; says err.txt 'lies.json: operator.constant'
expect 1 $GENERATE --steer nowhere.json; one_error; says err.txt 'nowhere.json'
expect 2 $GENERATE --strength 1; one_error; says err.txt '--strength belongs to --steer'
expect 2 $GENERATE --steer-from 3; one_error; says err.txt '--steer-from belongs to --steer'
expect 2 $GENERATE --steer $AT/steer.json --strength much; one_error; says err.txt '--strength'

# the ablation matrix
expect 0 $GLINT steer results --ablation-matrix --controls 2 --prompts 16 --quiet
says out.txt "^$SITE: ablating its module changes the loss by [+-]"
[ "$(wc -l <results/steer/ablation/ablation.csv)" -eq 5 ] && [ -s results/steer/ablation/$SITE.png ] || fail "files of the ablation matrix"
[ "$(json results/steer/ablation/ablation.json 'd["operator"], d["random_sets"], [[c["class"] for c in r["texts_of"]] for r in d["layers"][0]["ablated"]], [l["texts"] for l in d["layers"][0]["losses"]]')" \
    = "('ablate-mean', 2, [['negative', 'positive'], ['negative', 'positive']], [8, 8])" ] || fail "ablation.json"
cp results/steer/ablation/ablation.csv first.csv
expect 0 $GLINT steer results --ablation-matrix --controls 2 --prompts 16 --quiet --skip-viz --threads 1
cmp -s first.csv results/steer/ablation/ablation.csv || fail "ablation.csv differs from that of the same seed"
[ -d $AT ] && [ ! -e results/steer/ablation/$SITE.png ] || fail "--skip-viz, or the trial is gone"

# refusals
expect 2 $GLINT steer results --towards nobody --away negative; one_error; says err.txt "nobody"
expect 2 $GLINT steer results --operator push; one_error; says err.txt "no steering operator 'push'"
expect 2 $GLINT steer results --module 999 --neutral neutral.txt; one_error; says err.txt 'no module 999'
for kl in 0.2,0.1 0 -1 much 0.1,; do
    expect 2 $GLINT steer results --kl $kl; one_error; says err.txt '--kl'
done
expect 2 $GLINT steer results --kl 0.1 --strength 1; one_error
expect 2 $GLINT steer results --strength 1,-2; one_error; says err.txt '--strength must grow'
expect 2 $GLINT steer results --operator ablate-zero --strength 0.5,2; one_error; says err.txt 'complete at 1'
expect 2 $GLINT steer results --controls 0; one_error
expect 2 $GLINT steer results --tokens-for positive=good; one_error; says err.txt 'both classes'
expect 2 $GLINT steer results --ablation-matrix --module 1; one_error; says err.txt '--module means nothing to --ablation-matrix'
expect 2 $GLINT steer results --ablation-matrix --operator shift; one_error; says err.txt 'ablate-mean'
expect 2 $GLINT steer; one_error
expect 1 $GLINT steer nowhere; one_error; says err.txt 'nowhere'
expect 1 $GLINT steer results --layers 4; one_error; says err.txt 'no graph of class'
head -n 400 "$DEMO_DATA" >all.jsonl
expect 0 $GLINT run --model $DEMO_MODEL --dataset all.jsonl --layers 0,2 --max-tokens 24 --degree 3 --skip-viz --quiet --out used
expect 1 $GLINT steer used; one_error; says err.txt 'were not used for the graphs.*--held-out'
expect 1 $GLINT steer used --ablation-matrix; one_error; says err.txt 'were not used for the graphs.*--held-out'
expect 2 $GLINT steer used --held-out "$DEMO_DATA" --export-gguf x.gguf; one_error; says err.txt '2 layers would be steered'
expect 2 $GLINT steer used --held-out "$DEMO_DATA" --layers 0 --export-gguf x.gguf; one_error; says err.txt 'no control vector for layer 0'
[ ! -e x.gguf ] && [ ! -e used/steer ] || fail "a refused command left something"

# what is taken over from the run: the seed of its draw, its chat, texts that it made itself
RUN="$GLINT run --model $DEMO_MODEL --max-tokens 32 --layers 3 --neurons 40 --alpha 0.3 --examples 0 --skip-viz --quiet"
expect 0 $RUN --dataset "$DEMO_DATA" --max-samples 300 --seed 7 --chat-format gemma3 --out seven
expect 2 $GLINT steer seven --seed 2 --module 999 --neutral neutral.txt; says err.txt '300 made the graphs, 2700 are held out'
! grep -q warning err.txt || fail "the chat of the run is not taken over"
rm seven/run.json
expect 2 $GLINT steer seven --model "$DEMO_MODEL" --dataset "$DEMO_DATA" --max-samples 300 --module 999 --neutral neutral.txt; says err.txt 'read as chat gemma3 [0-9a-f]+, here it is none'
expect 0 $RUN --dataset synthetic --synthetic_topic sentiment --local --num_examples 60 --max-samples 80 --out made
expect 2 $GLINT steer made --module 999 --neutral neutral.txt; says err.txt '80 made the graphs, 40 are held out'
exit 0
