#!/usr/bin/env bash
# glint fetch, and hub names in other commands, against tests/hub/server.py: the cache's layout, and everything that can go wrong on the way.
. "${0%/*}/lib.sh"
[ -x "$PYTHON" ] || skip "no python3 to run the test server"
for name in HF_HUB_OFFLINE TRANSFORMERS_OFFLINE HF_TOKEN HUGGING_FACE_HUB_TOKEN HF_TOKEN_PATH HF_HUB_CACHE HUGGINGFACE_HUB_CACHE TRANSFORMERS_CACHE \
            HF_HUB_DISABLE_IMPLICIT_TOKEN http_proxy all_proxy ALL_PROXY; do unset "$name"; done

ROOT=$WORK/root
LOG=$ROOT/log.jsonl
new_repository() { mkdir -p "$ROOT/models/$1/main"; cp "$DEMO_MODEL"/*.json "$ROOT/models/$1/main/"; cp "$WORK/weights" "$ROOT/models/$1/main/model.safetensors"; }
$PYTHON -c 'import random, sys; random.seed(1); sys.stdout.buffer.write(random.randbytes(300000))' >weights
new_repository tiny/one
mkdir "$ROOT/models/tiny/one/main/onnx"
for extra in README.md pytorch_model.bin consolidated.safetensors model.gguf onnx/model.onnx; do echo x >"$ROOT/models/tiny/one/main/$extra"; done
$PYTHON "$SOURCE/tests/hub/server.py" "$ROOT" 2>server.txt &
SERVER=$!
trap 'kill "$SERVER" 2>/dev/null; rm -rf "$WORK"' EXIT
for _ in $(seq 300); do [ -s "$ROOT/port" ] && break; sleep 0.1; done
export HF_ENDPOINT=http://127.0.0.1:$(cat "$ROOT/port") HF_HOME=$WORK/hf
HUB=$HF_HOME/hub
# faults JSON: how the server misbehaves from now on; empties the log.
faults() { echo "$1" >"$ROOT/faults.new"; mv "$ROOT/faults.new" "$ROOT/faults.json"; : >"$LOG"; }
asked() { grep -c -E -- "$1" "$LOG"; }
# fresh: forgets the cache.
fresh() { rm -rf "$HF_HOME"; faults "${1:-[]}"; }
fetched() { cmp -s "$HUB/models--tiny--one/snapshots/"*/model.safetensors weights || fail "the weights are not what the server has"; }

