#!/usr/bin/env bash
# glint solve: choosing lambda, the path, transforms of the samples, solvers, starts, stopping and going on.
. "${0%/*}/lib.sh"
$PYTHON -c 'import numpy' 2>/dev/null || skip "python3-numpy is not installed"
$PYTHON - <<'PY'
import numpy as np
rng = np.random.default_rng(1)
p, n = 30, 300
theta = np.eye(p) * 1.5
for i in range(p - 1):
    theta[i, i + 1] = theta[i + 1, i] = -0.6
x = rng.multivariate_normal(np.zeros(p), np.linalg.inv(theta), n) * np.linspace(0.1, 30, p) + 5
np.save("x.npy", x)
np.save("s.npy", np.cov(x.T))
np.save("cubed.npy", ((x - x.mean(0)) / x.std(0)) ** 3) # monotone: ranks are those of x
weights = np.ones((p, p))
weights[3, 4] = weights[4, 3] = np.inf
weights[7, 20] = weights[20, 7] = 0
np.save("weights.npy", weights)
for name, (i, j, value) in {"negative": (2, 5, -1), "nan": (2, 5, np.nan), "infinite": (4, 4, np.inf)}.items():
    bad = weights.copy(); bad[i, j] = bad[j, i] = value; np.save(f"weights_{name}.npy", bad)
bad = weights.copy(); bad[1, 2] = 3; np.save("weights_skew.npy", bad)
np.save("weights_small.npy", weights[:9, :9])
np.save("start_other.npy", np.eye(3))
mixing = rng.standard_normal((250, 40)) * (rng.random((250, 40)) < 0.15)
np.save("large.npy", rng.standard_normal((900, 40)) @ mixing.T + 0.6 * rng.standard_normal((900, 250)))
PY
# checked FOLDER: what was solved there can be graphed and drawn, and all files agree.
checked() {
    expect 0 $GLINT graph "$1" --quiet
    expect 0 $GLINT draw "$1" --quiet
    $PYTHON "$SOURCE/tests/outputs/check_results.py" "$1" >check.txt 2>&1; local code=$?
    [ $code -eq 0 ] || [ $code -eq 77 ] || { cat check.txt; fail "check_results.py $1"; }
}
chain_found() { $PYTHON -c 'import sys; rows=[r.split(",") for r in open(sys.argv[1])][1:]; e={(int(r[0]),int(r[1])) for r in rows}; sys.exit(not all((i,i+1) in e for i in range(29)))' "$1/edges.csv" || fail "$1: the planted chain is not found"; }

# every rule: a certified answer, a path that agrees with it, and the planted edges in it
for rule in ebic cv stars; do
    expect 0 $GLINT solve --activations x.npy --lambda-select $rule --out $rule --seed 3
    checked $rule; chain_found $rule
    [ "$(json $rule/certificate.json 'd["selection"]["rule"], d["outcome"]')" = "('$rule', 'converged')" ] || fail "$rule: certificate"
    [ ! -e $rule/path ] || fail "$rule kept matrices that nobody asked for"
    nothing_left $rule
done
expect 0 $GLINT solve --activations x.npy --lambda-select ric --out ric; checked ric; chain_found ric
[ ! -e ric/path.json ] || fail "ric follows no path"
expect 0 $GLINT solve --activations x.npy --lambda-select cv --one-se --folds 4 --path=12 --out onese --seed 3; checked onese
[ "$(json onese/certificate.json 'd["selection"]["folds"], d["selection"]["one_standard_error"]')" = '(4, True)' ] || fail "--folds 4 --one-se"
[ "$($PYTHON -c 'import json; a, b = (json.load(open(f"{x}/certificate.json"))["lambda"] for x in ("onese", "cv")); print(a >= b)')" = True ] || fail "--one-se is not sparser"
expect 0 $GLINT solve --activations x.npy --lambda-select stars --subsamples 8 --instability 0.1 --out loose --seed 3; checked loose
[ "$(json loose/certificate.json 'd["selection"]["subsamples"], d["selection"]["instability"]')" = '(8, 0.1)' ] || fail "--subsamples, --instability"
# the same seed gives the same choice at any number of threads, another seed other folds
expect 0 $GLINT solve --activations x.npy --lambda-select cv --out again --seed 3 --threads 1
cmp -s cv/path.json again/path.json || $PYTHON - <<'PY' || fail "the choice depends on the number of threads"
import json
a, b = (json.load(open(f"{x}/path.json"))["points"] for x in ("cv", "again"))
strip = lambda points: [{k: v for k, v in x.items() if k not in ("seconds", "objective", "relative_duality_gap", "kkt_residual", "log_likelihood", "ebic")} for x in points]
assert strip(a) == strip(b)
PY
cmp -s cv/precision.npz again/precision.npz || fail "the answer depends on the number of threads"

