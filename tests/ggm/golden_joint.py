#!/usr/bin/env python3
"""Numbers in test_joint.c: GGLasso's ADMM_MGL (its fused penalty is over successive classes: for two classes that is every pair) on matrices given by a
formula. Needs numpy and gglasso; run by hand, not by the tests."""
import numpy as np
from gglasso.solver.admm_solver import ADMM_MGL


def matrix(p, n, k):
    i, t = np.arange(p)[:, None], np.arange(n)[None, :]
    a = np.sin(1.0 + 3 * i + 7 * t + i * t) + 0.5 * np.sin(k * (2.0 + i + 3 * t))
    s = a @ a.T / n + 0.3 * np.eye(p)
    d = np.sqrt(np.diag(s))
    return s / np.outer(d, d)


for p, n, classes, fused, l1, l2 in ((6, 9, 2, 0, 0.05, 0.05), (10, 12, 3, 0, 0.1, 0.05), (15, 12, 4, 0, 0.05, 0.1), (6, 9, 2, 1, 0.05, 0.05), (12, 10, 2, 1, 0.1, 0.03)):
    s = np.stack([matrix(p, n, k + 1) for k in range(classes)])
    start = np.stack([np.eye(p)] * classes)
    sol, info = ADMM_MGL(s, l1, l2, "FGL" if fused else "GGL", start, tol=1e-11, rtol=1e-11, max_iter=20000, verbose=False)
    t = sol["Theta"]
    off = 1 - np.eye(p)
    f = sum(-np.linalg.slogdet(t[k])[1] + np.sum(s[k] * t[k]) for k in range(classes)) + l1 * np.sum(np.abs(t) * off)
    f += l2 * np.sum((np.abs(t[1] - t[0]) if fused else np.sqrt((t**2).sum(0))) * off)
    print(f"    {{{p}, {n}, {classes}, {'GGM_JOINT_FUSED' if fused else 'GGM_JOINT_GROUP'}, {l1}, {l2}, {f:.10f}, {np.count_nonzero(np.abs(t) > 1e-9)}, "
          f"{t[0, 0, 0]:.8f}, {t[1, 1, 0]:.8f}, {t[classes - 1, p - 1, p - 3]:.8f}}},")