# ---- what is fetched, and the layout
fresh
expect 0 "$GLINT" fetch tiny/one --dry-run
says out.txt '^300000	to fetch	model.safetensors$'
[ "$(wc -l <out.txt)" -eq 6 ] || fail "a dry run lists six files"
[ ! -e "$HF_HOME" ] || fail "a dry run wrote something"
expect 0 "$GLINT" fetch tiny/one
SNAPSHOT=$(cat out.txt)
COMMIT=${SNAPSHOT##*/}
fetched
[ "$SNAPSHOT" = "$HUB/models--tiny--one/snapshots/$COMMIT" ] || fail "standard output is not the path of the snapshot"
[ "$(cat "$HUB/models--tiny--one/refs/main")" = "$COMMIT" ] || fail "refs/main"
$PYTHON - "$HUB" "$COMMIT" "$ROOT/models/tiny/one/main" <<'PY' || fail "the layout is not the one of huggingface_hub"
import hashlib, os, pathlib, sys
hub, commit, source = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
repo = hub / "models--tiny--one"
want = {"config.json", "generation_config.json", "model.safetensors", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"}
snapshot = repo / "snapshots" / commit
assert {p.name for p in snapshot.iterdir()} == want, list(snapshot.iterdir())
blobs = set()
for name in want:
    data = (source / name).read_bytes()
    large = name == "model.safetensors" or len(data) >= 65536  # as server.py decides
    etag = hashlib.sha256(data).hexdigest() if large else hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    assert os.readlink(snapshot / name) == f"../../blobs/{etag}", os.readlink(snapshot / name)
    assert (repo / "blobs" / etag).read_bytes() == data
    assert (hub / ".locks" / "models--tiny--one" / f"{etag}.lock").exists()
    blobs.add(etag)
assert {p.name for p in (repo / "blobs").iterdir()} == blobs
assert {p.name for p in repo.iterdir()} == {"blobs", "refs", "snapshots"}
assert (repo / "refs" / "main").read_bytes() == commit.encode()
assert {p.name for p in hub.iterdir()} == {"models--tiny--one", ".locks", "CACHEDIR.TAG"}
PY
expect 0 "$GLINT" fetch tiny/one --json --cache-dir "$WORK/elsewhere"
[ "$(json out.txt 'd["commit"], d["bytes"] == d["bytes_not_cached"] > 300000, len(d["files"])')" = "('$COMMIT', True, 6)" ] || fail "--json"
[ -e "$WORK/elsewhere/models--tiny--one/refs/main" ] || fail "--cache-dir"

# ---- what is here is not fetched again; a commit and offline need no server at all
faults '[]'
expect 0 "$GLINT" fetch tiny/one; [ "$(asked resolve)" -eq 0 ] || fail "fetched what was there"; [ "$(asked /api/)" -eq 1 ] || fail "a branch must be looked up once"
faults '[]'
expect 0 "$GLINT" fetch "tiny/one@$COMMIT";                [ "$(cat out.txt)" = "$SNAPSHOT" ] || fail "by commit"
expect 0 env HF_HUB_OFFLINE=yes "$GLINT" fetch tiny/one;   [ "$(cat out.txt)" = "$SNAPSHOT" ] || fail "offline"
expect 1 env HF_HUB_OFFLINE=1 "$GLINT" fetch tiny/two;     one_error; says err.txt 'HF_HUB_OFFLINE is set'
expect 1 env HF_HUB_OFFLINE=1 "$GLINT" fetch tiny/one@v9;  one_error
[ ! -s "$LOG" ] || fail "HF_HUB_OFFLINE or a commit asked the server"
expect 0 env HF_ENDPOINT=http://127.0.0.1:1 "$GLINT" fetch tiny/one
[ "$(cat out.txt)" = "$SNAPSHOT" ] || fail "no network, but in the cache"
says err.txt 'warning: cannot reach .*going on with commit'
expect 1 env HF_ENDPOINT=http://127.0.0.1:1 "$GLINT" fetch tiny/two
one_error; says err.txt 'HF_ENDPOINT.*HF_HUB_OFFLINE.*local model folder'
faults '[{"path": "/api/", "do": "status", "status": 503, "headers": {"Retry-After": "100000"}}]'
expect 0 "$GLINT" fetch tiny/one;                          says err.txt '503.*going on with commit'
# a blob that was cut short behind our back is mended
faults '[]'
truncate -s 1000 "$(readlink -f "$SNAPSHOT/model.safetensors")"
expect 0 "$GLINT" fetch tiny/one; fetched
# partial, offline: says what is missing
rm "$SNAPSHOT/model.safetensors"
expect 1 env HF_HUB_OFFLINE=1 "$GLINT" fetch tiny/one;     one_error; says err.txt 'only in part, model.safetensors is missing'

# ---- other commands fetch by themselves; tokens without the weights
new_repository tiny/demo; cp "$DEMO_MODEL/model.safetensors" "$ROOT/models/tiny/demo/main/"
fresh
expect 0 "$GLINT" tokens --model tiny/demo --text 'A fine film.'; [ "$(asked model.safetensors)" -eq 0 ] || fail "tokens fetched the weights"
expect 0 "$GLINT" info tiny/demo;                          says out.txt gemma3_text; says out.txt "$HUB/models--tiny--demo/snapshots/"
expect 0 "$GLINT" trace --model tiny/demo --text x --site mlp.hook_post --out t.safetensors
[ "$(asked '/cdn/.*model.safetensors')" -eq 1 ] || fail "the weights were fetched more than once"

# a token leaves no trace in the results
expect 0 env HF_TOKEN=hf_in_no_result "$GLINT" run --model tiny/demo --dataset demo --max-samples 60 --skip-viz --degree 2 --layers 0 --neurons 20 --out results
[ "$(asked hf_in_no_result)" -ge 1 ] || fail "the token was not sent"
grep -rq hf_in_no_result results out.txt err.txt && fail "a token stands in the results"

# ---- shards, other revisions, renamed repositories, servers whose listing lacks hashes
new_repository tiny/shards; S=$ROOT/models/tiny/shards/main; rm "$S/model.safetensors"
echo '{"metadata": {}, "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors", "c": "model-00001-of-00002.safetensors"}}' >"$S/model.safetensors.index.json"
for k in 1 2; do echo "shard $k" >"$S/model-0000$k-of-00002.safetensors"; done; echo x >"$S/extra.safetensors"
fresh
expect 0 "$GLINT" fetch tiny/shards --dry-run; says out.txt 'model-00001-of-00002'; [ ! -e "$HF_HOME" ] || fail "a dry run of shards wrote something"
expect 0 "$GLINT" fetch tiny/shards
[ "$(cat "$(cat out.txt)"/model-0000*)" = "$(printf 'shard 1\nshard 2')" ] || fail "shards"
[ ! -e "$(cat out.txt)/extra.safetensors" ] || fail "a file that the index does not name was fetched"
rm "$(cat out.txt)/model-00002-of-00002.safetensors"
expect 1 env HF_HUB_OFFLINE=1 "$GLINT" fetch tiny/shards;  says err.txt 'model-00002-of-00002.safetensors is missing'
for bad in '"../../x.safetensors"' '"model.bin"' '"absent.safetensors"' 3; do
    echo "{\"weight_map\": {\"a\": $bad}}" >"$S/model.safetensors.index.json"
    expect 1 "$GLINT" fetch tiny/shards; one_error; says err.txt "index.json of 'tiny/shards'"
done
cp -r "$ROOT/models/tiny/one/main" "$ROOT/models/tiny/one/refs%2Fpr%2F1"; echo '{}' >"$ROOT/models/tiny/one/refs%2Fpr%2F1/generation_config.json"
fresh
expect 0 "$GLINT" fetch tiny/one@refs/pr/1
[ "$(cat "$HUB/models--tiny--one/refs/refs/pr/1")" = "$(basename "$(cat out.txt)")" ] || fail "a revision with slashes"
expect 0 "$GLINT" fetch tiny/one; [ "$(asked /cdn/.*model.safetensors)" -eq 1 ] || fail "two revisions must share the weights"
mkdir -p "$ROOT/models/old/name"; echo tiny/one >"$ROOT/models/old/name/.moved"
expect 0 "$GLINT" fetch old/name;                          says out.txt models--old--name
fresh '[{"path": "/api/models/", "do": "noblobs"}]'
expect 0 "$GLINT" fetch tiny/one; fetched; [ "$(asked '"HEAD".*/resolve/')" -eq 6 ] || fail "without hashes in the listing, each file is asked for its own"

# ---- what is refused, and how it is said
mkdir -p "$ROOT/models/tiny/bin/main"; cp "$DEMO_MODEL/config.json" "$ROOT/models/tiny/bin/main/"; echo x >"$ROOT/models/tiny/bin/main/pytorch_model.bin"
fresh
expect 1 "$GLINT" fetch tiny/bin;                          one_error; says err.txt 'no model.safetensors, only the likes of pytorch_model.bin'
expect 1 "$GLINT" fetch tiny/none;                         one_error; says err.txt "no model 'tiny/none'.*HF_TOKEN"
expect 1 "$GLINT" fetch google/gemma3-1.1b;                one_error; says err.txt "did you mean 'google/gemma-3-1b-pt'"
expect 1 "$GLINT" info gemma-3-1b-pt;                      one_error; says err.txt "did you mean 'google/gemma-3-1b-pt'"
expect 1 "$GLINT" info gpt2;                               one_error; says err.txt "did you mean 'openai-community/gpt2'"
expect 2 "$GLINT" fetch pythia-70m;                        one_error; says err.txt "did you mean 'EleutherAI/pythia-70m'"
expect 1 "$GLINT" fetch tiny/one@none;                     one_error; says err.txt "no revision 'none'"
for bad in a ../x a/.. a/b/c /etc/x 'a/b@../../c' 'a/b@' 'a/b c' ''; do expect 2 "$GLINT" fetch "$bad"; one_error; done
expect 2 "$GLINT" fetch;                                   one_error
fresh '[{"path": "config.json", "do": "status", "status": 404, "headers": {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}}]'
expect 1 "$GLINT" fetch tiny/one;                          one_error; says err.txt '404 .not found.: Entry not found'
fresh '[{"path": "/api/", "do": "status", "status": 200, "body": "<html>Log in to the airport</html>"}]'
expect 1 "$GLINT" fetch tiny/one;                          one_error; says err.txt 'no JSON'
fresh '[{"path": "/api/", "do": "status", "status": 200, "body": "{\"sha\": \"../../..\", \"siblings\": []}"}]'
expect 1 "$GLINT" fetch tiny/one;                          one_error; says err.txt 'not what a Hugging Face hub says'

# ---- gated models and tokens: never printed, never sent to another host
new_repository tiny/gated; touch "$ROOT/models/tiny/gated/.gated"
fresh
expect 1 "$GLINT" fetch tiny/gated;                        one_error; says err.txt "gated: accept its licence at $HF_ENDPOINT/tiny/gated, then set HF_TOKEN"
expect 1 env HF_TOKEN=hf_bad_one "$GLINT" fetch tiny/gated; one_error; says err.txt "may not read it.*$HF_ENDPOINT/tiny/gated"
[ -z "$(grep hf_bad_one err.txt out.txt)" ] || fail "a token was printed"
expect 0 env HF_TOKEN=' hf_good ' "$GLINT" fetch tiny/gated
rm -rf "$HUB"; mkdir -p "$HF_HOME"; echo hf_good >"$HF_HOME/token"
expect 0 "$GLINT" fetch tiny/gated
[ "$(asked 'hf_good')" -gt 4 ] || fail "the token was not sent"
[ "$(asked '"host": "localhost.*hf_')" -eq 0 ] || fail "the token went to another host"
[ "$(asked '"host": "localhost.*/cdn/|/cdn/.*"host": "localhost')" -gt 1 ] || fail "the content was to come from another host"
rm -rf "$HUB"
expect 0 env HF_HUB_DISABLE_IMPLICIT_TOKEN=1 "$GLINT" fetch tiny/one
expect 2 env HF_TOKEN='hf_a
X-Evil: hf_b' "$GLINT" fetch tiny/one;                     one_error; says err.txt 'HF_TOKEN holds'
[ -z "$(grep -E 'hf_a|hf_b' err.txt)" ] || fail "a token was printed"
fresh '[{"path": "/api/", "do": "status", "status": 401, "body": "{\"error\": \"Invalid credentials in Authorization header\"}"}]'
expect 1 env HF_TOKEN=hf_expired "$GLINT" fetch tiny/one;  one_error; says err.txt 'does not accept the token'; [ -z "$(grep hf_expired err.txt)" ] || fail "a token was printed"

# ---- connections that fail on the way
fresh '[{"path": "/cdn/.*safetensors", "do": "cut", "after": 100000, "times": 2}, {"path": "/api/", "do": "drop", "times": 1},
        {"path": "config.json", "do": "status", "status": 429, "times": 1, "headers": {"Retry-After": "1"}}]'
expect 0 "$GLINT" fetch tiny/one; fetched
[ "$(asked 'bytes=100000-')" -ge 1 ] && [ "$(asked 'bytes=200000-')" -ge 1 ] || fail "cut connections must be continued where they were cut"
fresh '[{"path": "/cdn/.*safetensors", "do": "stall", "after": 50000, "seconds": 60, "times": 1}]'
expect 0 env HF_HUB_DOWNLOAD_TIMEOUT=2 "$GLINT" fetch tiny/one; fetched
fresh '[{"path": "/cdn/.*safetensors", "do": "flip", "after": 1234}]'
expect 1 "$GLINT" fetch tiny/one; one_error; says err.txt "'model.safetensors'.*does not have the hash"
[ -z "$(find "$HUB" -name '*.incomplete' -o -name model.safetensors -o -path '*/refs/main')" ] || fail "a wrong hash left something behind"
fresh '[{"path": "/resolve-cache/.*config.json", "do": "flip", "after": 5}]'
expect 1 "$GLINT" fetch tiny/one; one_error; says err.txt 'does not have the hash' # small files by their git blob id
fresh '[{"path": "/cdn/.*safetensors", "do": "short", "after": 10}]'
expect 1 "$GLINT" fetch tiny/one; one_error; says err.txt '299990 bytes, 300000 were expected'
fresh '[{"path": "/api/models/", "do": "listing", "file": "model.safetensors", "set": {"lfs": {"sha256": "../../../evil", "size": 300000}}}]'
expect 0 "$GLINT" fetch tiny/one; fetched # a hash that is none is asked for again, of the file itself

# ---- kill -9, and an .incomplete that is something else
PARTIAL=$HUB/models--tiny--one/blobs/$(sha256sum weights | cut -d ' ' -f 1).incomplete
# hold: starts a fetch that hangs once 100,000 bytes of the weights have come; its process is $PID.
hold() {
    fresh '[{"path": "/cdn/.*safetensors", "do": "stall", "after": 100000, "seconds": 600, "times": 1}]'
    HF_HUB_DOWNLOAD_TIMEOUT=600 "$GLINT" fetch tiny/one >/dev/null 2>err.txt &
    PID=$!
    for _ in $(seq 600); do [ "$(stat -c %s "$PARTIAL" 2>/dev/null || echo 0)" -eq 100000 ] && return; sleep 0.05; done
    fail "the weights did not begin to come"
}
hold
kill -9 $PID; wait $PID 2>/dev/null
[ "$(stat -c %s "$PARTIAL")" -eq 100000 ] || fail "a killed fetch leaves no .incomplete"
[ ! -e "$HUB/models--tiny--one/refs/main" ] || fail "a ref to a snapshot that is not whole"
expect 0 "$GLINT" fetch tiny/one; fetched
[ "$(asked "bytes=100000-")" -ge 1 ] || fail "the killed fetch was not continued"
[ ! -e "$PARTIAL" ] || fail "the .incomplete file is still there"
BLOB=$(readlink -f "$HUB/models--tiny--one/snapshots/"*/model.safetensors)
rm "$BLOB"; head -c 5000 /dev/zero >"$BLOB.incomplete"
faults '[]'
expect 0 "$GLINT" fetch tiny/one; fetched
[ "$(asked 'bytes=5000-')" -ge 1 ] || fail "the .incomplete file was not tried"
rm "$BLOB"; head -c 5000 weights >"$BLOB.incomplete"
faults '[{"path": "/cdn/", "do": "norange"}]'
expect 0 "$GLINT" fetch tiny/one; fetched

# ---- Ctrl-C
hold
kill -TERM $PID; code=0; wait $PID || code=$?
[ "$code" -eq 130 ] || fail "an interrupted fetch ends with $code"
one_error
expect 0 "$GLINT" fetch tiny/one; fetched
[ "$(asked 'bytes=100000-')" -ge 1 ] || fail "the interrupted fetch was not continued"

# ---- several at once: each succeeds, the weights come once
fresh '[{"path": "/cdn/.*safetensors", "do": "slow", "rate": 300000}]'
PIDS=
for k in 1 2 3 4; do "$GLINT" fetch tiny/one >many$k.txt 2>many$k.err & PIDS="$PIDS $!"; done
for pid in $PIDS; do wait "$pid" || { cat many*.err >&2; fail "one of four fetches at once failed"; }; done
fetched
[ "$(cat many?.txt | sort -u | wc -l)" -eq 1 ] || fail "four fetches gave different paths"
[ "$(asked '/cdn/.*model.safetensors')" -eq 1 ] || fail "four fetches at once downloaded the weights more than once"
[ -z "$(find "$HUB" -name '*.incomplete' -o -name '*.tmp' -o -name '.glint*')" ] || fail "something was left behind"

# ---- https: the certificate must be trusted, and the way never leads back to http
command -v openssl >/dev/null || { echo "no openssl command: https is not tested"; exit 0; }
# the chat template of older multimodal models comes along, and does without a server afterwards
new_repository tiny/chat; echo '{}' >"$ROOT/models/tiny/chat/main/added_tokens.json"
echo '{"chat_template": "{% for message in messages %}{{'"'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'"'}}{% endfor %}{% if add_generation_prompt %}{{ '"'<|im_start|>assistant\\n'"' }}{% endif %}"}' \
    >"$ROOT/models/tiny/chat/main/chat_template.json"
fresh
expect 0 "$GLINT" tokens --model tiny/chat --chat --text Hi; cp out.txt online.txt
[ -e "$HUB"/models--tiny--chat/snapshots/*/added_tokens.json ] || fail "added_tokens.json, which a tokenizer.model needs"
faults '[]'
expect 0 env HF_HUB_OFFLINE=1 "$GLINT" tokens --model tiny/chat --chat --text Hi; cmp -s out.txt online.txt || fail "a chat offline"
expect 0 "$GLINT" tokens --model "$DEMO_MODEL" --chat-format chatml --text Hi; cmp -s out.txt online.txt || fail "the chat template of chat_template.json"
[ ! -s "$LOG" ] || fail "offline asked the server"

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1,DNS:localhost -keyout key.pem -out cert.pem 2>/dev/null ||
    fail "openssl makes no certificate"
cat key.pem cert.pem >both.pem
kill "$SERVER"; rm "$ROOT/port"
$PYTHON "$SOURCE/tests/hub/server.py" "$ROOT" --cert both.pem 2>server.txt &
SERVER=$!
for _ in $(seq 300); do [ -s "$ROOT/port" ] && break; sleep 0.1; done
export HF_ENDPOINT=https://127.0.0.1:$(cat "$ROOT/port")
fresh
expect 1 "$GLINT" fetch tiny/one;                          one_error; says err.txt 'certificate is not trusted.*CURL_CA_BUNDLE'
export CURL_CA_BUNDLE=$WORK/cert.pem
expect 0 "$GLINT" fetch tiny/one; fetched
fresh '[{"path": "/api/", "do": "status", "status": 302, "headers": {"Location": "http://127.0.0.1:1/"}}]'
expect 1 "$GLINT" fetch tiny/one;                          one_error; says err.txt 'from https to http'
exit 0
