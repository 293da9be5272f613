#!/usr/bin/env bash
# glint solve on inputs that other programs stumble over: each is solved and certified, or refused with one line that says why.
. "${0%/*}/lib.sh"
$PYTHON -c 'import numpy' 2>/dev/null || skip "python3-numpy is not installed"
$PYTHON - <<'PY'
import numpy as np
rng = np.random.default_rng(4)
x = rng.standard_normal((50, 12)) @ rng.standard_normal((12, 12)) + 3
s = np.cov(x.T)
np.save("x.npy", x); np.save("s.npy", s)
np.save("x_f4.npy", x.astype("f4")); np.save("x_fortran.npy", np.asfortranarray(x)); np.save("x_big.npy", x.astype(">f8")); np.save("x_big4.npy", np.asfortranarray(x.astype(">f4")))
np.save("s_f4.npy", s.astype("f4")); np.save("s_fortran.npy", np.asfortranarray(s)); np.save("s_big.npy", s.astype(">f8"))
np.save("x_int.npy", (x * 100).astype("i2"))
np.save("few.npy", x[:5])                                    # n < p
np.save("two_rows.npy", x[:2]); np.save("one_row.npy", x[:1]); np.save("no_rows.npy", x[:0]); np.save("no_columns.npy", x[:, :0])
double = x.copy(); double[:, 7] = double[:, 2]; np.save("double.npy", double)
near = x.copy(); near[:, 7] = 2 * near[:, 2] + 1e-9 * x[:, 0]; np.save("near.npy", near)
dead = x.copy(); dead[:, 4] = 2.5; np.save("dead.npy", dead)
np.save("constant.npy", np.full((20, 3), 0.1))
np.save("one_column.npy", x[:, :1]); np.save("two_columns.npy", x[:, :2]); np.save("one.npy", np.array([[2.0]])); np.save("two.npy", np.array([[2.0, 1.2], [1.2, 1.0]]))
blocks = np.zeros((12, 12)); blocks[:4, :4] = s[:4, :4]; blocks[4:9, 4:9] = s[4:9, 4:9]; blocks[9:, 9:] = np.diag(np.diag(s)[9:]); np.save("blocks.npy", blocks)
np.save("diagonal.npy", np.diag(np.arange(1.0, 6)))
for name, (i, j, value) in {"nan": (3, 5, np.nan), "inf": (5, 3, np.inf), "minus_inf": (2, 2, -np.inf)}.items():
    bad = s.copy(); bad[i, j] = value; np.save(f"s_{name}.npy", bad)
    bad = x.copy(); bad[i, j] = value; np.save(f"x_{name}.npy", bad)
bad = s.copy(); bad[1, 2] += 0.1 * s[1, 1]; np.save("s_skew.npy", bad)
bad = s.copy(); bad[3, 3] = -1; np.save("s_negative.npy", bad)
np.save("s_wide.npy", s[:4]); np.save("s_none.npy", s[:0, :0]); np.save("s_flat.npy", s.ravel()); np.save("s_cube.npy", s[None])
np.save("s_zero.npy", np.zeros((4, 4)))
np.save("indefinite.npy", np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]))
np.save("words.npy", np.array([["a", "b"]])); np.save("complex.npy", s.astype(complex))
open("text.npy", "w").write("1,2\n3,4\n"); open("empty.npy", "w").close()
open("cut.npy", "wb").write(open("s.npy", "rb").read()[:500])
PY
# good FOLDER OPTIONS...: solved, converged, and every file agrees with every other.
good() {
    local folder=$1; shift
    rm -rf "$folder"
    expect 0 $GLINT solve "$@" --out $folder
    [ "$(json $folder/certificate.json 'd["outcome"]')" = converged ] || fail "$*: not converged"
    expect 0 $GLINT graph $folder --quiet; expect 0 $GLINT draw $folder --quiet
    $PYTHON "$SOURCE/tests/outputs/check_results.py" $folder >check.txt 2>&1; local code=$?
    [ $code -eq 0 ] || [ $code -eq 77 ] || { cat check.txt; fail "$*: check_results.py"; }
}
# refused CODE PATTERN OPTIONS...: one line with the pattern, no folder.
refused() {
    local code=$1 pattern=$2; shift 2
    expect $code $GLINT solve "$@" --out bad
    one_error; says err.txt "$pattern"
    [ ! -e bad ] || fail "$*: left an output folder"
}
same() { $PYTHON -c 'import sys,numpy as np; a,b=(np.load(f"{x}/precision.npy") for x in sys.argv[1:3]); assert a.shape==b.shape and np.abs(a-b).max()<=float(sys.argv[3])*np.abs(b).max()' "$@" || fail "$1 and $2 differ"; }

# types, byte orders and memory orders
good s --cov s.npy --alpha 0.2
for variant in s_fortran s_big; do good v --cov $variant.npy --alpha 0.2; cmp -s s/precision.npy v/precision.npy || fail "$variant gives another answer"; done
good v --cov s_f4.npy --alpha 0.2; same v s 1e-3
good x --activations x.npy --alpha 0.2; same x s 1e-5
for variant in x_fortran x_big; do good v --activations $variant.npy --alpha 0.2; cmp -s x/precision.npy v/precision.npy || fail "$variant gives another answer"; done
for variant in x_f4 x_big4; do good v --activations $variant.npy --alpha 0.2; same v x 1e-3; done
good v --activations x_int.npy --alpha 0.2
for variant in x_fortran x_big x_f4; do good v --activations $variant.npy --lambda-select stars --subsamples 5 --stability 4; done

