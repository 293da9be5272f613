#!/usr/bin/env bash
# glint solve on matrices: numbers, refusals, exit code 3.
. "${0%/*}/lib.sh"
$PYTHON -c 'import numpy' 2>/dev/null || skip "python3-numpy is not installed"
$PYTHON - <<'PY'
import numpy as np
rng = np.random.default_rng(1)
p, n = 40, 400
theta = np.eye(p) * 1.5
for i in range(p - 1):
    theta[i, i + 1] = theta[i + 1, i] = -0.6
x = rng.multivariate_normal(np.zeros(p), np.linalg.inv(theta), n) * np.linspace(0.1, 30, p) + 5
s = np.cov(x.T)
np.save("x.npy", x)
np.save("s.npy", s)
np.save("fortran.npy", np.asfortranarray(s))
np.save("big.npy", s.astype(">f8"))
np.save("x32.npy", x.astype("f4"))
bad = s.copy(); bad[3, 5] = np.nan; np.save("nan.npy", bad)
bad = s.copy(); bad[3, 5] += 1; np.save("skew.npy", bad)
np.save("wide.npy", s[:10])
np.save("empty.npy", s[:0])
np.save("vector.npy", s[0])
dead = x.copy(); dead[:, 7] = 3.0; np.save("dead.npy", dead)
np.save("flat.npy", np.ones((20, 4)))
np.save("objects.npy", np.array([[1, None]], dtype=object))
np.save("one.npy", np.array([[2.0]]))
PY
expect 0 $GLINT solve --cov s.npy --alpha 0.15 --out a --json
[ "$(json out.txt 'd["p"], d["lambda"], d["outcome"], 0 <= d["relative_duality_gap"] <= 1e-7, d["penalize_diagonal"]')" = "(40, 0.15, 'converged', True, False)" ] || { cat out.txt; fail "certificate"; }
# independent check: optimality of the correlation-scaled problem, and the chain is found
$PYTHON - <<'PY' || fail "the solution is not optimal"
import json
import numpy as np
s, theta, c = np.load("a/covariance.npy"), np.load("a/precision.npy"), json.load(open("a/certificate.json"))
assert np.array_equal(s, np.load("s.npy"))
sd = np.sqrt(np.diag(s))
r, t, lam = s / np.outer(sd, sd), theta * np.outer(sd, sd), c["lambda"]
np.fill_diagonal(r, 1)
w = np.linalg.inv(t)
g, off = r - w, ~np.eye(len(s), dtype=bool)
assert np.abs(g[off]).max() <= lam * (1 + 1e-4), np.abs(g[off]).max()
on = off & (t != 0)
assert np.abs(g[on] + lam * np.sign(t[on])).max() < 1e-4
f = -np.linalg.slogdet(t)[1] + (r * t).sum() + lam * np.abs(t[off]).sum()
assert abs(f - c["objective"]) < 1e-9 * abs(f), (f, c["objective"])
assert all(t[i, i + 1] < 0 for i in range(39))
assert np.array_equal(theta, theta.T) and (np.linalg.eigvalsh(t) > 0).all()
PY
for variant in fortran big; do
    expect 0 $GLINT solve --cov $variant.npy --alpha 0.15 --out $variant
    cmp -s a/precision.npy $variant/precision.npy || fail "$variant.npy gives another answer"
done
expect 0 $GLINT solve --activations x.npy --alpha 0.15 --out x
$PYTHON -c 'import numpy as np; a,b=np.load("a/precision.npy"),np.load("x/precision.npy"); assert np.abs(a-b).max() <= 1e-6*np.abs(a).max(); assert np.allclose(np.load("x/covariance.npy"), np.cov(np.load("x.npy").T), rtol=1e-10)' || fail "--activations differs from --cov"
expect 0 $GLINT solve --activations x32.npy --degree 3 --out x32 --threads 1
[ "$(json x32/certificate.json 'abs(d["average_degree"] - 3) < 0.6, d["threads"]')" = '(True, 1)' ] || fail "--degree 3"
! grep -q 'average degree' err.txt || fail "a warning about a degree that was met"
expect 0 $GLINT solve --activations x32.npy --degree 60 --out x60
says err.txt 'no lambda gives an average degree of 60'
expect 0 $GLINT solve --cov s.npy --alpha 0.15 --penalize-diagonal --out d
[ "$(json d/certificate.json 'd["penalize_diagonal"]')" = True ] || fail "--penalize-diagonal"
expect 0 $GLINT solve --activations dead.npy --alpha 0.2 --out dead
says err.txt 'N7'
[ "$(json dead/certificate.json 'd["p"], d["constant_columns"]')" = '(39, 1)' ] || fail "constant column"
expect 0 $GLINT solve --cov one.npy --alpha 0.2 --out one
expect 0 $GLINT solve --cov s.npy --alpha 5 --out diagonal
[ "$(json diagonal/certificate.json 'd["edges"]')" = 0 ] || fail "lambda above lambda_max"

# graph, draw and compare on solved matrices
expect 0 $GLINT graph a; expect 0 $GLINT draw a; expect 0 $GLINT graph d
expect 0 $GLINT compare a d --names plain,penalised --out cmp
[ -s cmp/edges.csv ] && [ -s cmp/partial_correlations.png ] || fail "compare of two folders"

for bad in nan skew wide empty vector objects missing; do
    expect 1 $GLINT solve --cov $bad.npy --alpha 0.1 --out bad
    one_error; says err.txt "$bad"
    [ ! -e bad ] || fail "$bad.npy left an output folder"
done
expect 1 $GLINT solve --activations flat.npy --alpha 0.1 --out bad; one_error; says err.txt 'constant'
expect 3 $GLINT solve --cov s.npy --alpha 0.01 --tol 1e-12 --max-iterations 1 --out unfinished
[ "$(json unfinished/certificate.json 'd["outcome"] != "converged" and d["relative_duality_gap"] > 0')" = True ] || fail "an unfinished solve must say so"
nothing_left .
exit 0
