#!/usr/bin/env bash
# Help, versions, exit codes and messages of wrong command lines.
. "${0%/*}/lib.sh"

expect 2 "$GLINT"
expect 0 "$GLINT" --help;    says out.txt '^  run '
expect 0 "$GLINT" --version; says out.txt '^glint [0-9]+\.[0-9]+\.[0-9]+$'
expect 2 "$GLINT" nonsense;  one_error; says err.txt "no command 'nonsense'"

for command in run collect solve graph draw compare tokens trace info synth; do
    expect 0 "$GLINT" $command --help
    says out.txt 'Example:'
    expect 2 "$GLINT" $command --no-such-option
    one_error
done

# every option of `run` that takes a value or a switch states its default
expect 0 "$GLINT" run --help
for option in alpha degree batch-size max-samples max-tokens site layers pool seed threads dtype neurons skip-viz tol; do
    grep -A1 -E -- "--$option\b" out.txt | tr '\n' ' ' | grep -q 'default' || fail "--$option does not state its default"
done

# underscores and dashes are the same option
expect 2 "$GLINT" run --model x --dataset y --batch_size -1;          says err.txt 'batch-size must not be negative'
expect 2 "$GLINT" run --model x --dataset y --alpha nan;              one_error; says err.txt 'alpha'
expect 2 "$GLINT" run --model x --dataset y --alpha -0.1;             one_error
expect 2 "$GLINT" run --model x --dataset y --alpha 0.1 --degree 5;   says err.txt 'exclude each other'
expect 2 "$GLINT" run --dataset y;                                    says err.txt '--model is missing'
expect 2 "$GLINT" run --model "$DEMO_MODEL";                          says err.txt '--dataset is missing'
expect 1 "$GLINT" run --model "$DEMO_MODEL" --dataset nowhere;        one_error; says err.txt "no data set 'nowhere'"
expect 1 "$GLINT" run --model nowhere --dataset "$DEMO_DATA";         one_error; says err.txt "no model folder 'nowhere'"
expect 1 env HF_HOME="$WORK/hf" "$GLINT" info org/name;               one_error; says err.txt "$WORK/hf/hub"
expect 2 "$GLINT" run --model "$DEMO_MODEL" --dataset "$DEMO_DATA" --dtype f8;     one_error; says err.txt 'f32, bf16 or auto'
expect 2 "$GLINT" run --model "$DEMO_MODEL" --dataset "$DEMO_DATA" --site mlp.x;   one_error
expect 2 "$GLINT" run --model "$DEMO_MODEL" --dataset "$DEMO_DATA" --layers 99;    one_error
expect 2 "$GLINT" run --model "$DEMO_MODEL" --dataset "$DEMO_DATA" --pool middle;  one_error
expect 2 "$GLINT" solve --alpha 0.1;                                  one_error
[ ! -e results ] || fail "a wrong command line left a results folder"

# a hub id in the cache is found through refs/main
mkdir -p hf/hub/models--org--name/refs hf/hub/models--org--name/snapshots
printf abc >hf/hub/models--org--name/refs/main
ln -s "$DEMO_MODEL" hf/hub/models--org--name/snapshots/abc
expect 0 env HF_HOME="$WORK/hf" "$GLINT" info org/name;               says out.txt 'gemma3_text'

# the demo: where GLINT_DATA_DIR says, and nowhere else when it is set
expect 0 "$GLINT" info demo;                                          says out.txt 'gemma3_text'
expect 0 env GLINT_DATA_DIR="$SOURCE/data" "$GLINT" info demo;        says out.txt "$SOURCE/data/demo/model"
expect 1 env GLINT_DATA_DIR="$WORK/none" "$GLINT" info demo;          one_error; says err.txt "$WORK/none"

# output that cannot be written is a failure
if [ -e /dev/full ]; then
    "$GLINT" --help >/dev/full 2>err.txt && fail "writing help to a full device succeeded"
    says err.txt 'standard output'
fi
exit 0