# a larger gamma gives a sparser graph; a covariance needs --n
expect 0 $GLINT solve --cov s.npy --n 300 --lambda-select ebic --gamma 0 --out bic; checked bic
expect 0 $GLINT solve --cov s.npy --n 300 --lambda-select ebic --out ebic_s; checked ebic_s
[ "$(json ebic_s/certificate.json 'd["lambda"]')" = "$(json ebic/certificate.json 'd["lambda"]')" ] || [ "$(json ebic_s/certificate.json 'd["edges"]')" = "$(json ebic/certificate.json 'd["edges"]')" ] || fail "--cov --n and --activations choose differently"
[ "$(json bic/certificate.json 'd["edges"]')" -ge "$(json ebic_s/certificate.json 'd["edges"]')" ] || fail "the BIC is sparser than the EBIC"
expect 2 $GLINT solve --cov s.npy --lambda-select ebic --out bad; one_error; says err.txt '--n N'
expect 0 $GLINT solve --cov s.npy --density 0.1 --out density; checked density
[ "$(json density/certificate.json 'abs(d["density"] - 0.1) < 0.02, d["lambda_rule"]')" = "(True, 'density 0.1')" ] || fail "--density 0.1"

# the path: every answer kept, listed lambdas, the given lambda among them
expect 0 $GLINT solve --cov s.npy --path --degree 3 --out path; checked path
[ "$(ls path/path | wc -l)" -ge 20 ] || fail "--path keeps every answer"
expect 0 $GLINT solve --cov s.npy --path=0.1,0.5,0.3 --alpha 0.2 --no-scale --out listed; checked listed
[ "$(json listed/path.json '[x["lambda"] for x in d["points"]], [x["selected"] for x in d["points"]]')" = '([0.5, 0.3, 0.2, 0.1], [False, False, True, False])' ] || fail "--path LIST"
expect 0 $GLINT solve --activations x.npy --path=0.4,0.2,0.1 --lambda-select cv --no-scale --out listed_cv; checked listed_cv
[ "$(json listed_cv/certificate.json 'd["lambda"] in (0.4, 0.2, 0.1)')" = True ] || fail "a list of lambdas was left"
rm path/path.png; expect 0 $GLINT draw path --quiet; [ -s path/path.png ] || fail "glint draw makes path.png again"

# transforms: ranks do not change under monotone functions of the columns
for kind in winsor npn npn-truncated spearman skeptic kendall; do
    expect 0 $GLINT solve --activations x.npy --transform $kind --alpha 0.2 --out t_$kind; checked t_$kind; chain_found t_$kind
    [ "$(json t_$kind/certificate.json 'd["transform"]')" = $kind ] || fail "--transform $kind"
done
for kind in npn spearman skeptic kendall; do
    expect 0 $GLINT solve --activations cubed.npy --transform $kind --alpha 0.2 --out cubed
    $PYTHON -c 'import numpy as np,sys; a,b=np.load(sys.argv[1]),np.load("cubed/covariance.npy"); sys.exit(not np.allclose(a,b,atol=1e-12))' t_$kind/covariance.npy || fail "$kind depends on more than ranks"
done
$PYTHON - <<'PY' || fail "Spearman or Kendall correlations"
import numpy as np
x = np.load("x.npy")
r = x.argsort(0).argsort(0)
assert np.allclose(np.load("t_spearman/covariance.npy"), np.corrcoef(r.T), atol=1e-12)
assert np.allclose(np.load("t_skeptic/covariance.npy"), 2 * np.sin(np.pi / 6 * np.corrcoef(r.T)), atol=1e-6)
tau = np.mean(np.sign(x[:, None, 0] - x[None, :, 0]) * np.sign(x[:, None, 1] - x[None, :, 1])) * 300 / 299
assert abs(np.load("t_kendall/covariance.npy")[0, 1] - np.sin(np.pi / 2 * tau)) < 1e-9
PY
expect 0 $GLINT solve --activations x.npy --transform winsor --winsor 0 --alpha 0.2 --out uncut
$PYTHON -c 'import numpy as np; assert np.allclose(np.load("uncut/covariance.npy"), np.cov(np.load("x.npy").T), rtol=1e-9)' || fail "--winsor 0 cuts"
expect 0 $GLINT solve --cov s.npy --shrinkage 0.25 --alpha 0.1 --out shrunk; checked shrunk
$PYTHON -c 'import numpy as np; a,s=np.load("shrunk/covariance.npy"),np.load("s.npy"); o=~np.eye(30,dtype=bool); assert np.allclose(a[o],0.75*s[o]) and np.allclose(np.diag(a),np.diag(s))' || fail "--shrinkage 0.25"
expect 0 $GLINT solve --activations x.npy --shrinkage auto --alpha 0.1 --out auto; checked auto
[ "$(json auto/certificate.json '0 < d["shrinkage"] < 1')" = True ] || fail "--shrinkage auto"
expect 0 $GLINT solve --activations x.npy --transform skeptic --shrinkage 0.1 --lambda-select cv --out both; checked both

