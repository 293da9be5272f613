#!/usr/bin/env python3
"""Numbers in test_golden.c: scikit-learn's graphical_lasso (off-diagonal penalty) on matrices given by a formula.
Needs numpy and scikit-learn; run by hand, not by the tests."""
import numpy as np
from sklearn.covariance import graphical_lasso


def matrix(p, n):
    i, k = np.arange(p)[:, None], np.arange(n)[None, :]
    a = np.sin(1.0 + 3 * i + 7 * k + i * k)
    s = a @ a.T / n + 0.3 * np.eye(p)
    d = np.sqrt(np.diag(s))
    return s / np.outer(d, d)


for p, n, alpha in ((6, 9, 0.05), (10, 7, 0.1), (25, 12, 0.15)):
    s = matrix(p, n)
    w, t, _ = graphical_lasso(s, alpha, tol=1e-12, enet_tol=1e-12, max_iter=2000, return_costs=False, return_n_iter=True)
    t = np.where(np.abs(t) > 1e-8, t, 0)
    f = -np.linalg.slogdet(t)[1] + np.sum(s * t) + alpha * (np.abs(t).sum() - np.abs(np.diag(t)).sum())
    print(f"    {{{p}, {n}, {alpha}, {f:.12f}, {np.count_nonzero(t)}, {t[0, 0]:.10f}, {t[1, 0]:.10f}, {t[p - 1, p - 3]:.10f}}},")
