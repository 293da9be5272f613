#!/usr/bin/env python3
"""The race: every graphical lasso solver found here on the standard problems, every answer judged by ggm_certify.

    bench/race [BUILD] [--peers all|NAME,..] [--solvers auto,bcd,..] [--rows TEXT] [--budget SECONDS] [--threads 1,2] [--tolerance 1e-6]
    bench/race [BUILD] --large [--sizes 5000,7000]     libggm alone at sizes where the peers take hours
    bench/race [BUILD] --update                        measures nothing: writes what was last measured into docs/benchmarks.md

A cell is a problem, a solver and a number of threads. The solver is given the loosest tolerance of a ladder (two steps a decade) with
which the answer's relative duality gap, as ggm_certify finds it from the answer alone, is at most --tolerance; the time of that
run counts, without starting an interpreter, reading files, or compiling. A cell that has not got there within --budget seconds shows its best.

Peers are programs that answer one line each (peers.R, peers.py), or bench_solve. Results, the table and the picture lie in BUILD/bench/race;
problems, made once, in BUILD/bench/problems. The interpreter that runs this ($PYTHON) is the one whose packages are raced.
"""
import argparse
import datetime
import json
import math
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import threading
import time

import numpy as np

import race_report
from race_report import NATIVE, OURS

HERE = pathlib.Path(__file__).resolve().parent
SHARED = pathlib.Path(os.environ.get("SHARED", HERE.parent.parent / "shared"))

# name, lambda, and (kind, p) for problems.py, or None for a file of shared/glasso
ROWS = [
    ("er_692", 0.5, None), ("er_692", 0.1, None),
    ("neurons_stories260k_mean_860", 0.3, None), ("neurons_stories260k_mean_860", 0.1, None),
    ("random-2000", 0.15, ("random", 2000)), ("neurons-2000", 0.1, ("neurons", 2000)),
    ("scalefree-2000", 0.05, ("scalefree", 2000)), ("chain-2000", 0.2, ("chain", 2000)),
]
KINDS = ("random", "neurons", "scalefree")
SHARES = (0.001, 0.008, 0.015, 0.08)  # of |S_ij| above lambda; makes roughly 0.1, 0.5, 1 and 5 % of the precision matrix nonzero
PATH_LENGTH = 20

DECADES = [10 ** (-k / 2) for k in range(-2, 25)]


class Solver:
    """Name; whether it penalises the diagonal; the ladder of efforts and where on it to start; whether threads change anything; the command
    of its worker, or bench_solve's name for it."""

    def __init__(self, name, penalize, start, ladder=None, threaded=False, command=None, native=None):
        self.name, self.penalize, self.threaded, self.command, self.native = name, penalize, threaded, command, native
        self.ladder = ladder or DECADES
        self.start = min(range(len(self.ladder)), key=lambda i: abs(math.log(self.ladder[i] / start)))


R, PYTHON = ["Rscript", str(HERE / "peers.R")], [sys.executable, str(HERE / "peers.py")]
PEERS = [
    Solver(NATIVE, True, 1e-2, native="glassofast"),
    Solver("glasso", True, 1e-3, command=R),
    Solver("huge", True, 1, ladder=[1], command=R),
    Solver("scikit-learn", False, 3e-2, threaded=True, command=PYTHON),
    Solver("skglm", False, 4, ladder=[2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128], threaded=True, command=PYTHON),
    Solver("gglasso", False, 1e-8, threaded=True, command=PYTHON),
]
CURES = {
    "glasso": "apt-get install r-base-core r-cran-glasso", "huge": "apt-get install r-base-core r-cran-huge",
    "scikit-learn": "$PYTHON -m pip install scikit-learn", "skglm": "$PYTHON -m pip install skglm", "gglasso": "$PYTHON -m pip install gglasso",
}


def environment(threads):
    """Threads of OpenMP and of every BLAS; nothing that makes a BLAS choose other kernels than it would by itself."""
    env = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE" and not k.startswith(("NVPL_", "MKL_DEBUG"))}
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        env[name] = str(threads)
    env.setdefault("GOMP_SPINCOUNT", "1000")  # as glint sets it for itself, see src/cli/main.c
    return env


class OutOfTime(Exception):
    pass


