#!/usr/bin/env python3
"""Opens every file of a glint results folder with the tools that users have, and checks that the files agree.

    check_results.py RESULTS [--no-pictures]

RESULTS is what `glint run` leaves (docs/files.md), or one <class>/<site> folder of it. Needs nothing but Python; numpy, scipy,
networkx, Graphviz (`dot`) and xmllint are used when they are installed, and a line says what was left out when they are not.
Nothing of glint is used: objective and duality gap are computed again with numpy, measures with networkx.

Exit code: 0 all agrees, 1 something does not (each on a line), 2 wrong usage, 77 nothing could be checked.
"""
import csv
import importlib
import json
import math
import re
import shutil
import struct
import subprocess
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree
import zlib
from pathlib import Path

CERTIFICATE_KEYS = ("p lambda penalize_diagonal objective duality_gap relative_duality_gap kkt_residual nonzeros components "
                    "iterations seconds threads solver outcome").split()
EDGE_COLUMNS = "i j neuron_i neuron_j precision partial_correlation correlation".split()
MODULE_COLUMNS = "neuron module degree strength betweenness mean sd".split()
DENSE_LIMIT = 4500      # largest matrix that is made dense here
RENDER_EDGES = 1500     # larger graphs are parsed by Graphviz, not drawn
BRANDES_LIMIT = 3e6     # nodes x edges up to which networkx computes betweenness
GRAPHML = "{http://graphml.graphdrawing.org/xmlns}"


class Report:
    """Counts checks; prints what fails at once and what was left out once."""

    def __init__(self):
        self.checks, self.failures, self.skipped = 0, 0, set()

    def check(self, good, message):
        self.checks += 1
        if not good:
            self.failures += 1
            print(f"FAILED {message}")
        return bool(good)

    def skip(self, message):
        if message not in self.skipped:
            self.skipped.add(message)
            print(f"skipped: {message}")


report = Report()


