#!/usr/bin/env bash
# glint synth, and --dataset synthetic: grammars, a language model behind a local server, keys, resuming.
. "${0%/*}/lib.sh"
[ -x "$PYTHON" ] || skip "no $PYTHON"
export HF_HOME="$WORK/home" OMP_NUM_THREADS=1
unset http_proxy HTTP_PROXY all_proxy ALL_PROXY OPENAI_API_KEY OPENAI_BASE_URL

# grammars: matched pairs, the same from the same seed, a report beside them
expect 0 "$GLINT" synth --recipe refusal --local --n 400 --seed 5 --out a/refusal.jsonl
says out.txt '^a/refusal.jsonl$'
says err.txt 'a bag of words finds the label of [0-9]+ % of held-out texts \(chance 50 %\)'
expect 0 "$GLINT" synth --recipe refusal --local --n 400 --seed 5 --out b.jsonl --quiet --json
cmp -s a/refusal.jsonl b.jsonl || fail "the same seed wrote another file"
[ "$(json out.txt 'd["pairs"], d["generator"], d["left_out"]["refused"]')" = "(400, 'local', 0)" ] || fail "report of --json"
expect 0 "$GLINT" synth --recipe refusal --local --n 400 --seed 6 --out c.jsonl --quiet
cmp -s a/refusal.jsonl c.jsonl && fail "another seed wrote the same file"
expect 2 "$GLINT" synth --recipe refusal --local --n 0 --out none.jsonl; one_error; says err.txt 'at least 1 text'
expect 130 timeout --preserve-status -s INT 1 "$GLINT" synth --recipe refusal --local --n 100000000 --out none.jsonl
[ ! -e none.jsonl ] || fail "an interrupted synth left a file"
$PYTHON - a/refusal.jsonl a/refusal.leakage.json <<'PY' || fail "contents"
import collections, json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
report = json.load(open(sys.argv[2]))
assert len(rows) == 800 and len({r["text"] for r in rows}) == 800 and len({r["id"] for r in rows}) == 800
pairs = collections.defaultdict(list)
for row in rows:
    assert row["recipe"] == "refusal" and set(row) >= {"id", "text", "label", "pair", "recipe", "frame", "subject"}
    pairs[row["pair"]].append(row)
for pair in pairs.values():
    assert sorted(r["label"] for r in pair) == ["harmful", "harmless"] and pair[0]["frame"] == pair[1]["frame"]
    assert len(pair[0]["text"].split()) == len(pair[1]["text"].split())
assert report["frames"] >= 300 and len(report["verdict"]) == 4 and 0 <= report["bag_of_words"]["accuracy"] <= 1
words = next(f for f in report["surface"] if f["feature"] == "words")
assert abs(words["mean"]["harmful"] - sum(len(r["text"].replace(":", " ").replace(";", " ").split()) for r in rows if r["label"] == "harmful") / 400) < 0.5
PY
expect 0 "$GLINT" collect --model "$DEMO_MODEL" --layers 0 --dataset synthetic --synthetic_topic sentiment --local --num_examples 20 --out results --json
[ "$(json out.txt 'd["dataset"]["classes"], d["synthetic"]["pairs"]')" = "({'negative': 20, 'positive': 20}, 20)" ] || fail "--dataset synthetic --local"
[ -s results/synthetic.jsonl ] && [ -s results/synthetic.leakage.json ] || fail "the texts are not in the results folder"
# the texts of a results folder stay: taken again by the same request, not replaced by another one
cp results/synthetic.jsonl kept.jsonl
ONE=("$GLINT" collect --model "$DEMO_MODEL" --layers 0 --dataset synthetic --synthetic_topic sentiment --local --out results)
expect 0 "${ONE[@]}" --num_examples 20;            says err.txt 'made by the same request'; says err.txt 'nothing to run'
expect 1 "${ONE[@]}" --num_examples 20 --seed 1;   one_error; says err.txt 'another topic, number, seed or generator made; choose another --out'
expect 1 "${ONE[@]}" --num_examples 21;            one_error
expect 1 "${ONE[@]}" --num_examples 20 --force-regenerate; one_error; says err.txt '--force-regenerate would replace'
cmp -s results/synthetic.jsonl kept.jsonl || fail "the texts of finished moments were replaced"

# wrong command lines
expect 2 env OMPI_COMM_WORLD_SIZE=2 "$GLINT" collect --model "$DEMO_MODEL" --dataset synthetic --synthetic_topic sentiment --local --out none; one_error
expect 2 "$GLINT" synth --out x.jsonl;                                          one_error; says err.txt 'a recipe \(sentiment, refusal'
expect 2 "$GLINT" synth --recipe nonsense --local --out x.jsonl;                one_error; says err.txt "no recipe 'nonsense'"
expect 2 "$GLINT" synth --topic jazz --local --out x.jsonl;                     one_error; says err.txt 'topic of your own needs a language model'
expect 2 "$GLINT" synth --topic jazz --out x.jsonl;                             one_error; says err.txt '\(--model\)'
expect 2 "$GLINT" synth --topic jazz --contrast Jazz --model m --out x.jsonl;   one_error; says err.txt 'named twice'
expect 2 "$GLINT" synth --compare_topics jazz --model m --out x.jsonl;          one_error; says err.txt 'two topics'
expect 2 "$GLINT" synth --recipe refusal --topic jazz --model m --out x.jsonl;  one_error; says err.txt 'exclude each other'
expect 2 "$GLINT" synth --recipe refusal --local --n -1 --out x.jsonl;          one_error
expect 2 "$GLINT" synth --recipe refusal --local;                               one_error; says err.txt '--out is missing'
expect 1 "$GLINT" synth --topic jazz --model m --api-key-file none --out x.jsonl; one_error; says err.txt "'?none'?"
expect 2 "$GLINT" collect --model "$DEMO_MODEL" --dataset synthetic --synthetic_topic jazz --out none; one_error; says err.txt '\(--synth-model\)'
[ ! -e none ] && [ ! -e x.jsonl ] || fail "a wrong command line left something"

