#!/usr/bin/env bash
# glint solve on what glint collect left: what moments alone can give, n of texts, classes together, and glint run with the same options.
. "${0%/*}/lib.sh"
SITE=blocks.1.mlp.hook_post
FEW="--max-samples 120 --layers 1 --max-tokens 48 --quiet"
expect 0 $GLINT collect --model $DEMO_MODEL --dataset $DEMO_DATA $FEW --out texts
checked() {
    expect 0 $GLINT graph "$1" --quiet
    expect 0 $GLINT draw "$1" --quiet
    expect 0 $GLINT compare "$1" --quiet
    $PYTHON "$SOURCE/tests/outputs/check_results.py" "$1" >check.txt 2>&1; local code=$?
    [ $code -eq 0 ] || [ $code -eq 77 ] || { cat check.txt; fail "check_results.py $1"; }
}
SOLVE="$GLINT solve texts --neurons 40 --quiet"
expect 0 $SOLVE --lambda-select ebic --debias; checked texts
[ "$(json texts/positive/$SITE/certificate.json 'd["n"], d["debiased"]["n"], d["selection"]["rule"]')" = "(60, 60, 'ebic')" ] || fail "EBIC of moments"
[ -s texts/negative/$SITE/path.json ] && [ -s texts/negative/$SITE/path.png ] || fail "path of moments"
# kept when asked again, made again when something is asked besides
expect 0 $GLINT solve texts --neurons 40 --lambda-select ebic --debias; says err.txt 'kept'
expect 0 $GLINT solve texts --neurons 40 --lambda-select ebic --debias --gamma 0.2; ! grep -q kept err.txt || fail "another gamma kept the answer"
rm texts/positive/$SITE/uncertainty.npz
expect 0 $GLINT solve texts --neurons 40 --lambda-select ebic --debias --gamma 0.2; says err.txt 'made again'
expect 0 $SOLVE --density 0.05 --path=6 --with-all; checked texts
[ "$(ls texts/all/$SITE/path | wc -l)" -ge 6 ] || fail "--path of moments"
cp -r texts/positive/$SITE before
expect 0 $SOLVE --density 0.05 --start texts --solver bcd; checked texts
# the classes together
expect 0 $SOLVE --joint group --lambda2 0.1 --degree 3; checked texts
[ "$(json texts/negative/$SITE/certificate.json 'd["joint"]["classes"], d["class"]')" = "(['positive', 'negative'], 'negative')" ] ||
    [ "$(json texts/negative/$SITE/certificate.json 'd["joint"]["classes"], d["class"]')" = "(['negative', 'positive'], 'negative')" ] || fail "--joint of moments"
expect 0 $GLINT solve texts --neurons 40 --joint group --lambda2 0.1 --degree 3; says err.txt 'kept'
# weights: one a column of the site
if $PYTHON -c 'import numpy' 2>/dev/null; then
    $PYTHON - <<PY
import csv, numpy as np
width = int(__import__("json").load(open("texts/positive/$SITE/certificate.json"))["columns"])
columns = [int(r["column"]) for r in csv.DictReader(open("texts/positive/$SITE/neurons.csv"))]
w = np.ones((width, width)); w[columns[0], :] = w[:, columns[0]] = np.inf; w[columns[0], columns[0]] = 1
np.save("w.npy", w); np.save("small.npy", w[:40, :40])
PY
    expect 0 $SOLVE --alpha 0.2 --penalty w.npy; checked texts
    ! cut -d, -f1,2 texts/positive/$SITE/edges.csv | grep -qE '^0,|,0$' || fail "--penalty of moments"
    expect 1 $SOLVE --alpha 0.2 --penalty small.npy; one_error; says err.txt 'one row a column'
fi
# rows are not kept
for option in '--lambda-select cv' '--lambda-select stars' '--lambda-select ric' '--stability 6' '--null 5' '--bootstrap 5' '--transform npn' '--shrinkage auto' '--groups x.csv'; do
    expect 2 $SOLVE $option; one_error; says err.txt 'give the samples x neurons matrix with --activations'
    expect 2 $GLINT run --model $DEMO_MODEL --dataset $DEMO_DATA --out run $FEW $option; one_error; says err.txt '--activations'
done
[ ! -e run ] || fail "a refused option left a results folder"
expect 2 $SOLVE --joint group --lambda2 0.1 --with-all; one_error
# a row a token: the texts are what is independent
expect 0 $GLINT collect --model $DEMO_MODEL --dataset $DEMO_DATA $FEW --pool tokens --out tokens
expect 0 $GLINT solve tokens --neurons 30 --quiet --lambda-select ebic --debias; checked tokens
[ "$(json tokens/positive/$SITE/certificate.json 'd["n"] > 1000, d["independent"], d["debiased"]["n"]')" = '(True, 60, 60)' ] || fail "tokens are taken for texts"
expect 0 $GLINT solve tokens --neurons 30 --quiet --lambda-select ebic --debias --n 500
[ "$(json tokens/positive/$SITE/certificate.json 'd["debiased"]["n"]')" = 500 ] || fail "--n 500"
# glint run takes the options along
expect 0 $GLINT run --model $DEMO_MODEL --dataset $DEMO_DATA $FEW --neurons 40 --lambda-select ebic --debias --out run
$PYTHON "$SOURCE/tests/outputs/check_results.py" run >check.txt 2>&1; code=$?
[ $code -eq 0 ] || [ $code -eq 77 ] || { cat check.txt; fail "check_results.py run"; }
[ "$(json run/run.json 'd["settings"]["lambda_select"], d["settings"]["debias"]')" = "('ebic', True)" ] || fail "run.json"
[ -s run/positive/$SITE/path.png ] || fail "run draws no path"
expect 0 $GLINT run --model $DEMO_MODEL --dataset $DEMO_DATA $FEW --neurons 40 --joint fused --lambda2 0.05 --alpha 0.3 --skip-viz --out run
$PYTHON "$SOURCE/tests/outputs/check_results.py" run >check.txt 2>&1; code=$?
[ $code -eq 0 ] || [ $code -eq 77 ] || { cat check.txt; fail "check_results.py run --joint"; }
nothing_left run; nothing_left texts
exit 0
