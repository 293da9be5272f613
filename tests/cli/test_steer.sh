#!/usr/bin/env bash
# glint steer after glint run: what it takes over from the run, and what it refuses.
. "${0%/*}/lib.sh"
export OMP_NUM_THREADS=1
RUN=("$GLINT" run --model "$DEMO_MODEL" --max-tokens 32 --layers 3 --neurons 40 --alpha 0.3 --examples 0 --skip-viz --quiet)
STEER=("$GLINT" steer --prompts 4 --prompt-tokens 8 --controls 1 --kl 0.1 --samples 0 --skip-viz)
expect 0 "${RUN[@]}" --dataset "$DEMO_DATA" --max-samples 300 --seed 7 --chat-format gemma3 --out seven

# the texts that the graphs know are those that the run drew, with its seed; the controls may have another one
expect 0 "${STEER[@]}" seven --seed 2
says err.txt '300 made the graphs, 2700 are held out'
[ "$(json seven/steer/blocks.3.mlp.hook_post/steer.json 'd["texts_used"], d["seed"]')" = '(300, 2)' ] || fail "steer.json"
cp -r seven other && $PYTHON - other/run.json <<'PY'
import json, sys
run = json.load(open(sys.argv[1])); run["settings"]["seed"] = 0; json.dump(run, open(sys.argv[1], "w"))
PY
expect 1 "${STEER[@]}" other --out no; one_error; says err.txt 'other are of other texts; give its --dataset, --max-samples, --seed'
rm seven/run.json
expect 1 "${STEER[@]}" seven --model "$DEMO_MODEL" --dataset "$DEMO_DATA" --max-samples 300 --seed 7 --out no; one_error; says err.txt 'of other chats; give its --chat'
expect 2 "${STEER[@]}" seven --out no; one_error; says err.txt '--model is missing'
[ ! -e no ] || fail "refused, but something is left"

# texts that the run made itself
expect 0 "${RUN[@]}" --dataset synthetic --synthetic_topic sentiment --local --num_examples 60 --max-samples 80 --out made
expect 0 "${STEER[@]}" made
says err.txt '80 made the graphs, 40 are held out'
exit 0