def optional(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        report.skip(f"{name} is not installed")
        return None


def tool(name):
    path = shutil.which(name)
    if not path:
        report.skip(f"{name} is not installed")
    return path


numpy, networkx = optional("numpy"), optional("networkx")
scipy_sparse = optional("scipy.sparse") if numpy else None
DOT, XMLLINT = tool("dot"), tool("xmllint")


def close(a, b, tolerance):
    return abs(a - b) <= tolerance * max(1.0, abs(a), abs(b))


def number(text):
    return float(text) if text else math.nan


def read_json(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        report.check(False, f"{path}: {error}")
        return None


def read_table(path, columns):
    """Rows as dictionaries, or None. The text must be UTF-8 and every row as long as the header."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, strict=True))
    except (OSError, ValueError, csv.Error) as error:
        report.check(False, f"{path}: {error}")
        return None
    if not report.check(rows and all(c in rows[0] for c in columns), f"{path}: columns {columns} expected, found {rows[:1]}"):
        return None
    if not report.check(all(len(row) == len(rows[0]) for row in rows), f"{path}: rows of different length"):
        return None
    return [dict(zip(rows[0], row)) for row in rows[1:]]


# ---- matrices -------------------------------------------------------------------------------------------------------

def load_precision(folder):
    path = folder / "precision.npz"
    if not report.check(path.is_file(), f"{path} is missing") or not scipy_sparse:
        return None
    try:
        matrix = scipy_sparse.load_npz(path).tocsr()
    except Exception as error:  # whatever scipy finds wrong with the file
        report.check(False, f"{path}: scipy.sparse.load_npz: {error}")
        return None
    if not report.check(matrix.shape[0] == matrix.shape[1], f"{path}: not square: {matrix.shape}"):
        return None
    report.check(numpy.isfinite(matrix.data).all(), f"{path}: entries that are not finite")
    difference = abs(matrix - matrix.T)
    report.check(difference.nnz == 0 or difference.max() <= 1e-12 * abs(matrix).max(), f"{path}: not symmetric")
    check_positive_definite(matrix, path)
    return matrix


def check_positive_definite(matrix, path):
    """A block-diagonal matrix is positive definite when every connected block is."""
    csgraph = importlib.import_module("scipy.sparse.csgraph")
    count, label = csgraph.connected_components(matrix, directed=False)
    for component in range(count):
        members = numpy.flatnonzero(label == component)
        if len(members) > DENSE_LIMIT:
            report.skip(f"positive definiteness of a component of {len(members)} neurons")
            continue
        try:
            numpy.linalg.cholesky(matrix[members][:, members].toarray())
        except numpy.linalg.LinAlgError:
            report.check(False, f"{path}: not positive definite")
            return
    report.check(True, "")


def check_dense(folder, precision):
    """covariance.npy and precision.npy where they are due; returns the covariance."""
    if not numpy:
        return None
    arrays = {}
    for name in ("covariance.npy", "precision.npy"):
        path = folder / name
        if not path.is_file():
            due = precision is not None and precision.shape[0] <= 4096
            report.check(not due, f"{path} is missing")
            continue
        try:
            arrays[name] = numpy.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            report.check(False, f"{path}: numpy.load: {error}")
            continue
        p = precision.shape[0] if precision is not None else len(arrays[name])
        if not report.check(arrays[name].shape == (p, p) and arrays[name].dtype == numpy.float64, f"{path}: {arrays[name].dtype} {arrays[name].shape}, expected float64 {(p, p)}"):
            del arrays[name]
    if "precision.npy" in arrays and precision is not None:
        report.check(numpy.array_equal(arrays["precision.npy"], precision.toarray()), f"{folder}: precision.npy differs from precision.npz")
    covariance = arrays.get("covariance.npy")
    if covariance is not None:
        report.check(numpy.isfinite(covariance).all() and numpy.allclose(covariance, covariance.T, rtol=1e-10, atol=0) and (numpy.diag(covariance) > 0).all(),
                     f"{folder}/covariance.npy: not finite, not symmetric, or without variance")
    return covariance


# ---- certificate ----------------------------------------------------------------------------------------------------

def check_certificate(folder, precision, covariance):
    path = folder / "certificate.json"
    certificate = read_json(path)
    if certificate is None:
        return None
    missing = [key for key in CERTIFICATE_KEYS if key not in certificate]
    if not report.check(not missing, f"{path}: keys missing: {missing}"):
        return certificate
    report.check(certificate["outcome"] == "converged" or isinstance(certificate["outcome"], str), f"{path}: outcome {certificate['outcome']!r}")
    report.check(isinstance(certificate["penalize_diagonal"], bool), f"{path}: penalize_diagonal is not true or false")
    for key in ("p", "nonzeros", "components", "iterations", "threads"):
        report.check(isinstance(certificate[key], int) and certificate[key] >= 0, f"{path}: {key} = {certificate[key]!r} is not a count")
    if precision is not None:
        csgraph = importlib.import_module("scipy.sparse.csgraph")
        report.check(certificate["p"] == precision.shape[0], f"{path}: p = {certificate['p']}, precision.npz has {precision.shape[0]}")
        report.check(certificate["nonzeros"] == precision.nnz, f"{path}: nonzeros = {certificate['nonzeros']}, precision.npz has {precision.nnz}")
        # Screening splits by the covariance; a component it leaves whole may come out in several pieces, never the reverse.
        pieces = csgraph.connected_components(precision, directed=False)[0]
        report.check(certificate["components"] <= pieces, f"{path}: {certificate['components']} components, the graph has only {pieces}")
    if precision is not None and covariance is not None and precision.shape[0] <= DENSE_LIMIT:
        check_optimality(path, certificate, precision.toarray(), covariance)
    elif numpy:
        report.skip("objective and duality gap where there is no covariance.npy")
    if "wrong_edges" in certificate:
        pairs = certificate["p"] * (certificate["p"] - 1) // 2
        proven = certificate["proven_edges"] + certificate["proven_zeros"] + certificate["undecided_pairs"]
        report.check(proven == pairs, f"{path}: proven and undecided pairs are {proven}, there are {pairs}")
        report.check(certificate["proven_edges"] + certificate["wrong_edges"] <= certificate["edges"], f"{path}: more edges proven than there are")
    return certificate


def check_optimality(path, certificate, theta, s):
    """Objective, duality gap and optimality conditions of the graphical lasso, from the matrices alone."""
    p, lam = len(s), certificate["lambda"]
    if "joint" in certificate:
        return  # its objective is that of all classes: check_joint
    if "penalty_weights" in certificate:
        report.skip("objective and duality gap with --penalty, whose weights are not among the results")
        return
    if certificate.get("correlation_scaled", True):
        d = numpy.sqrt(numpy.diag(s))
        s, theta = s / numpy.outer(d, d), theta * numpy.outer(d, d)
    penalty = numpy.full((p, p), lam)
    if not certificate["penalize_diagonal"]:
        numpy.fill_diagonal(penalty, 0)
    objective = float(-numpy.linalg.slogdet(theta)[1] + (s * theta).sum() + (penalty * abs(theta)).sum())
    if not report.check(close(objective, certificate["objective"], 1e-8), f"{path}: objective {certificate['objective']!r}, numpy finds {objective!r}"):
        return
    gap, relative = certificate["duality_gap"], certificate["relative_duality_gap"]
    if gap is None or relative is None:
        report.check(certificate["outcome"] != "converged", f"{path}: converged without a duality gap")
        return
    report.check(gap >= 0 and close(relative, gap / max(1, abs(objective)), 1e-6), f"{path}: relative_duality_gap {relative!r} is not duality_gap {gap!r} / max(1, |objective|)")
    if certificate["outcome"] != "converged":
        return
    report.check(relative <= certificate.get("tolerance", 1e-6) * (1 + 1e-9), f"{path}: converged, but the relative gap is {relative:g}")
    # A dual point of our own: the inverse, moved into its bounds, and towards the diagonal until it is positive definite.
    w = numpy.linalg.inv(theta)
    inside = s + numpy.clip(w - s, -penalty, penalty)
    numpy.fill_diagonal(inside, numpy.diag(s) + numpy.diag(penalty))
    sign, logdet = numpy.linalg.slogdet(inside)
    ours = objective - logdet - p if sign > 0 else math.inf
    violation = abs(numpy.where(theta != 0, s - w + penalty * numpy.sign(theta), numpy.maximum(abs(s - w) - penalty, 0)))
    # The certificate's own dual point may be better than this one by what the inverse violates the conditions.
    allowed = 10 * gap + 1e-7 * max(1, abs(objective)) + 3 * violation.max() * abs(theta).sum()
    report.check(-1e-9 * max(1, abs(objective)) <= ours <= allowed, f"{path}: numpy's duality gap is {ours:g}, the certificate's {gap:g}")
    residual = violation.max() / numpy.diag(s).max()
    report.check(residual <= max(1e-3, 100 * (certificate["kkt_residual"] or 0)), f"{path}: optimality conditions violated by {residual:g}, kkt_residual says {certificate['kkt_residual']:g}")


def check_joint(root, folders):
    """Classes that were solved together: one objective, and for the group penalty the optimality conditions."""
    certificates = [read_json(folder / "certificate.json") for folder in folders]
    if any(c is None for c in certificates) or not numpy or not all((folder / name).is_file() for folder in folders for name in ("covariance.npy", "precision.npy")):
        return
    first = certificates[0]
    report.check(all(c["joint"] == first["joint"] and c["objective"] == first["objective"] for c in certificates), f"{root}: the classes' certificates are not of one joint solve")
    s, t = [], []
    for folder in folders:
        covariance, precision = numpy.load(folder / "covariance.npy"), numpy.load(folder / "precision.npy")
        d = numpy.sqrt(numpy.diag(covariance)) if first["correlation_scaled"] else numpy.ones(len(covariance))
        s.append(covariance / numpy.outer(d, d))
        t.append(precision * numpy.outer(d, d))
    s, t, l1, l2 = numpy.array(s), numpy.array(t), first["joint"]["lambda1"], first["joint"]["lambda2"]
    norm = numpy.sqrt((t ** 2).sum(0))
    between = norm if first["joint"]["penalty"] == "group" else sum(abs(t[k] - t[m]) for k in range(len(t)) for m in range(k))
    penalty = l1 * abs(t).sum(0) + l2 * between
    if not first["penalize_diagonal"]:
        numpy.fill_diagonal(penalty, 0)
    objective = float(sum(-numpy.linalg.slogdet(a)[1] + (b * a).sum() for a, b in zip(t, s)) + penalty.sum())
    report.check(close(objective, first["objective"], 1e-8), f"{root}: joint objective {first['objective']!r}, numpy finds {objective!r}")
    if first["outcome"] != "converged" or first["joint"]["penalty"] != "group":
        return
    g = s - numpy.linalg.inv(t)
    with numpy.errstate(invalid="ignore", divide="ignore"):
        on = abs(g + l1 * numpy.sign(t) + l2 * t / norm)
    off = numpy.maximum(abs(g) - l1, 0)
    violation = numpy.where(t != 0, on, off)                                    # a class without the edge that another has
    empty = numpy.maximum(numpy.sqrt((off ** 2).sum(0)) - l2, 0)                # no class has it
    violation = numpy.where(norm > 0, violation.max(0), empty)
    numpy.fill_diagonal(violation, abs(numpy.diagonal(g, axis1=1, axis2=2)).max(0) if not first["penalize_diagonal"] else 0)
    report.check(violation.max() <= max(1e-3, 100 * (first["kkt_residual"] or 0)), f"{root}: joint optimality conditions violated by {violation.max():g}")


# ---- the path of lambdas --------------------------------------------------------------------------------------------

def check_path(folder, certificate, covariance):
    if not (folder / "path.json").is_file():
        report.check(not (folder / "path").exists(), f"{folder}/path is there without path.json")
        return
    path, d = folder / "path.json", read_json(folder / "path.json")
    if d is None or not report.check(isinstance(d.get("points"), list) and d["points"], f"{path}: no points"):
        return
    points, p = d["points"], d["p"]
    lambdas = [x["lambda"] for x in points]
    report.check(lambdas == sorted(lambdas, reverse=True) and len(set(lambdas)) == len(lambdas), f"{path}: lambdas do not descend")
    chosen = [x for x in points if x["selected"]]
    if report.check(len(chosen) == 1, f"{path}: {len(chosen)} points are selected") and certificate:
        report.check(chosen[0]["lambda"] == d["lambda"] == certificate["lambda"], f"{path}: the selected lambda is not that of certificate.json")
        report.check(chosen[0]["edges"] == certificate["edges"], f"{path}: {chosen[0]['edges']} edges at the selected lambda, certificate.json has {certificate['edges']}")
    for x in points:
        report.check(x["status"] != "ok" or ("outcome" in x and "edges" in x), f"{path}: a point at lambda {x['lambda']} without an answer")
        if "edges" in x and p > 1:
            report.check(close(x["density"], 2 * x["edges"] / (p * (p - 1)), 1e-12), f"{path}: density {x['density']} at lambda {x['lambda']}")
        if "ebic" in x:
            ebic = -d["n"] * x["log_likelihood"] + x["edges"] * math.log(d["n"]) + 4 * d["gamma"] * x["edges"] * math.log(p)
            report.check(close(x["ebic"], ebic, 1e-9), f"{path}: EBIC {x['ebic']!r} at lambda {x['lambda']}, should be {ebic!r}")
        if "file" in x:
            check_path_matrix(folder / x["file"], x, certificate, covariance)
    check_choice(path, d, certificate, chosen)
    files = {x["file"] for x in points if "file" in x}
    if (folder / "path").exists():
        report.check({f"path/{f.name}" for f in (folder / "path").iterdir()} == files, f"{folder}/path: not the files that path.json names")
    check_png(folder / "path.png")


def check_choice(path, d, certificate, chosen):
    """The selected point is what its criterion says, among the points that can be told."""
    key = {"ebic": "ebic", "cv": "cv_mean"}.get(d["rule"])
    if not chosen or not certificate:
        return
    scores = [x[key] for x in d["points"] if key in x] if key else []
    if scores and not certificate.get("selection", {}).get("one_standard_error"):
        report.check(chosen[0].get(key, math.inf) <= min(scores) + 1e-6 * abs(min(scores)), f"{path}: the selected lambda has not the smallest {key}")
    if d["rule"] == "stars" and not certificate["selection"]["at_end"]:
        report.check(chosen[0]["instability"] <= d["instability_threshold"], f"{path}: the selected lambda is not stable")
        smaller = [x["instability"] for x in d["points"] if x["lambda"] < chosen[0]["lambda"] and "instability" in x]
        report.check(not smaller or min(smaller) > d["instability_threshold"], f"{path}: a smaller lambda is stable too")


def check_path_matrix(path, point, certificate, covariance):
    if not report.check(path.is_file(), f"{path} is missing") or not scipy_sparse:
        return
    theta = scipy_sparse.load_npz(path).toarray()
    report.check((theta == theta.T).all() and numpy.count_nonzero(numpy.triu(theta, 1)) == point["edges"], f"{path}: not symmetric, or not as many edges as path.json says")
    if covariance is None or certificate is None or len(theta) > DENSE_LIMIT:
        return
    sign, logdet = numpy.linalg.slogdet(theta)
    likelihood = logdet - (covariance * theta).sum()
    if report.check(sign > 0, f"{path}: not positive definite") and "log_likelihood" in point:
        report.check(close(likelihood, point["log_likelihood"], 1e-8), f"{path}: log_likelihood {point['log_likelihood']!r}, numpy finds {likelihood!r}")
    if "penalty_weights" in certificate or point.get("outcome") != "converged":
        return
    d = numpy.sqrt(numpy.diag(covariance)) if certificate.get("correlation_scaled", True) else numpy.ones(len(covariance))
    t, s = theta * numpy.outer(d, d), covariance / numpy.outer(d, d)
    penalty = numpy.full(t.shape, point["lambda"])
    if not certificate["penalize_diagonal"]:
        numpy.fill_diagonal(penalty, 0)
    w = numpy.linalg.inv(t)
    violation = abs(numpy.where(t != 0, s - w + penalty * numpy.sign(t), numpy.maximum(abs(s - w) - penalty, 0))).max() / numpy.diag(s).max()
    report.check(violation <= max(1e-3, 100 * point.get("kkt_residual", 0)), f"{path}: optimality conditions violated by {violation:g}")


# ---- uncertainty ----------------------------------------------------------------------------------------------------

def check_uncertainty(folder, certificate, edges, precision, covariance):
    if edges is None or certificate is None:
        return
    columns = set(edges[0]) if edges else set()
    for section, names in (("stability", ["stability"]), ("null", ["null_p", "null_family_p"]), ("debiased", ["z", "p", "q"]),
                           ("bootstrap", ["bootstrap_lower", "bootstrap_upper", "bootstrap_sd", "bootstrap_presence"])):
        finished = certificate.get(section, {}).get("outcome") == "converged"
        if not edges or not report.check(all(n in columns for n in names) or not finished, f"{folder}/edges.csv: columns {names} expected"):
            continue
        if section in certificate and "completed" in certificate[section] and finished:
            told = certificate[section]
            report.check(told["completed"] + told["failed"] == told["resamples"], f"{folder}/certificate.json: resamples of {section}")
        for name in names:
            if name in columns and name not in ("z", "bootstrap_lower", "bootstrap_upper", "bootstrap_sd"):
                report.check(all(0 <= number(row[name]) <= 1 for row in edges if row[name]), f"{folder}/edges.csv: {name} outside [0, 1]")
    if "bootstrap_lower" in columns:
        report.check(all(number(r["bootstrap_lower"]) <= number(r["bootstrap_upper"]) for r in edges if r["bootstrap_lower"]), f"{folder}/edges.csv: empty bootstrap intervals")
    if "stability" in columns and scipy_sparse:
        check_stability(folder, certificate["stability"], edges)
    if "p" in columns and precision is not None and covariance is not None:
        check_debiased(folder, certificate, edges, precision.toarray(), covariance)


def check_stability(folder, told, edges):
    frequency = scipy_sparse.load_npz(folder / "stability.npz").tocsr()
    report.check(abs(frequency - frequency.T).nnz == 0 and frequency.diagonal().sum() == 0 and 0 < frequency.data.min() and frequency.data.max() <= 1, f"{folder}/stability.npz: not frequencies")
    report.check(all(frequency[int(r["i"]), int(r["j"])] == number(r["stability"]) for r in edges), f"{folder}/edges.csv: stability is not that of stability.npz")
    stable = int((scipy_sparse.triu(frequency, k=1).data >= told["threshold"] * (1 - 1e-12)).sum())
    report.check(stable == told["stable_pairs"], f"{folder}/certificate.json: {told['stable_pairs']} stable pairs, stability.npz has {stable}")


def check_debiased(folder, certificate, edges, theta, covariance):
    """Jankova and van de Geer's estimates and Benjamini and Hochberg's rates, from the matrices."""
    n, p = certificate["debiased"]["n"], len(theta)
    diagonal = numpy.diag(theta)
    z = math.sqrt(n) * (2 * theta - theta @ covariance @ theta) / numpy.sqrt(numpy.outer(diagonal, diagonal) + theta ** 2)
    i, j = numpy.triu_indices(p, 1)
    all_p = numpy.array([math.erfc(abs(x) / math.sqrt(2)) for x in z[i, j]])
    order = numpy.argsort(all_p)
    q = numpy.empty_like(all_p)
    q[order] = numpy.minimum.accumulate((all_p[order] * len(order) / numpy.arange(1, len(order) + 1))[::-1])[::-1]
    place = {(a, b): k for k, (a, b) in enumerate(zip(i.tolist(), j.tolist()))}
    at = [place[int(r["i"]), int(r["j"])] for r in edges]
    for name, values in (("z", z[i, j]), ("p", all_p), ("q", q)):
        told = numpy.array([number(r[name]) for r in edges])
        report.check(numpy.allclose(told, values[at], rtol=1e-5, atol=1e-12), f"{folder}/edges.csv: {name} is not what numpy finds")
    rows = read_table(folder / "debiased.csv", "i j neuron_i neuron_j precision lower upper partial_correlation z p q edge".split())
    rate = certificate["debiased"]["false_discovery_rate"]
    if rows is not None:
        report.check(len(rows) == certificate["debiased"]["discoveries"] == int((q <= rate).sum()), f"{folder}/debiased.csv: {len(rows)} discoveries, numpy finds {int((q <= rate).sum())}")
        report.check(all((theta[int(r["i"]), int(r["j"])] != 0) == (r["edge"] == "1") for r in rows), f"{folder}/debiased.csv: edge is not that of precision.npz")


# ---- tables ---------------------------------------------------------------------------------------------------------

def check_tables(folder, precision, covariance, certificate):
    edges, modules = read_table(folder / "edges.csv", EDGE_COLUMNS), read_table(folder / "modules.csv", MODULE_COLUMNS)
    if edges is None or modules is None:
        return None, None
    p, names = len(modules), [row["neuron"] for row in modules]
    report.check(len(set(names)) == p, f"{folder}/modules.csv: neurons named twice")
    if certificate and "p" in certificate:
        report.check(p == certificate["p"], f"{folder}/modules.csv: {p} rows, certificate.json says p = {certificate['p']}")
    pairs = [(int(row["i"]), int(row["j"])) for row in edges]
    if not report.check(all(0 <= i < j < p for i, j in pairs) and len(set(pairs)) == len(pairs), f"{folder}/edges.csv: i < j < p violated, or an edge twice"):
        return None, None
    report.check(all(names[i] == row["neuron_i"] and names[j] == row["neuron_j"] for (i, j), row in zip(pairs, edges)), f"{folder}: neurons of edges.csv are not those of modules.csv")
    pcor = [number(row["partial_correlation"]) for row in edges]
    report.check(all(0 < abs(x) <= 1 for x in pcor), f"{folder}/edges.csv: partial correlations outside [-1, 1] or 0")
    report.check(all(abs(a) >= abs(b) for a, b in zip(pcor, pcor[1:])), f"{folder}/edges.csv: not ordered by strength")
    degree, strength = [0] * p, [0.0] * p
    for (i, j), x in zip(pairs, pcor):
        for k in (i, j):
            degree[k] += 1
            strength[k] += abs(x)
    report.check(all(int(row["degree"]) == d and close(number(row["strength"]), x, 1e-9) for row, d, x in zip(modules, degree, strength)), f"{folder}/modules.csv: degree or strength is not that of edges.csv")
    report.check(all((int(row["module"]) == -1) == (d == 0) for row, d in zip(modules, degree)), f"{folder}/modules.csv: module -1 must mean isolated")
    check_module_numbers(folder, [int(row["module"]) for row in modules])
    if precision is not None and report.check(precision.shape[0] == p, f"{folder}: modules.csv has {p} rows, precision.npz {precision.shape[0]}"):
        check_against_matrices(folder, edges, pairs, pcor, precision, covariance)
    return edges, modules


def check_module_numbers(folder, labels):
    sizes = [labels.count(m) for m in range(max(labels, default=-1) + 1)]
    report.check(all(sizes) and sizes == sorted(sizes, reverse=True), f"{folder}/modules.csv: modules are not numbered by decreasing size: {sizes}")


def check_against_matrices(folder, edges, pairs, pcor, precision, covariance):
    upper = scipy_sparse.triu(precision, k=1).tocsr()
    upper.eliminate_zeros()
    report.check(upper.nnz == len(edges), f"{folder}/edges.csv: {len(edges)} edges, precision.npz has {upper.nnz}")
    if not pairs:
        return
    i, j = numpy.array(pairs).T
    theta, diagonal = numpy.asarray(precision[i, j]).ravel(), precision.diagonal()
    report.check(numpy.array_equal(theta, [float(row["precision"]) for row in edges]), f"{folder}/edges.csv: precision is not that of precision.npz")
    report.check(numpy.allclose(pcor, -theta / numpy.sqrt(diagonal[i] * diagonal[j]), rtol=1e-12, atol=0), f"{folder}/edges.csv: partial_correlation is not -theta_ij / sqrt(theta_ii theta_jj)")
    if covariance is not None and all(row["correlation"] for row in edges):
        d = numpy.diag(covariance)
        report.check(numpy.allclose([float(row["correlation"]) for row in edges], covariance[i, j] / numpy.sqrt(d[i] * d[j]), rtol=1e-10, atol=1e-12), f"{folder}/edges.csv: correlation is not that of covariance.npy")


# ---- graph files ----------------------------------------------------------------------------------------------------

def run_tool(command, what):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        report.check(False, f"{what}: {command[0]} took more than 300 s")
        return None
    if not report.check(done.returncode == 0, f"{what}: {done.stderr.decode(errors='replace').strip()[:300]}"):
        return None
    return done.stdout.decode("utf-8", errors="replace")


def check_dot(folder, edges):
    path = folder / "graph.dot"
    if not report.check(path.is_file(), f"{path} is missing"):
        return
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if re.search(r'" -- "', line)]
    report.check(len(lines) == len(edges), f"{path}: {len(lines)} edges, edges.csv has {len(edges)}")
    signs = [re.search(r'pcor="(-?)', line) for line in lines]
    expected = [row["partial_correlation"].startswith("-") for row in edges]
    report.check(all(signs) and [m.group(1) == "-" for m in signs] == expected, f"{path}: signs are not those of edges.csv")
    colours = {(negative, re.search(r'color="(#\w+)"', line).group(1)) for negative, line in zip(expected, lines)}
    report.check(len(colours) == len({c for c, _ in colours}), f"{path}: colour does not tell the sign: {sorted(colours)}")
    if not DOT:
        return
    canon = run_tool([DOT, "-Tcanon", str(path)], path)
    report.check(canon is None or canon.count(" -- ") == len(edges), f"{path}: Graphviz reads another number of edges")
    if len(edges) > RENDER_EDGES:
        report.skip(f"drawing graphs of more than {RENDER_EDGES} edges with Graphviz")
        return
    picture = run_tool([DOT, "-Tsvg", str(path)], path)
    if picture is not None:
        report.check(picture.count('class="edge"') == len(edges), f"{path}: Graphviz draws another number of edges")


def check_graphml(folder, edges, modules):
    path = folder / "graph.graphml"
    if not report.check(path.is_file(), f"{path} is missing"):
        return
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        report.check(False, f"{path}: {error}")
        return
    report.check(root.tag == GRAPHML + "graphml" and root.find(GRAPHML + "graph").get("edgedefault") == "undirected", f"{path}: not an undirected GraphML graph")
    if XMLLINT:
        run_tool([XMLLINT, "--noout", "--nonet", "--huge", str(path)], path)
    if not networkx:
        return
    graph = networkx.read_graphml(path)
    report.check(not graph.is_directed() and not graph.is_multigraph(), f"{path}: networkx reads a directed or multiple graph")
    report.check(graph.number_of_edges() == len(edges) and graph.number_of_nodes() == len(modules), f"{path}: networkx reads {graph.number_of_nodes()} nodes, {graph.number_of_edges()} edges")
    wrong = 0
    for row in edges:
        data, x = graph.get_edge_data(row["neuron_i"], row["neuron_j"]), float(row["partial_correlation"])
        wrong += not data or data["pcor"] != x or data["weight"] != abs(x) or data["sign"] != (1 if x > 0 else -1)
    report.check(wrong == 0, f"{path}: {wrong} edges whose weight, pcor or sign is not that of edges.csv")
    wrong = sum(graph.nodes[row["neuron"]]["module"] != int(row["module"]) or graph.nodes[row["neuron"]]["degree"] != int(row["degree"]) for row in modules if row["neuron"] in graph)
    report.check(wrong == 0, f"{path}: {wrong} nodes whose module or degree is not that of modules.csv")
    check_measures(folder, graph, modules)


def check_measures(folder, graph, modules):
    groups = {}
    for row in modules:
        groups.setdefault(int(row["module"]) if int(row["module"]) >= 0 else row["neuron"], set()).add(row["neuron"])
    if graph.number_of_edges():
        q = networkx.community.modularity(graph, groups.values(), weight="weight")
        report.check(close(q, float(graph.graph.get("modularity", math.nan)), 1e-9), f"{folder}/graph.graphml: modularity {graph.graph.get('modularity')}, networkx finds {q}")
    touched = sum(d > 0 for _, d in graph.degree())
    if touched * graph.number_of_edges() > BRANDES_LIMIT:
        report.skip("betweenness of large graphs")
        return
    if int(graph.graph.get("betweenness_sources", touched)) < touched:
        report.skip("betweenness that glint estimated")
        return
    between = networkx.betweenness_centrality(graph)
    wrong = sum(not close(between[row["neuron"]], float(row["betweenness"]), 1e-9) for row in modules)
    report.check(wrong == 0, f"{folder}/modules.csv: betweenness of {wrong} neurons is not what networkx finds")


# ---- pictures -------------------------------------------------------------------------------------------------------

def check_png(path):
    if not report.check(path.is_file(), f"{path} is missing"):
        return
    data, at, packed, size = path.read_bytes(), 8, b"", None
    if not report.check(data[:8] == b"\x89PNG\r\n\x1a\n", f"{path}: not a PNG"):
        return
    kind = b""
    while at + 12 <= len(data) and kind != b"IEND":
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if not report.check(data[at + 8 + length:at + 12 + length] == struct.pack(">I", zlib.crc32(kind + body)), f"{path}: chunk {kind} is damaged"):
            return
        if kind == b"IHDR":
            size = struct.unpack(">II", body[:8])
        packed += body if kind == b"IDAT" else b""
        at += 12 + length
    report.check(kind == b"IEND" and at == len(data), f"{path}: ends early, or has bytes after its end")
    report.check(size and min(size) >= 200 and max(size) <= 20000, f"{path}: size {size}")
    try:
        report.check(len(zlib.decompress(packed)) >= size[0] * size[1], f"{path}: pixels missing")
    except zlib.error as error:
        report.check(False, f"{path}: {error}")


def check_svg(path):
    if not report.check(path.is_file(), f"{path} is missing"):
        return
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        report.check(False, f"{path}: {error}")
        return
    report.check(root.tag == "{http://www.w3.org/2000/svg}svg" and root.get("viewBox") and len(list(root.iter())) > 5, f"{path}: not an SVG picture")


# ---- folders --------------------------------------------------------------------------------------------------------

def check_result(folder, pictures):
    precision = load_precision(folder)
    covariance = check_dense(folder, precision)
    certificate = check_certificate(folder, precision, covariance)
    edges, modules = check_tables(folder, precision, covariance, certificate)
    check_path(folder, certificate, covariance)
    check_uncertainty(folder, certificate, edges, precision, covariance)
    if edges is None:
        return None
    check_dot(folder, edges)
    check_graphml(folder, edges, modules)
    if pictures:
        check_png(folder / "precision.png")
        check_png(folder / "graph.png")
        check_svg(folder / "graph.svg")
    return edges


def check_comparison(folder, graphs, pictures):
    """graphs: class -> edges.csv of that class and site."""
    summary = read_json(folder / "summary.json")
    if summary is None:
        return
    classes = [entry["name"] for entry in summary["classes"]]
    if not report.check(len(classes) >= 2 and all(c in graphs for c in classes), f"{folder}/summary.json: classes {classes}, solved are {sorted(graphs)}"):
        return
    have = {c: {frozenset((r["neuron_i"], r["neuron_j"])): float(r["partial_correlation"]) for r in graphs[c]} for c in classes}
    union = set().union(*have.values())
    shared = {e for e in union if all(e in have[c] for c in classes)}
    opposite = sum(len({have[c][e] > 0 for c in classes}) == 2 for e in shared)
    told = (summary["edges"], summary["shared"], summary["opposite_sign"])
    report.check(told == (len(union), len(shared), opposite), f"{folder}/summary.json: edges, shared, opposite_sign = {told}, counted {(len(union), len(shared), opposite)}")
    report.check(close(summary["jaccard"], len(shared) / len(union) if union else 1, 1e-12), f"{folder}/summary.json: jaccard {summary['jaccard']}")
    rows = read_table(folder / "edges.csv", ["neuron_i", "neuron_j", "shared", "difference"] + [f"pcor_{c}" for c in classes])
    if rows is not None:
        report.check(len(rows) == len(union) and all(float(r[f"pcor_{c}"]) == have[c].get(frozenset((r["neuron_i"], r["neuron_j"])), 0) for r in rows for c in classes), f"{folder}/edges.csv: not the edges of the classes")
        difference = [float(r["difference"]) for r in rows]
        report.check(difference == sorted(difference, reverse=True), f"{folder}/edges.csv: not ordered by difference")
    rows = read_table(folder / "shared.csv", ["neuron_i", "neuron_j"])
    report.check(rows is None or {frozenset((r["neuron_i"], r["neuron_j"])) for r in rows} == shared, f"{folder}/shared.csv: not the shared edges")
    for entry in summary["classes"]:
        only = {e for e in union if [c for c in classes if e in have[c]] == [entry["name"]]}
        rows = read_table(folder / entry["only_file"], ["neuron_i", "neuron_j", "partial_correlation"])
        report.check(rows is None or {frozenset((r["neuron_i"], r["neuron_j"])) for r in rows} == only, f"{folder}/{entry['only_file']}: not the edges of that class only")
        report.check((entry["edges"], entry["only"]) == (len(have[entry["name"]]), len(only)), f"{folder}/summary.json: counts of class {entry['name']}")
    if pictures:
        for path in sorted(folder.glob("*.png")):
            check_png(path)
        report.check(any(folder.glob("*.png")), f"{folder}: no picture")


def check_run(root, results):
    run = read_json(root / "run.json")
    if run is None:
        return
    report.check(isinstance(run.get("settings"), dict) and isinstance(run.get("results"), list), f"{root}/run.json: settings and results expected")
    told = {(str(entry.get("class")), str(entry.get("site"))): entry for entry in run.get("results", [])}
    for (class_name, site), edges in results.items():
        entry = told.get((class_name, site))
        if report.check(entry is not None, f"{root}/run.json: no result for {class_name} {site}") and edges is not None and "edges" in entry:
            report.check(entry["edges"] == len(edges), f"{root}/run.json: {class_name} {site}: {entry['edges']} edges, edges.csv has {len(edges)}")


def check_root(root, pictures):
    found = sorted(path.parent for path in root.glob("*/*/precision.npz") if not any(part.startswith(".") for part in path.relative_to(root).parts))
    alone = sorted(path.parent for path in root.glob("*/precision.npz")) # classes of matrices, which have no site
    if not report.check(found or alone, f"{root}: no <class>/<site>/precision.npz"):
        return
    for folder in alone:
        check_result(folder, pictures)
    results = {(urllib.parse.unquote(folder.parent.name), folder.name): check_result(folder, pictures) for folder in found}
    for site in sorted({folder.name for folder in found}) + [None] * bool(alone):
        together = [f for f in (alone if site is None else found) if site in (None, f.name) and "joint" in (read_json(f / "certificate.json") or {})]
        if together:
            check_joint(root, together)
    if (root / "run.json").exists():
        check_run(root, results)
    else:
        report.skip("run.json, which only `glint run` leaves")
    for site in sorted({site for _, site in results}):
        graphs = {class_name: edges for (class_name, other), edges in results.items() if other == site and edges is not None}
        if (root / "compare" / site).is_dir():
            check_comparison(root / "compare" / site, graphs, pictures)
        elif len([c for c in graphs if c != "all"]) > 1:
            report.check(False, f"{root}/compare/{site} is missing")
    for page in root.glob("index.html"):
        report.check(page.stat().st_size > 0, f"{page} is empty")


def wants_pictures(root):
    run = read_json(root / "run.json") if (root / "run.json").exists() else None
    return not (run and run.get("settings", {}).get("skip_viz"))


def main(arguments):
    folders = [a for a in arguments if not a.startswith("-")]
    if len(folders) != 1 or any(a not in ("--no-pictures",) for a in arguments if a.startswith("-")):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    root = Path(folders[0])
    if not root.is_dir():
        print(f"there is no folder {root}", file=sys.stderr)
        return 2
    pictures = "--no-pictures" not in arguments and wants_pictures(root)
    if (root / "precision.npz").exists():
        check_result(root, pictures)
    else:
        check_root(root, pictures)
    print(f"{root}: {report.checks} checks, {report.failures} failed")
    if report.failures:
        return 1
    return 0 if report.checks else 77


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
