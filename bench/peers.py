#!/usr/bin/env python3
"""Solves one graphical lasso with scikit-learn and prints the time and the gap that our rule gives its answer.

    bench/peers.py FILE.npy LAMBDA      (diagonal not penalised, as scikit-learn does)
"""
import sys
import time
import warnings

import numpy as np


def relative_gap(s, theta, lam):
    """Objective minus a projected, feasible dual value, over max(1, |objective|)."""
    off = ~np.eye(len(s), dtype=bool)
    objective = -np.linalg.slogdet(theta)[1] + (s * theta).sum() + lam * np.abs(theta[off]).sum()
    w = np.linalg.inv(theta)
    dual = s + np.clip(w - s, -lam, lam) * off
    t = 0.0
    while np.linalg.eigvalsh((1 - t) * dual + t * np.diag(np.diag(s)))[0] <= 0:
        t = max(2 * t, 2.0**-20)
    dual = (1 - t) * dual + t * np.diag(np.diag(s))
    return (objective - np.linalg.slogdet(dual)[1] - len(s)) / max(1, abs(objective))


def main():
    from sklearn.covariance import graphical_lasso

    s, lam = np.load(sys.argv[1]), float(sys.argv[2])
    warnings.simplefilter("ignore")
    for tol in (1e-2, 1e-4):
        start = time.perf_counter()
        try:
            theta = graphical_lasso(s, lam, tol=tol, max_iter=200)[1]
        except FloatingPointError as error:
            print(f"          scikit-learn tol {tol:g}: gives up after {time.perf_counter() - start:.2f} s: {str(error)[:60]}")
            continue
        took = time.perf_counter() - start
        theta = (theta + theta.T) / 2
        print(f"          scikit-learn tol {tol:g}: {took:.2f} s, relative gap {relative_gap(s, theta, lam):.1e}")


if __name__ == "__main__":
    main()
