#!/usr/bin/env bash
# glint solve: stability, null, bootstrap, p-values; groups of rows; several matrices together.
. "${0%/*}/lib.sh"
$PYTHON -c 'import numpy' 2>/dev/null || skip "python3-numpy is not installed"
$PYTHON - <<'PY'
import numpy as np
def sample(seed, n, extra):
    rng = np.random.default_rng(seed)
    p = 24
    theta = np.eye(p) * 1.5
    for i in range(p - 1):
        theta[i, i + 1] = theta[i + 1, i] = -0.6
    if extra:
        theta[2, 9] = theta[9, 2] = 0.7
    return rng.multivariate_normal(np.zeros(p), np.linalg.inv(theta), n)
a, b = sample(1, 260, False), sample(2, 260, True)
np.save("a.npy", a); np.save("b.npy", b)
np.save("a_s.npy", np.cov(a.T)); np.save("b_s.npy", np.cov(b.T))
np.save("noise.npy", np.random.default_rng(3).standard_normal((200, 24)))
np.save("twice.npy", np.repeat(a, 2, axis=0))
np.save("texts.npy", np.repeat(np.arange(260), 2))
open("texts.csv", "w").write("text\n" + "".join(f"review {k // 2}\n" for k in range(520)))
open("short.csv", "w").write("x\n" * 3)
open("one.csv", "w").write("x\n" * 260)
np.save("reals.npy", np.linspace(0, 1, 260))
dead = b.copy(); dead[:, 5] = 1; np.save("dead.npy", dead)
np.save("narrow.npy", b[:, :10])
PY
checked() {
    expect 0 $GLINT graph "$1" --quiet
    expect 0 $GLINT draw "$1" --quiet
    $PYTHON "$SOURCE/tests/outputs/check_results.py" "$1" >check.txt 2>&1; local code=$?
    [ $code -eq 0 ] || [ $code -eq 77 ] || { cat check.txt; fail "check_results.py $1"; }
}
# of FILE EXPRESSION: evaluates Python over the rows of edges.csv as `r`, with edge(i, j).
of() { $PYTHON -c 'import csv,sys; r=list(csv.DictReader(open(sys.argv[1]))); edge=lambda i,j: [x for x in r if (x["i"],x["j"])==(str(i),str(j))][0]; print(eval(sys.argv[2]))' "$1/edges.csv" "$2"; }

expect 0 $GLINT solve --activations a.npy --alpha 0.2 --stability 30 --null 20 --bootstrap 40 --debias --out all --seed 5
cp all/edges.csv solved.csv
checked all
cmp -s solved.csv all/edges.csv || fail "glint graph changes edges.csv"
for column in stability null_p null_family_p bootstrap_lower bootstrap_upper bootstrap_sd bootstrap_presence z p q; do
    head -n 1 all/edges.csv | tr , '\n' | grep -qx $column || fail "edges.csv has no $column"
done
[ "$(of all 'all(float(edge(i, i+1)["stability"]) > 0.9 and float(edge(i, i+1)["q"]) < 0.01 for i in range(23))')" = True ] || fail "planted edges are not trusted"
[ "$(json all/certificate.json 'd["stability"]["resamples"], d["null"]["resamples"], d["bootstrap"]["resamples"], d["debiased"]["n"], d["stability"]["independent"]')" = '(30, 20, 40, 260, 260)' ] || fail "certificate"
$PYTHON -c 'import numpy as np; d=np.load("all/uncertainty.npz"); assert {"i","j","stability","p","q"} <= set(d.files) and len(d["i"])==len(d["p"])' || fail "numpy cannot read uncertainty.npz"
nothing_left all
# the same seed at another number of threads: the same numbers; another seed: others
expect 0 $GLINT solve --activations a.npy --alpha 0.2 --stability 30 --null 20 --bootstrap 40 --debias --out again --seed 5 --threads 1
cmp -s solved.csv again/edges.csv || fail "numbers depend on the number of threads"
expect 0 $GLINT solve --activations a.npy --alpha 0.2 --stability 30 --out other --seed 6
[ "$(of other '[x["stability"] for x in r]')" != "$(of again '[x["stability"] for x in r]')" ] || fail "--seed changes nothing"
# a graph of noise: the null says so, and nothing is discovered
expect 0 $GLINT solve --activations noise.npy --alpha 0.12 --null 20 --debias --fdr 0.01 --out noise; checked noise
[ "$(json noise/certificate.json 'd["null"]["false_share"] > 0.5, d["debiased"]["discoveries"] <= 1')" = '(True, True)' ] || fail "noise is trusted"
# a damaged uncertainty.npz is named
truncate -s 40 noise/uncertainty.npz; expect 1 $GLINT graph noise; one_error; says err.txt uncertainty.npz
# p-values of a covariance need n, and are those of the samples
expect 2 $GLINT solve --cov a_s.npy --alpha 0.2 --debias --out bad; one_error; says err.txt '--n N'
expect 0 $GLINT solve --cov a_s.npy --alpha 0.2 --debias --n 260 --out cov; checked cov
$PYTHON -c 'import csv; a,b=(list(csv.DictReader(open(f"{x}/edges.csv"))) for x in ("all","cov")); assert all(abs(float(x["z"])-float(y["z"]))<1e-6 for x,y in zip(a,b))' || fail "--cov --n gives other z"
# with transform: resamples are transformed themselves
expect 0 $GLINT solve --activations a.npy --transform skeptic --alpha 0.2 --stability 10 --null 5 --bootstrap 5 --debias --out npn; checked npn
expect 0 $GLINT solve --activations a.npy --no-scale --penalize-diagonal --alpha 0.2 --stability 10 --bootstrap 5 --debias --out raw; checked raw