class Worker:
    """A peer's process, kept from cell to cell; killed when the budget of a cell is spent."""

    def __init__(self, solver, threads):
        self.lines = queue.Queue()
        self.process = subprocess.Popen([*solver.command, "run", solver.name], env=environment(threads), text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        threading.Thread(target=self.listen, args=(self.process.stdout,), daemon=True).start()
        self.reply(300)

    def listen(self, stream):
        for line in stream:
            if line.startswith("race "):
                self.lines.put(line.split()[1:])
        self.lines.put(["failed", "the peer's process ended"])

    def reply(self, limit):
        try:
            return self.lines.get(timeout=max(limit, 0.1))
        except queue.Empty:
            self.close()
            raise OutOfTime from None

    def solve(self, matrix, lam, effort, out, limit):
        if self.process.poll() is not None:
            return ["failed", "the peer's process ended"]
        self.process.stdin.write(f"{matrix} {lam!r} {effort!r} {out}\n")
        self.process.stdin.flush()
        return self.reply(limit)

    def close(self):
        self.process.kill()
        self.process.wait()


class Race:
    def __init__(self, build, tolerance, budget):
        self.bench = build / "bench" / "bench_solve"
        self.problems, self.folder = build / "bench" / "problems", build / "bench" / "race"
        self.tolerance, self.budget = tolerance, budget
        self.workers = {}
        for folder in (self.problems, self.folder):
            folder.mkdir(parents=True, exist_ok=True)

    def matrix(self, name, made):
        if made is None:
            return SHARED / "glasso" / f"{name}.npy"
        path = self.problems / f"{made[0]}-{made[1]}.npy"
        if not path.exists():
            print(f"making {path.name}", flush=True)
            unfinished = path.with_name("unfinished.npy")
            subprocess.run([sys.executable, SHARED / "glasso" / "problems.py", made[0], str(made[1]), "--out", unfinished], check=True, stdout=subprocess.DEVNULL)
            unfinished.rename(path)
        return path

    def solve(self, *words, threads, limit=None):
        """bench_solve's line of JSON"""
        try:
            done = subprocess.run([self.bench, *map(str, words), "--json"], env=environment(threads), capture_output=True, text=True, timeout=limit)
        except subprocess.TimeoutExpired:
            raise OutOfTime from None
        if done.returncode:
            return {"error": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "failed"}
        return json.loads(done.stdout)

    def attempt(self, solver, matrix, lam, threads, effort, limit):
        """One solve with one effort: what the certificate says of it, with its seconds, or {"error": why}"""
        penalty = ["--penalize"] if solver.penalize else []
        if solver.native:
            return self.solve(matrix, lam, "--tolerance", effort, "--solver", solver.native, *penalty, threads=threads, limit=limit)
        worker = self.workers.get((solver.name, threads))
        if worker is None or worker.process.poll() is not None:
            worker = self.workers[solver.name, threads] = Worker(solver, threads)
        out = self.folder / "answer.npy"
        words = worker.solve(matrix, lam, effort, out, limit)
        if words[0] != "ok":
            return {"error": " ".join(words[1:])}
        judged = self.solve(matrix, lam, "--answer", out, *penalty, threads=os.cpu_count())
        if "error" in judged:
            return judged
        return {**judged, "solver": solver.name, "threads": threads, "seconds": float(words[1])}

    def cell(self, solver, matrix, lam, threads):
        """Up and down the ladder: looser while that suffices, tighter until it does."""
        tried, end = {}, time.monotonic() + self.budget
        step, note, errors = solver.start, "", 0
        while 0 <= step < len(solver.ladder) and step not in tried and errors < 2:
            try:
                tried[step] = self.attempt(solver, matrix, lam, threads, solver.ladder[step], end - time.monotonic())
            except OutOfTime:
                note = f"> {self.budget:g} s"
                break
            answer = tried[step]
            answer["effort"] = solver.ladder[step]
            errors += "error" in answer
            step += -1 if self.good(answer) else 1
        answers = [a for a in tried.values() if "error" not in a]
        good = [a for a in answers if self.good(a)]
        if good:
            return {**min(good, key=lambda a: a["seconds"]), "reached": True}
        wrong = next((a["error"] for a in tried.values() if "error" in a), "")
        if answers:
            return {**min(answers, key=lambda a: a["gap"] if a["gap"] is not None else math.inf), "reached": False, "note": note or wrong}
        return {"reached": False, "gap": None, "seconds": None, "note": note or wrong}

    def good(self, answer):
        return answer.get("gap") is not None and answer["gap"] <= self.tolerance

    def inverse(self, matrix, threads):
        return self.solve(matrix, 0, "--inverse", threads=threads)["inverse_seconds"]

    def close(self):
        for worker in self.workers.values():
            worker.close()


def found_peers():
    """{name: version} and lines that say what runs them"""
    versions, about = {}, []
    for command in ([*R, "list"], [*PYTHON, "list"]):
        if not shutil.which(command[0]):
            continue
        for line in subprocess.run(command, env=environment(1), capture_output=True, text=True).stdout.splitlines():
            words = line.split()
            if words[1:2] == ["has"]:
                versions[words[2]] = words[3]
            elif words[1:2] == ["about"]:
                about.append(" ".join(words[2:]))
    return versions, about


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown processor")
    compiler = subprocess.run(["cc", "--version"], capture_output=True, text=True).stdout.splitlines()[0]
    return {"processor": f"{model}, {os.cpu_count()} cores", "compiler": compiler, "date": datetime.date.today().isoformat()}


def run_race(race, args):
    versions, about = found_peers()
    ours = [Solver(OURS + ("" if name == "auto" else f" {name}"), penalize, 1e-6, threaded=True, native=name)
            for name in args.solvers.split(",") for penalize in (True, False)]
    wanted = None if args.peers == "all" else args.peers.split(",")
    peers = [s for s in PEERS if (s.native or s.name in versions) and (wanted is None or s.name in wanted or s.native in wanted)]
    for name, cure in CURES.items():
        if name not in versions:
            print(f"not here: {name} ({cure})")
    print("\n".join(about), flush=True)
    results = {"machine": machine(), "versions": versions, "about": about, "tolerance": args.tolerance, "budget": args.budget, "threads": args.threads,
               "cells": [], "inverse": {}}
    for name, lam, made in ROWS:
        if args.rows not in f"{name} {lam}":
            continue
        matrix = race.matrix(name, made)
        if not matrix.exists():
            print(f"not here: {matrix}")
            continue
        print(f"\n{name}, lambda {lam}", flush=True)
        for threads in args.threads:
            results["inverse"][f"{name} {threads}"] = race.inverse(matrix, threads)
        for solver in ours + peers:
            for threads in args.threads if solver.threaded else args.threads[:1]:
                cell = {**race.cell(solver, matrix, lam, threads), "problem": name, "lambda": lam, "penalize": solver.penalize,
                        "solver": solver.name, "threads": threads}
                results["cells"].append(cell)
                print(race_report.line(cell, results["cells"]), flush=True)
        (race.folder / "race.json").write_text(json.dumps(results, indent=1))


def lambdas_of(matrix):
    s = np.abs(np.load(matrix))
    values = np.sort(s[np.triu_indices(len(s), 1)])
    return [float(f"{values[int((1 - share) * (values.size - 1))]:.2g}") for share in SHARES]


def run_large(race, args):
    threads = args.threads[-1]
    results = {"machine": machine(), "tolerance": args.tolerance, "threads": threads, "rows": [], "paths": []}
    for p in args.sizes:
        for kind in KINDS:
            if args.rows not in f"{kind}-{p}":
                continue
            matrix = race.matrix(None, (kind, p))
            inverse = race.inverse(matrix, threads)
            lambdas = lambdas_of(matrix)
            for lam in lambdas:
                row = {**race.solve(matrix, lam, "--tolerance", args.tolerance, "--penalize", threads=threads), "kind": kind, "p": p, "lambda": lam, "inverse": inverse}
                results["rows"].append(row)
                print(race_report.large_line(row), flush=True)
            path = race.solve(matrix, lambdas[1], "--tolerance", args.tolerance, "--penalize", "--path", PATH_LENGTH, threads=threads)
            results["paths"].append({**path, "kind": kind, "p": p, "lambda": lambdas[1]})
            print(race_report.path_line(results["paths"][-1]), flush=True)
            (race.folder / "large.json").write_text(json.dumps(results, indent=1))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("build", nargs="?", default="build/release", type=pathlib.Path)
    ap.add_argument("--peers", default="all")
    ap.add_argument("--solvers", default="auto", help="libggm's own, each with a column; ratios are those of auto")
    ap.add_argument("--rows", default="", help="only problems whose name and lambda contain this")
    ap.add_argument("--budget", default=10.0, type=float, help="seconds a cell may take")
    ap.add_argument("--tolerance", default=1e-6, type=float, help="relative duality gap to reach")
    ap.add_argument("--threads", default=None, help="numbers of threads; by default 1 and all cores")
    ap.add_argument("--large", action="store_true")
    ap.add_argument("--sizes", default="5000,7000")
    ap.add_argument("--update", action="store_true")
    args = ap.parse_args()
    args.threads = sorted({int(t) for t in args.threads.split(",")} if args.threads else {1, os.cpu_count()})
    args.sizes = [int(p) for p in args.sizes.split(",")]
    race = Race(args.build.resolve(), args.tolerance, args.budget)
    try:
        if not args.update:
            subprocess.run(["/usr/bin/cmake", "--build", args.build, "--target", "bench_solve"], check=True, stdout=subprocess.DEVNULL)
            (run_large if args.large else run_race)(race, args)
    finally:
        race.close()
    race_report.write(race.folder, HERE.parent / "docs" if args.update else None)


if __name__ == "__main__":
    main()