# a matrix where a results folder belongs
expect 2 $GLINT solve x.npy --alpha 0.2; one_error; says err.txt '--activations x.npy'

# lambda at its ends
good zero --activations x.npy --alpha 0
$PYTHON -c 'import numpy as np; a,s=np.load("zero/precision.npy"),np.load("zero/covariance.npy"); assert np.abs(a@s-np.eye(12)).max()<1e-6' || fail "lambda 0 is not the inverse"
good most --cov s.npy --alpha 1
[ "$(json most/certificate.json 'd["edges"], d["components"]')" = '(0, 12)' ] || fail "lambda 1 leaves edges between correlations"
good beyond --cov s.npy --alpha 1e12
[ "$(json beyond/certificate.json 'd["edges"]')" = 0 ] || fail "lambda beyond lambda_max"
refused 1 'indefinite|singular|positive' --activations few.npy --alpha 0
for value in nan -1 -0.0001 inf x '' 1e999; do refused 2 '--alpha' --cov s.npy --alpha "$value"; done

# rank-deficient, duplicate and constant columns
good few --activations few.npy --alpha 0.3
good two_rows --activations two_rows.npy --alpha 0.5
good double --activations double.npy --alpha 0.1; [ "$(json double/certificate.json 'd["p"]')" = 12 ] || fail "duplicate columns"
good near --activations near.npy --alpha 0.05
good double --activations double.npy --lambda-select ebic
good dead --activations dead.npy --alpha 0.2; [ "$(json dead/certificate.json 'd["p"], d["columns"], d["constant_columns"]')" = '(11, 12, 1)' ] || fail "constant column"
good dead --activations dead.npy --lambda-select stars --subsamples 5 --stability 4 --debias; [ "$(json dead/certificate.json 'd["p"]')" = 11 ] || fail "constant column with resamples"
! cut -d, -f2 dead/neurons.csv | grep -qx N4 || fail "the constant column has a row"
refused 1 'constant' --activations constant.npy --alpha 0.1

# one and two variables; components
for input in '--cov one.npy' '--activations one_column.npy'; do
    good one $input --alpha 0.1; good one $input; good one $input --path=3 --n 50
done
good one --activations one_column.npy --lambda-select ebic --debias --stability 4 --null 2 --bootstrap 2
good two --cov two.npy --alpha 0.1; [ "$(json two/certificate.json 'd["edges"]')" = 1 ] || fail "p = 2"
good two --activations two_columns.npy --lambda-select cv --debias --stability 4
good blocks --cov blocks.npy --alpha 0.05; [ "$(json blocks/certificate.json 'd["components"] >= 5')" = True ] || fail "components"
good diagonal --cov diagonal.npy --alpha 0.1
good diagonal --cov diagonal.npy --path --n 30
good diagonal --cov diagonal.npy --alpha 0

# what is no covariance and no sample
for bad in nan inf minus_inf; do refused 1 "s_$bad.npy" --cov s_$bad.npy --alpha 0.1; refused 1 "x_$bad.npy" --activations x_$bad.npy --alpha 0.1; done
refused 1 'symmetric' --cov s_skew.npy --alpha 0.1
refused 1 'negative diagonal' --cov s_negative.npy --alpha 0.1
for bad in s_wide s_none s_flat s_cube; do refused 1 'square matrix' --cov $bad.npy --alpha 0.1; done
refused 1 'constant' --cov s_zero.npy --alpha 0.1
for bad in one_row no_rows no_columns s_flat; do refused 1 'at least 2 samples' --activations $bad.npy --alpha 0.1; done
for bad in words complex text empty cut missing; do refused 1 "$bad.npy" --cov $bad.npy --alpha 0.1; done
refused 1 'no finite optimum|indefinite|singular|positive' --cov indefinite.npy --alpha 0.01
good repaired --cov indefinite.npy --alpha 0.6 # indefinite, but the penalised problem is well posed

# the matrices on which sklearn's GraphicalLasso fails, to their known optima (diagonal penalised)
if [ -e "$SHARED/glasso/mazumder_5.npy" ]; then
    good m5 --cov "$SHARED/glasso/mazumder_5.npy" --no-scale --penalize-diagonal --alpha 0.004
    [ "$(json m5/certificate.json 'abs(d["objective"] + 14.819394314) < 1e-7')" = True ] || fail "mazumder_5"
    good m50 --cov "$SHARED/glasso/mazumder_50.npy" --no-scale --penalize-diagonal --alpha 0.02
    [ "$(json m50/certificate.json 'abs(d["objective"] + 51.273536419) < 2e-5')" = True ] || fail "mazumder_50"
    good m50 --cov "$SHARED/glasso/mazumder_50.npy" --path
fi
nothing_left .
exit 0