# solvers agree; a start does not change the answer
expect 0 $GLINT solve --cov s.npy --alpha 0.15 --tol 1e-10 --out auto_solver
for solver in auto bcd newton sglasso; do
    expect 0 $GLINT solve --cov s.npy --alpha 0.15 --tol 1e-10 --solver $solver --out solver; checked solver
    $PYTHON -c 'import numpy as np; a,b=np.load("solver/precision.npy"),np.load("auto_solver/precision.npy"); assert np.abs(a-b).max() <= 1e-4*np.abs(b).max()' || fail "--solver $solver gives another answer"
done
for start in auto_solver auto_solver/precision.npz; do
    expect 0 $GLINT solve --cov s.npy --alpha 0.15 --tol 1e-10 --start $start --out started
    $PYTHON -c 'import numpy as np; a,b=np.load("started/precision.npy"),np.load("auto_solver/precision.npy"); assert np.abs(a-b).max() <= 1e-5*np.abs(b).max()' || fail "--start changes the answer"
done
expect 1 $GLINT solve --activations large.npy --alpha 0.3 --start auto_solver --out bad; one_error; says err.txt 'same neurons'
expect 1 $GLINT solve --cov s.npy --alpha 0.3 --start nowhere.npz --out bad; one_error; says err.txt nowhere.npz
expect 1 $GLINT solve --cov s.npy --alpha 0.3 --start s.npy --out bad; one_error; says err.txt s.npy

# weights of the penalty: infinity forbids an edge, 0 frees one
expect 0 $GLINT solve --cov s.npy --alpha 0.3 --penalty weights.npy --out weighted; checked weighted
grep -q '^7,20,' weighted/edges.csv && ! grep -q '^3,4,' weighted/edges.csv || fail "--penalty"
for bad in negative nan infinite skew small; do
    expect 1 $GLINT solve --cov s.npy --alpha 0.3 --penalty weights_$bad.npy --out bad; one_error; says err.txt weights_$bad.npy
done
[ ! -e bad ] || fail "a refused input left an output folder"

# what does not go together, and what a covariance cannot give
refused() { local pattern=$1; shift; expect 2 $GLINT solve "$@" --out bad; one_error; says err.txt "$pattern"; [ ! -e bad ] || fail "$* left a folder"; }
for options in '--lambda-select cv' '--lambda-select stars' '--lambda-select ric' '--transform npn' '--shrinkage auto' '--stability 10' '--null 5' '--bootstrap 5' '--groups g.csv'; do
    refused 'give the samples x neurons matrix with --activations' --cov s.npy $options
done
refused 'exclude each other' --cov s.npy --alpha 0.1 --lambda-select ebic
refused 'exclude each other' --cov s.npy --degree 3 --density 0.1
refused 'one of degree, density, ebic' --cov s.npy --lambda-select best
refused 'belongs to --lambda-select cv' --activations x.npy --lambda-select stars --folds 3
refused 'at least 2' --activations x.npy --lambda-select cv --folds 1
refused 'but there are 300 samples' --activations x.npy --lambda-select cv --folds 200
refused 'needs --density' --cov s.npy --lambda-select density
refused 'must lie between' --cov s.npy --path=1
refused 'must lie between' --cov s.npy --path=0.1,-0.2
refused 'needs a number' --cov s.npy --path=0.1,nan
refused 'needs a number' --cov s.npy --path=0.1,x
refused 'put the folder before it' --path results
refused 'auto, bcd, newton, sglasso' --cov s.npy --solver quic
refused 'none, winsor' --activations x.npy --transform log
refused 'belongs to --transform winsor' --activations x.npy --winsor 0.1
refused '--shrinkage is 2' --cov s.npy --shrinkage 2
refused 'with --transform' --activations x.npy --lambda-select ric --transform npn
refused 'belongs to --debias' --cov s.npy --fdr 0.1
refused '--time-limit' --cov s.npy --time-limit 0
refused 'must not be negative' --activations x.npy --stability -3
refused 'gamma' --cov s.npy --gamma 1
rm -rf bad

# a time limit ends with what there is: exit code 3, or nothing to choose from
code=0; $GLINT solve --activations large.npy --alpha 0.05 --tol 1e-12 --time-limit 0.001 --out limited >out.txt 2>err.txt || code=$?
[ $code -eq 3 ] || [ $code -eq 0 ] || { cat err.txt; fail "--time-limit gave exit code $code"; }
[ $code -eq 0 ] || [ "$(json limited/certificate.json 'd["outcome"]')" != converged ] || fail "a solve cut short claims to have converged"

