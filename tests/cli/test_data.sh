#!/usr/bin/env bash
# Data sets by name, from a local server that speaks the rows API: cached, resumed after a kill, shared by two processes.
. "${0%/*}/lib.sh"
[ -x "$PYTHON" ] || skip "no $PYTHON"

mkdir -p hub/datasets
$PYTHON - <<'PY'
import json
text, label = {"name": "text", "type": {"dtype": "string", "_type": "Value"}}, {"name": "label", "type": {"names": ["neg", "pos"], "_type": "ClassLabel"}}
def rows(n): return [{"text": f"review number {i} is {'good' if 2 * i >= n else 'bad'}", "label": int(2 * i >= n)} for i in range(n)]
json.dump({"plain_text": {"train": {"features": [text, label], "rows": rows(900)}, "test": {"features": [text, label], "rows": rows(300)}}},
          open("hub/datasets/stanfordnlp--imdb.json", "w"))
PY
$PYTHON "$SOURCE/tests/hub/server.py" hub & SERVER=$!
trap 'kill $SERVER 2>/dev/null; rm -rf "$WORK"' EXIT
for _ in $(seq 200); do [ -s hub/port ] && break; sleep 0.05; done
[ -s hub/port ] || fail "the server did not start"
export GLINT_DATASETS_SERVER="http://127.0.0.1:$(cat hub/port)" HF_HOME="$WORK/home" OMP_NUM_THREADS=1
unset http_proxy HTTP_PROXY all_proxy ALL_PROXY HF_HUB_OFFLINE HF_TOKEN
CACHE=$HF_HOME/glint/datasets/stanfordnlp--imdb/plain_text
COLLECT=("$GLINT" collect --model "$DEMO_MODEL" --layers 0 --max-tokens 16)
requests() { grep -c "$1" hub/log.jsonl; }

# the original's spelling; a sample comes from both ends of a split that is sorted by label
expect 0 "${COLLECT[@]}" --dataset imdb --max_samples 40 --out sample --json
says err.txt "'imdb' is stanfordnlp/imdb"
says err.txt 'text is column "text", label is column "label" \(guessed'
[ "$(json out.txt 'd["dataset"]["classes"]')" = "{'neg': 20, 'pos': 20}" ] || fail "the sample is not even: $(json out.txt 'd["dataset"]["classes"]')"
[ "$(requests '"/rows')" -le 5 ] || fail "a sample of 40 took $(requests '"/rows') requests"

# killed in the middle: what had come is kept, and the same command goes on there
echo '[{"path": "offset=[1-9]", "do": "slow", "rate": 12000}]' >hub/faults.json
"${COLLECT[@]}" --dataset stanfordnlp/imdb --out whole >out.txt 2>err.txt & pid=$!
for _ in $(seq 400); do [ "$(cat "$CACHE/train.jsonl.part" 2>/dev/null | wc -l)" -ge 200 ] && break; sleep 0.05; done
kill -9 $pid; wait $pid 2>/dev/null
[ -s "$CACHE/train.jsonl.part" ] || fail "nothing was kept of a killed fetch"
[ ! -e "$CACHE/train.jsonl" ] || fail "an unfinished fetch has the final name"
echo '[]' >hub/faults.json
expect 0 "${COLLECT[@]}" --dataset stanfordnlp/imdb --out whole --json
says err.txt 'going on behind the [2-8]00 rows'
[ "$(json out.txt 'd["dataset"]["texts"]')" = 900 ] || fail "not all texts after resuming"
[ ! -e "$CACHE/train.jsonl.part" ] || fail "the part file stayed"
# offline, out of the cache
expect 0 env HF_HUB_OFFLINE=1 "$GLINT" collect --model "$DEMO_MODEL" --layers 0 --dataset imdb:train --max-samples 8 --out offline
expect 1 env HF_HUB_OFFLINE=1 "$GLINT" collect --model "$DEMO_MODEL" --layers 0 --dataset imdb:test --max-samples 8 --out none
one_error; says err.txt 'HF_HUB_OFFLINE'

# two at once fetch once
echo '[{"path": "split=test.*offset=", "do": "slow", "rate": 20000}]' >hub/faults.json
before=$(requests '"/rows.*split=test')
"${COLLECT[@]}" --dataset imdb:test --out a >/dev/null 2>a.txt & one=$!
"${COLLECT[@]}" --dataset imdb:test --out b >/dev/null 2>b.txt & two=$!
wait $one || { cat a.txt >&2; fail "the first of two"; }
wait $two || { cat b.txt >&2; fail "the second of two"; }
[ $(( $(requests '"/rows.*split=test') - before )) -le 5 ] || fail "two processes fetched the same pages twice"
echo '[]' >hub/faults.json

# Ctrl-C while waiting for the server
echo '[{"path": "/splits", "do": "stall", "after": 5, "seconds": 60}]' >hub/faults.json
HF_HOME=$WORK/other "${COLLECT[@]}" --dataset imdb --out c >/dev/null 2>err.txt & pid=$!
sleep 0.5; kill -INT $pid; wait $pid; code=$?
[ $code -eq 130 ] || { cat err.txt >&2; fail "exit code $code instead of 130 on Ctrl-C"; }
echo '[]' >hub/faults.json

# names that are none
expect 1 "${COLLECT[@]}" --dataset imbd --out none;              one_error; says err.txt "did you mean 'imdb' \(stanfordnlp/imdb\)"
expect 1 "${COLLECT[@]}" --dataset some/folder --out none;       one_error; says err.txt "no file or folder 'some/folder', and on the hub"
expect 1 "${COLLECT[@]}" --dataset some/file.csv --out none;     one_error; says err.txt "no data set 'some/file.csv'"
expect 1 "${COLLECT[@]}" --dataset imdb --label-column stars --out none; one_error; says err.txt 'no column "stars".*text \(string\), label \(classes\)'
printf 'PAR1' >data.parquet
expect 1 "${COLLECT[@]}" --dataset data.parquet --out none;      one_error; says err.txt 'Parquet.*pandas.read_parquet'
expect 1 env GLINT_DATASETS_SERVER=http://127.0.0.1:1 HF_HOME="$WORK/fresh" "$GLINT" collect --model "$DEMO_MODEL" --dataset imdb --out none
one_error; says err.txt 'aclImdb_v1.tar.gz'
[ ! -e none ] || fail "a refused data set left a results folder"
exit 0