# rows of a text belong together: half as many independent samples, and p-values as if the rows were not doubled
for groups in texts.npy texts.csv; do
    expect 0 $GLINT solve --activations twice.npy --groups $groups --alpha 0.2 --stability 20 --debias --out grouped; checked grouped
    [ "$(json grouped/certificate.json 'd["n"], d["independent"], d["debiased"]["n"], d["stability"]["independent"]')" = '(520, 260, 260, 260)' ] || fail "--groups $groups"
done
expect 0 $GLINT solve --activations twice.npy --n 100 --lambda-select ebic --debias --out fewer; checked fewer
[ "$(json fewer/certificate.json 'd["n"], d["independent"], d["debiased"]["n"]')" = '(520, 100, 100)' ] || fail "--n 100"
refused() { local code=$1 pattern=$2; shift 2; expect $code $GLINT solve "$@" --out bad; one_error; says err.txt "$pattern"; [ ! -e bad ] || fail "$* left a folder"; }
# what draws rows one by one does not pretend to know of texts; half-samples come in pairs and need something to halve
for rule in cv stars ric; do refused 2 'rows one by one' --activations twice.npy --groups texts.npy --lambda-select $rule; done
refused 2 'even number' --activations a.npy --alpha 0.2 --stability 5
refused 2 'at least 2' --activations a.npy --alpha 0.2 --bootstrap 1
refused 2 'only 260 rows' --activations a.npy --n 261 --lambda-select ebic
$PYTHON -c 'import numpy as np; np.save("three.npy", np.load("a.npy")[:3])'
refused 1 'at least 4; there are 3' --activations three.npy --alpha 0.5 --stability 10
for bad in short.csv reals.npy one.csv nowhere.csv; do
    expect 1 $GLINT solve --activations a.npy --groups $bad --alpha 0.2 --stability 6 --out bad; one_error; says err.txt $bad
done
[ ! -e bad ] || fail "a refused input left an output folder"

# ---- several classes together ----
for kind in group fused; do
    expect 0 $GLINT solve --cov a_s.npy --cov b_s.npy --joint $kind --lambda2 0.05 --alpha 0.15 --out j_$kind
    [ "$(json j_$kind/a_s/certificate.json 'd["joint"]["penalty"], d["joint"]["classes"], d["lambda"], d["lambda2"], d["outcome"]')" = "('$kind', ['a_s', 'b_s'], 0.15, 0.05, 'converged')" ] || fail "--joint $kind: certificate"
    checked j_$kind
    expect 0 $GLINT compare j_$kind --quiet
    [ -s j_$kind/compare/edges.csv ] || fail "compare of joint classes"
    nothing_left j_$kind
done
# lambda2 = 0 are the classes by themselves; a large one makes the graphs the same
expect 0 $GLINT solve --activations a.npy --activations b.npy --joint group --lambda2 0 --alpha 0.15 --tol 1e-10 --out apart
expect 0 $GLINT solve --activations b.npy --alpha 0.15 --tol 1e-10 --out b_alone
$PYTHON -c 'import numpy as np; a,b=np.load("apart/b/precision.npy"),np.load("b_alone/precision.npy"); assert np.abs(a-b).max()<=1e-4*np.abs(b).max() and ((a!=0)==(b!=0)).mean()>0.99' || fail "--lambda2 0 is not the single solve"
expect 0 $GLINT solve --activations a.npy --activations b.npy --joint group --lambda2 5 --alpha 0.01 --out same
[ "$(json same/a/certificate.json 'd["edges"]')" = "$(json same/b/certificate.json 'd["edges"]')" ] || fail "a large --lambda2 leaves the graphs different"
expect 0 $GLINT solve --activations a.npy --activations b.npy --transform npn --joint group --lambda2 0.05 --degree 3 --out degree; checked degree
[ "$(json degree/a/certificate.json 'd["lambda_rule"]') $(cat degree/*/certificate.json | grep average_degree | tr -dc '0-9.\n' | awk '{s+=$1} END {print (s/2 > 2.6 && s/2 < 3.4)}')" = 'average degree 3 1' ] || fail "--joint --degree 3"
refused 2 'needs --lambda2' --cov a_s.npy --cov b_s.npy --joint group --alpha 0.1
refused 2 'belongs to --joint' --cov a_s.npy --lambda2 0.1
refused 2 'group, fused' --cov a_s.npy --cov b_s.npy --joint both --lambda2 0.1
refused 2 'solve them one by one' --cov a_s.npy --cov b_s.npy --alpha 0.1
refused 2 'at least two classes' --cov a_s.npy --joint group --lambda2 0.1 --alpha 0.1
refused 2 'one of --cov' --cov a_s.npy --activations b.npy --joint group --lambda2 0.1
refused 2 'cannot be had with --joint' --activations a.npy --activations b.npy --joint group --lambda2 0.1 --stability 6
refused 2 'by --alpha, --degree or --density' --activations a.npy --activations b.npy --joint group --lambda2 0.1 --lambda-select ebic
refused 2 'different names' --cov a_s.npy --cov ./a_s.npy --joint group --lambda2 0.1 --alpha 0.1
refused 1 'other neurons' --activations a.npy --activations dead.npy --joint group --lambda2 0.1 --alpha 0.1
refused 1 'other neurons' --activations a.npy --activations narrow.npy --joint group --lambda2 0.1 --alpha 0.1
exit 0
