# Helpers of the command-line tests. Each test runs in a private folder that is removed afterwards.
#   GLINT       the program          SOURCE   the repository       SHARED   reference data, may be missing
set -u
export HF_HUB_OFFLINE=1 # no test may touch the network; test_fetch.sh speaks to a server of its own
: "${GLINT:?}" "${SOURCE:?}" "${SHARED:?}"
DEMO_MODEL=$SOURCE/data/demo/model
DEMO_DATA=$SOURCE/data/demo/reviews.jsonl
PYTHON=/usr/bin/python3
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
cd "$WORK" || exit 1

fail() { echo "FAIL: $*" >&2; exit 1; }
skip() { echo "SKIP: $*"; exit 77; }

# expect CODE COMMAND...: runs it, output to out.txt and err.txt, and compares the exit code.
expect() {
    local want=$1 code=0
    shift
    "$@" >out.txt 2>err.txt || code=$?
    [ "$code" -eq "$want" ] || { cat err.txt >&2; fail "exit code $code instead of $want: $*"; }
}
# says FILE PATTERN: the file contains the extended regular expression.
says() { grep -Eq -- "$2" "$1" || { cat "$1" >&2; fail "$1 does not say /$2/"; }; }
# one_error: the last command printed exactly one line that starts with "glint: ".
one_error() { [ "$(grep -c '^glint: ' err.txt)" -eq 1 ] || { cat err.txt >&2; fail "not exactly one error line"; }; }
# json FILE EXPRESSION: evaluates a Python expression with the file's content as `d`.
json() { $PYTHON -c 'import json,sys; d=json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"; }
# nothing_left FOLDER: no temporary files remain.
nothing_left() { local found; found=$(find "$1" -name '.*' -mindepth 1 ! -name '.partial' ! -name '.glint' | head -n 3); [ -z "$found" ] || fail "left behind: $found"; }