expect 2 "$GLINT" synth --topic jazz --generator nobody --out x.jsonl;          one_error; says err.txt 'chat, local or glint:MODEL'
expect 1 "$GLINT" synth --topic jazz --n 1 --generator glint:demo --out x.jsonl; one_error; says err.txt 'no chat template'; says err.txt '0 of 1 sets'
expect 1 "$GLINT" synth --topic jazz --n 1 --generator glint:nowhere --out x.jsonl; one_error; says err.txt "no model folder 'nowhere'"
[ ! -e x.jsonl ] || fail "an output was written without texts"

# a dry run needs neither key nor server
expect 0 "$GLINT" synth --topic 'Golden Gate Bridge' --contrast 'other bridges' --n 15 --dry-run
says out.txt '^# request 2$'; says out.txt '"a" is a text about Golden Gate Bridge'

mkdir chat
$PYTHON "$SOURCE/tests/synth/chat_server.py" chat & SERVER=$!
trap 'kill $SERVER 2>/dev/null; rm -rf "$WORK"' EXIT
for _ in $(seq 200); do [ -s chat/port ] && break; sleep 0.05; done
[ -s chat/port ] || fail "the server did not start"
URL="http://127.0.0.1:$(cat chat/port)/v1"
KEY=sk-private-0123456789
requests() { grep -c "$1" chat/log.jsonl; }

# killed after some answers: they are not paid for again
echo '[{"do": "slow", "seconds": 0.3}]' >chat/faults.json
ASK=("$GLINT" synth --topic jazz --contrast opera --n 60 --model big --base-url "$URL" --parallel 1 --price-in 1 --price-out 2 --out jazz.jsonl)
OPENAI_API_KEY=$KEY "${ASK[@]}" >/dev/null 2>err.txt & pid=$!
for _ in $(seq 200); do [ "$(ls home/glint/synth 2>/dev/null | wc -l)" -ge 2 ] && break; sleep 0.05; done
kill -9 $pid; wait $pid 2>/dev/null
[ ! -e jazz.jsonl ] || fail "a killed run left its output"
before=$(ls home/glint/synth/*.json | wc -l)
echo '[]' >chat/faults.json
expect 0 env OPENAI_API_KEY=$KEY "${ASK[@]}"
says err.txt "$((6 - before)) requests, $before answers from the cache"
says err.txt 'cost 0\.0'
[ "$(wc -l <jazz.jsonl)" -eq 120 ] || fail "not all texts"
expect 0 env OPENAI_API_KEY=$KEY "${ASK[@]}" --force_regenerate
says err.txt '6 requests, 0 answers from the cache'

# Ctrl-C
echo '[{"do": "stall", "seconds": 60}]' >chat/faults.json
OPENAI_API_KEY=$KEY "$GLINT" synth --topic tea --contrast coffee --model big --base-url "$URL" --out tea.jsonl >/dev/null 2>err.txt & pid=$!
sleep 0.5; kill -INT $pid; wait $pid; code=$?
[ $code -eq 130 ] || { cat err.txt >&2; fail "exit code $code instead of 130 on Ctrl-C"; }
[ ! -e tea.jsonl ] || fail "an interrupted run left its output"
echo '[]' >chat/faults.json

# the original's forms, the key out of a file
echo $KEY >key.txt
expect 0 "$GLINT" collect --model "$DEMO_MODEL" --layers 0 --dataset synthetic --compare_topics jazz 'chamber music' chess --num_examples 10 --synth-model big --base-url "$URL" \
    --api-key-file key.txt --out three --json
[ "$(json out.txt 'd["dataset"]["classes"]')" = "{'chamber music': 10, 'chess': 10, 'jazz': 10}" ] || fail "--compare_topics"
expect 1 env OPENAI_API_KEY=wrong "$GLINT" synth --topic sea --model big --base-url "${URL%v1}v2" --out sea.jsonl; one_error; says err.txt 'ends in /v1'
echo '[{"do": "echo_key"}]' >chat/faults.json
expect 1 "$GLINT" synth --topic sea --model big --base-url "$URL" --api-key-file key.txt --out sea.jsonl
one_error; says err.txt 'provided: \(the API key\)'
says chat/log.jsonl "Bearer $KEY"
grep -rl --exclude-dir=chat --exclude=key.txt -e "sk-private" . && fail "the key is in a file"
nothing_left .
exit 0