code=0; $GLINT solve --activations large.npy --alpha 0.3 --stability 100000 --null 100000 --time-limit 0.001 --out none >out.txt 2>err.txt || code=$?
[ $code -eq 0 ] || [ $code -eq 3 ] || fail "no time for resamples: exit code $code"
$PYTHON - <<'PY' || fail "a probability from no resample at all"
import json, numpy as np
u, d = np.load("none/uncertainty.npz"), json.load(open("none/certificate.json"))
for section, column in (("stability", "stability"), ("null", "null_p"), ("null", "null_family_p")):
    assert d[section]["completed"] > 0 or np.isnan(u[column]).all(), column
assert d["stability"]["completed"] > 0 or d["stability"]["expected_false_at_most"] is None
PY

for rule in cv stars; do # the best that is known by then, or, when nothing is, an error that says so
    code=0; $GLINT solve --activations large.npy --lambda-select $rule --tol 1e-10 --time-limit 0.2 --out limited >out.txt 2>err.txt || code=$?
    [ $code -eq 3 ] || [ $code -eq 0 ] || { [ $code -eq 1 ] && grep -q 'longer --time-limit' err.txt; } || { cat err.txt; fail "--lambda-select $rule --time-limit gave exit code $code"; }
    [ $code -ne 3 ] || [ "$(json limited/path.json 'd["outcome"]')" = 'time limit' ] || fail "path.json does not tell of the time limit"
    if [ $code -eq 3 ]; then says err.txt 'time limit came first'; fi
    if [ $code -eq 1 ] && [ "$(json limited/.partial/path.json 'any("file" in q for q in d["points"])')" = True ]; then # another limit goes on from what there is
        $GLINT solve --activations large.npy --lambda-select $rule --tol 1e-10 --time-limit 0.3 --out limited >out.txt 2>err.txt || true
        says err.txt 'going on from [0-9]+ lambdas'
    fi
    rm -rf limited
done

# SIGINT during a choice: 130, the path so far is kept beside the result, and the same command goes on from there
SLOW="$GLINT solve --activations large.npy --lambda-select cv --path=40 --tol 1e-9 --threads 1 --out slow"
$SLOW >out.txt 2>err.txt &
pid=$!; tries=0
until [ -e slow/.partial/path.json ] || [ $((tries++)) -gt 1000 ]; do sleep 0.01; done
kill -INT $pid 2>/dev/null; code=0; wait $pid || code=$?
[ $code -eq 130 ] || [ $code -eq 0 ] || { cat err.txt; fail "SIGINT gave exit code $code"; }
if [ $code -eq 130 ]; then
    one_error; says err.txt 'slow/.partial/path.json'
    [ ! -e slow/precision.npz ] || fail "an interrupted choice left a result"
    kept=$(json slow/.partial/path.json 'sum(x.get("outcome") == "converged" for x in d["points"])')
    [ "$kept" -ge 1 ] && [ -n "$(ls slow/.partial/path)" ] || fail "nothing was kept"
    expect 0 $SLOW
    says err.txt 'going on from'
fi
checked slow; nothing_left slow
[ ! -e slow/.partial ] || fail "the unfinished path stays beside the finished result"
expect 0 $GLINT solve --activations large.npy --lambda-select cv --path=40 --tol 1e-9 --out undisturbed
$PYTHON - <<'PY' || fail "going on gives another choice"
import json
a, b = (json.load(open(f"{x}/path.json")) for x in ("slow", "undisturbed"))
assert a["lambda"] == b["lambda"] and [x["lambda"] for x in a["points"]] == [x["lambda"] for x in b["points"]]
assert all(abs(x["edges"] - y["edges"]) <= 2 + 0.001 * x["edges"] for x, y in zip(a["points"], b["points"]))
PY

# SIGINT after the answer was found: it is written, without a key, with what was known of it by then
$GLINT solve --activations large.npy --alpha 0.2 --bootstrap 100000 --threads 1 --out late >out.txt 2>err.txt &
pid=$!; sleep 1.5; kill -INT $pid 2>/dev/null; code=0; wait $pid || code=$?
[ $code -eq 130 ] || { cat err.txt; fail "SIGINT during the bootstrap gave exit code $code"; }
if [ -e late/certificate.json ]; then
    [ "$(json late/certificate.json '"key" in d, d["bootstrap"]["outcome"]')" = "(False, 'interrupted')" ] || fail "an interrupted bootstrap claims to be whole"
fi
nothing_left .
exit 0
