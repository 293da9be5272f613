#!/usr/bin/env python3
"""The Python peers of the race, as a worker of bench/race.py:   peers.py list  |  peers.py run NAME

`run` imports the package, solves a toy problem so that nothing is done (compiled, say) for the first time on the clock, says
"race ready", and then answers each line "MATRIX.npy LAMBDA EFFORT ANSWER.npy" by "race ok SECONDS" or "race failed WHY". Seconds are
those of the package's own public function, the best of as many runs as fit into a second (at most 5). EFFORT is the tolerance, or
whatever else makes the peer work harder. None penalises the diagonal.
"""
import importlib.metadata
import sys
import time
import warnings

import numpy as np


def scikit_learn():
    from sklearn.covariance import graphical_lasso

    # an inner tolerance that is not far below the outer one keeps it from ever stopping
    return lambda s, lam, tol: graphical_lasso(s, lam, tol=tol, enet_tol=1e-4 * min(1, tol), max_iter=10000)[1]


def skglm():
    from skglm.covariance import GraphicalLasso

    # its tolerance is added to the diagonal of a singular S as well, so it is its iterations that are chosen
    return lambda s, lam, most: GraphicalLasso(alpha=lam, tol=1e-9, inner_tol=1e-6, max_iter=int(most)).fit(s, mode="precomputed").precision_


def gglasso():
    from gglasso.solver.single_admm_solver import block_SGL

    return lambda s, lam, tol: block_SGL(s, lam, np.eye(len(s)), tol=tol, rtol=tol, max_iter=100000)["Theta"]


SOLVERS = {"scikit-learn": scikit_learn, "skglm": skglm, "gglasso": gglasso}


def say(*words):
    print("race", *words, flush=True)


def answer(solve, matrix, lam, effort, out):
    s, best, total = np.load(matrix), np.inf, 0.0
    for _ in range(5):
        start = time.perf_counter()
        theta = solve(s, float(lam), float(effort))
        took = time.perf_counter() - start
        best, total = min(best, took), total + took
        if total >= 1:
            break
    np.save(out, theta)
    say("ok", f"{best:.6f}")


def names_blas():
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "a BLAS it does not name"
    import scipy.linalg  # noqa: F401, so that its BLAS is loaded as well

    found = {f"{lib['internal_api']} {lib['version']} ({lib.get('architecture')})" for lib in threadpool_info() if lib["user_api"] == "blas"}
    return ", ".join(sorted(found))


def main():
    warnings.simplefilter("ignore")
    if sys.argv[1] == "list":
        for name in SOLVERS:
            try:
                say("has", name, importlib.metadata.version(name))
            except importlib.metadata.PackageNotFoundError:
                pass
        say("about", f"Python {sys.version.split()[0]}, numpy {np.__version__} with {names_blas()}")
        return
    solve = SOLVERS[sys.argv[2]]()
    solve(np.full((4, 4), 0.3) + 0.7 * np.eye(4), 0.1, 1.0)
    say("ready")
    for line in sys.stdin:
        try:
            answer(solve, *line.split())
        except Exception as error:  # whatever a peer dies of is an outcome of the race
            say("failed", type(error).__name__, str(error).replace("\n", " ")[:120])


if __name__ == "__main__":
    main()
