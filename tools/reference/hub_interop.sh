#!/usr/bin/env bash
# Does huggingface_hub read the cache that glint writes, and glint the one that huggingface_hub writes? Against tests/hub/server.py.
#
#     tools/reference/hub_interop.sh GLINT PYTHON      PYTHON: one that has huggingface_hub (1.x or 2.x)
#
# Needed only when the layout is touched; the layout itself is tested by tests/cli/test_fetch.sh. Last run: huggingface_hub 2.4.0, all checks passed.
set -eu
GLINT=$1 PYTHON=$2 SOURCE=$(cd "${0%/*}/../.." && pwd)
WORK=$(mktemp -d)
trap 'kill "$SERVER" 2>/dev/null || true; rm -rf "$WORK"' EXIT
mkdir -p "$WORK/root/models/tiny/one/main" "$WORK/root/models/tiny/one/v2"
cp "$SOURCE"/data/demo/model/* "$WORK/root/models/tiny/one/main/"
cp "$SOURCE"/data/demo/model/* "$WORK/root/models/tiny/one/v2/"
echo '{}' >"$WORK/root/models/tiny/one/v2/generation_config.json"
"$PYTHON" "$SOURCE/tests/hub/server.py" "$WORK/root" &
SERVER=$!
while [ ! -s "$WORK/root/port" ]; do sleep 0.1; done
HF_ENDPOINT=http://127.0.0.1:$(cat "$WORK/root/port")
export HF_ENDPOINT HF_HUB_DISABLE_TELEMETRY=1
layout() { (cd "$1" && find . \( -name .locks -o -name trees -o -name .no_exist \) -prune -o \( -type f -printf '%p %s\n' -o -type l -printf '%p -> %l\n' \) | sort); }
contents() { grep -c -e /cdn/ -e resolve-cache "$WORK/root/log.jsonl" || true; }

echo "== glint writes, Python reads"
ours=$(HF_HOME=$WORK/a "$GLINT" fetch tiny/one -q)
: >"$WORK/root/log.jsonl"
HF_HOME=$WORK/a "$PYTHON" - "$ours" <<'PY'
import sys
from huggingface_hub import __version__, snapshot_download, hf_hub_download, try_to_load_from_cache, scan_cache_dir
path = snapshot_download("tiny/one", local_files_only=True)
assert path == sys.argv[1], (path, sys.argv[1])
assert try_to_load_from_cache("tiny/one", "config.json") == path + "/config.json"
assert try_to_load_from_cache("tiny/one", "model.safetensors") == path + "/model.safetensors"
assert hf_hub_download("tiny/one", "tokenizer.json", local_files_only=True) == path + "/tokenizer.json"
assert snapshot_download("tiny/one") == path  # online: nothing to download
report = scan_cache_dir()
assert not report.warnings, report.warnings
assert [(r.repo_id, r.nb_files) for r in report.repos] == [("tiny/one", 6)], report
print("huggingface_hub", __version__, "reads", path)
PY
[ "$(contents)" -eq 0 ] || { echo "Python fetched what glint had fetched"; exit 1; }

echo "== Python writes, glint reads"
theirs=$(HF_HOME=$WORK/b "$PYTHON" -c 'from huggingface_hub import snapshot_download; print(snapshot_download("tiny/one"))' 2>/dev/null)
: >"$WORK/root/log.jsonl"
[ "$(HF_HOME=$WORK/b HF_HUB_OFFLINE=1 "$GLINT" fetch tiny/one)" = "$theirs" ]
[ "$(HF_HOME=$WORK/b "$GLINT" fetch tiny/one@"${theirs##*/}")" = "$theirs" ]
[ ! -s "$WORK/root/log.jsonl" ] || { echo "glint asked the server without need"; exit 1; }
[ "$(HF_HOME=$WORK/b "$GLINT" fetch tiny/one)" = "$theirs" ]
[ "$(contents)" -eq 0 ] || { echo "glint fetched what Python had fetched"; exit 1; }

echo "== the same layout"
layout "$WORK/a/hub" | grep -v CACHEDIR >"$WORK/ours"
layout "$WORK/b/hub" | grep -v CACHEDIR >"$WORK/theirs"
diff "$WORK/ours" "$WORK/theirs"

echo "== one cache, half of it by each: Python has the small files, glint adds the weights; another branch shares blobs"
HF_HOME=$WORK/c "$PYTHON" -c 'from huggingface_hub import snapshot_download; snapshot_download("tiny/one", revision="v2", allow_patterns=["*.json"])' 2>/dev/null
HF_HOME=$WORK/c "$GLINT" fetch tiny/one@v2 -q
HF_HOME=$WORK/c "$GLINT" fetch tiny/one -q
: >"$WORK/root/log.jsonl"
HF_HOME=$WORK/c "$PYTHON" -c 'from huggingface_hub import snapshot_download as s; s("tiny/one", revision="v2"); s("tiny/one"); s("tiny/one", revision="v2", local_files_only=True)' 2>/dev/null
[ "$(contents)" -eq 0 ] || { echo "something was fetched twice"; exit 1; }
echo "all as it should be"
