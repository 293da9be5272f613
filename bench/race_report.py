"""What bench/race.py measured, as lines, a Markdown table and a picture. Measures nothing."""
import json
import math
import re

OURS, NATIVE = "libggm", "glassoFast algorithm (our C)"
ORDER = [OURS, f"{OURS} bcd", f"{OURS} newton", f"{OURS} sglasso", NATIVE, "glasso", "huge", "scikit-learn", "skglm", "gglasso"]
TITLES = {True: "diagonal penalised", False: "diagonal not penalised"}


def seconds(x):
    """Three digits, no more: '0.0234', '1.23', '12.3', '123'"""
    return "" if x is None else f"{x:.{max(0, 2 - math.floor(math.log10(max(x, 1e-4))))}f}" if x < 100 else f"{x:.0f}"


def times(x):
    return f"{x:.1f}" if x < 10 else f"{x:.0f}"


def plain(x):
    """1e-06 as 1e-6"""
    return f"{x:g}".replace("e-0", "e-")


def gap(x):
    return "not PD" if x is None else f"gap {x:.0e}".replace("e-0", "e-")


def text(cell):
    """How a cell reads in a table"""
    if cell is None:
        return ""
    if cell["reached"]:
        return seconds(cell["seconds"])
    if cell["seconds"] is None:
        return cell["note"] if cell["note"].startswith(">") else "fails"
    return f"{cell['note'] if cell['note'].startswith('>') else seconds(cell['seconds'])} ({gap(cell['gap'])})"


def find(cells, name, threads=None, **key):
    return next((c for c in cells if c["solver"] == name and threads in (None, c["threads"]) and all(c[k] == v for k, v in key.items())), None)


def line(cell, cells):
    ours = find(cells, OURS, cell["threads"], **{k: cell[k] for k in ("problem", "lambda", "penalize")})
    ratio = f"{cell['seconds'] / ours['seconds']:8.1f} x" if cell["reached"] and ours and ours["reached"] else "         -"
    shown = f"{cell['seconds']:9.3f} s  {gap(cell['gap']):>9}" if cell["seconds"] is not None else f"{'':9}    {'':11}"
    return f"  {cell['solver']:29} {cell['threads']} thr {TITLES[cell['penalize']]:23} {shown} {ratio}  {'' if cell['reached'] else 'NOT REACHED ' + cell['note']}"


def rows_of(results, penalize):
    """(problem, lambda) in the order they were run"""
    return list(dict.fromkeys((c["problem"], c["lambda"]) for c in results["cells"] if c["penalize"] == penalize))


def lead(results, key, threads):
    """Time of the fastest peer on at most so many threads, over libggm's; None where either did not arrive"""
    ours = find(results["cells"], OURS, threads, **key)
    peers = [c["seconds"] for c in results["cells"] if not c["solver"].startswith(OURS) and c["reached"] and c["threads"] <= threads and all(c[k] == v for k, v in key.items())]
    return min(peers) / ours["seconds"] if ours and ours["reached"] and peers else None


def mean(ratios):
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def table(results, penalize):
    counts = results["threads"]
    peers = [n for n in ORDER[1:] if any(c["solver"] == n and c["penalize"] == penalize for c in results["cells"])]
    if not peers and not rows_of(results, penalize):
        return []
    columns = [(OURS, t, f"libggm, {t} thr.") for t in counts]
    columns += [(n, t, n + (f", {t} thr." if find(results["cells"], n, counts[-1]) and len(counts) > 1 else "")) for n in peers for t in counts
                if any(c["solver"] == n and c["threads"] == t for c in results["cells"])]
    head = ["problem", "λ", "nonzero", *(c[2] for c in columns), *(f"best peer / libggm, {t} thr." for t in counts), "libggm / (dpotrf+dpotri), 1 thr."]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    rivals = any(not n.startswith(OURS) for n in peers)
    leads = {t: [] for t in counts}
    for problem, lam in rows_of(results, penalize):
        key = {"problem": problem, "lambda": lam, "penalize": penalize}
        ours = find(results["cells"], OURS, counts[0], **key)
        out = [problem, f"{lam:g}", f"{100 * ours['density']:.2g} %" if ours and ours["seconds"] is not None else ""]
        out += [text(find(results["cells"], n, t, **key)) for n, t, _ in columns]
        for t in counts:
            ratio = lead(results, key, t)
            leads[t] += [ratio] if ratio else []
            out.append(f"**{times(ratio)}**" if ratio else f"> {times(results['budget'] / ours['seconds'])}" if rivals and ours and ours["reached"] else "")
        inverse = results["inverse"].get(f"{problem} {counts[0]}")
        out.append(f"{ours['seconds'] / inverse:.1f}" if ours and ours["reached"] and inverse else "")
        lines.append("| " + " | ".join(out) + " |")
    for t in counts:
        if leads[t]:
            lines += ["", f"On {t} thread{'s' if t > 1 else ''}, libggm over the best peer: geometric mean {mean(leads[t]):.1f}, least {min(leads[t]):.1f}, over {len(leads[t])} rows."]
    return [f"### {TITLES[penalize].capitalize()}", "", *lines, ""]


def race_text(results):
    m = results["machine"]
    raced = {c["solver"] for c in results["cells"]}
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items() if name in raced) or "none but our own"
    lines = [f"Measured {m['date']} on {m['processor']}; libggm and the glassoFast algorithm by {m['compiler']} -O3, hot loops for AVX-512 where there is; "
             f"peers: {versions}; {'; '.join(results['about'])}. Seconds to a certified relative gap of {plain(results['tolerance'])}; "
             f"'> {results['budget']:g} s' is a peer that was not there in that time (with the best gap it had, if any).", ""]
    return lines + table(results, True) + table(results, False)


# ---- large problems ----
def large_line(row):
    if "error" in row:
        return f"large     {row['kind']} {row['p']} lambda {row['lambda']}: {row['error']}"
    return (f"large     {row['kind']} {row['p']} lambda {row['lambda']}: {row['seconds']:.2f} s, {100 * row['density']:.2f} % nonzero, {gap(row['gap'])}, "
            f"peak {row['memory']:.1f} p^2 doubles, {row['seconds'] / row['inverse']:.1f} x dpotrf+dpotri")


def path_line(path):
    if "error" in path:
        return f"path      {path['kind']} {path['p']} to {path['lambda']}: {path['error']}"
    return (f"path      {path['kind']} {path['p']}: {path['path']} lambdas to {path['lambda']}: {path['seconds']:.1f} s, "
            f"{path['seconds'] / path['cold_seconds']:.1f} cold solves of the last ({path['cold_seconds']:.2f} s)")


def exponent(rows):
    """Slope of log seconds over log(density p^3): 1 is what the issue allows"""
    points = [(math.log(r["density"] * r["p"] ** 3), math.log(r["seconds"])) for r in rows]
    mx, my = (sum(v) / len(points) for v in zip(*points))
    spread = sum((x - mx) ** 2 for x, _ in points)
    return sum((x - mx) * (y - my) for x, y in points) / spread if spread > 0 else math.nan


def large_text(results):
    m, threads = results["machine"], results["threads"]
    rows = [r for r in results["rows"] if "error" not in r]
    lines = [f"Measured {m['date']} on {m['processor']}, {threads} threads, to a relative gap of {plain(results['tolerance'])} by the solver's own bound; the certificate, from the answer alone, "
             "is beside it. Peak memory is the whole process's, S and the answer included.", "",
             "| problem | p | λ | nonzero | seconds | certified gap | peak memory / p² doubles | / (dpotrf+dpotri) |", "|---|---|---|---|---|---|---|---|"]
    for r in rows:
        lines.append(f"| {r['kind']} | {r['p']:,} | {r['lambda']:g} | {100 * r['density']:.2g} % | {seconds(r['seconds'])} | {gap(r['gap'])[4:]} | {r['memory']:.1f} | {r['seconds'] / r['inverse']:.1f} |")
    kinds = list(dict.fromkeys(r["kind"] for r in rows))
    lines += ["", "Growth of time with density·p³ (the exponent of a fit over the rows of a kind; 1 is in proportion): "
              + ", ".join(f"{k} {exponent([r for r in rows if r['kind'] == k]):.2f}" for k in kinds) + "."]
    for path in results["paths"]:
        if "error" not in path:
            lines += ["", f"A path of {path['path']} λ from the largest that matters to {path['lambda']:g}, {path['kind']} {path['p']:,}: {seconds(path['seconds'])} s, "
                      f"{path['seconds'] / path['cold_seconds']:.1f} cold solves of its last λ."]
    return lines + [""]


# ---- the picture ----
STYLE = {OURS: ("#0b3c8c", "o"), NATIVE: ("#d55e00", "D"), "glasso": ("#6e6e6e", "s"), "huge": ("#009e73", "^"),
         "scikit-learn": ("#a6408c", "v"), "skglm": ("#b8860b", "P"), "gglasso": ("#3a9fd0", "X")}
SHORT = {NATIVE: "glassoFast algorithm", "er_692": "er 692", "neurons_stories260k_mean_860": "neurons 860"}


def best(results, name, key):
    cells = [c for c in results["cells"] if c["solver"] == name and all(c[k] == v for k, v in key.items())]
    reached = [c for c in cells if c["reached"]]
    return min(reached, key=lambda c: c["seconds"]) if reached else cells[0] if cells else None


def draw_row(axes, results, y, key, names, late):
    blue, at = STYLE[OURS][0], {}
    for name in names:
        cell, (color, marker) = best(results, name, key), STYLE[name]
        if cell and cell["reached"]:
            at[name] = cell["seconds"]
            axes.plot(at[name], y, marker=marker, color=color, ms=8 if name == OURS else 7, mec="white", mew=0.8, zorder=4 if name == OURS else 3)
        elif cell:  # in the margin, in axes coordinates
            axes.plot(1.05 + 0.035 * late.index(name), y, marker=marker, color=color, ms=6, mfc="white", mew=1.2, clip_on=False, transform=axes.get_yaxis_transform())
    others = [x for name, x in at.items() if name != OURS]
    if OURS in at and not others and len(names) > 1:
        axes.annotate(f"more than {times(results['budget'] / at[OURS])}×", (at[OURS], y), xytext=(8, 0), textcoords="offset points", va="center", fontsize=8, color=blue)
    if OURS not in at or not others:
        return
    nearest = min(others)
    axes.plot([at[OURS], nearest], [y, y], color=blue, lw=1.8, alpha=0.3, zorder=1)
    axes.annotate(f"{times(nearest / at[OURS])}×", (math.sqrt(at[OURS] * nearest), y), xytext=(0, 3.5), textcoords="offset points", ha="center", va="bottom", fontsize=8, color=blue)


def draw_panel(axes, results, penalize):
    rows = rows_of(results, penalize)
    names = [n for n in STYLE if any(c["solver"] == n and c["penalize"] == penalize for c in results["cells"])]
    keys = [{"problem": p, "lambda": lam, "penalize": penalize} for p, lam in rows]
    late = [n for n in names if any(not best(results, n, key)["reached"] for key in keys if best(results, n, key))]
    for y, key in enumerate(keys):
        draw_row(axes, results, y, key, names, late)
    if late:
        axes.text(1.03, 1.02, f"not reached\nin {results['budget']:g} s", transform=axes.transAxes, fontsize=8, color="#555555", va="bottom")
    axes.set_yticks(range(len(rows)), [f"{SHORT.get(p, p).replace('-', ' ')},  λ = {lam:g}" for p, lam in rows])
    axes.set_ylim(len(rows) - 0.4, -0.75)
    axes.text(0, 1.0, TITLES[penalize].capitalize(), transform=axes.transAxes, fontsize=10, weight="bold", color="#333333", va="bottom")
    handles = [axes.plot([], [], marker=STYLE[n][1], color=STYLE[n][0], ls="", ms=7, mec="white", label=SHORT.get(n, n))[0] for n in names]
    axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=len(names), frameon=False, fontsize=8.5, handletextpad=0.0, columnspacing=0.9, borderaxespad=0)


def draw(results, path):
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot, ticker
    except ImportError:
        print("no picture: this python has no matplotlib ($PYTHON -m pip install matplotlib)")
        return False
    raced = {c["penalize"] for c in results["cells"] if not c["solver"].startswith(OURS)}
    groups = sorted(raced or {c["penalize"] for c in results["cells"]}, reverse=True)  # a panel without a peer says nothing
    sizes = [len(rows_of(results, g)) for g in groups]
    reached = [c["seconds"] for c in results["cells"] if c["reached"]]
    pyplot.rcParams.update({"font.family": "DejaVu Sans", "font.size": 9.5, "axes.linewidth": 0.8})
    figure, panels = pyplot.subplots(len(groups), 1, figsize=(7.8, 0.8 * len(groups) + 0.36 * sum(sizes)), sharex=True, squeeze=False,
                                     gridspec_kw={"height_ratios": sizes}, layout="constrained")
    for axes, group in zip(panels[:, 0], groups):
        draw_panel(axes, results, group)
        axes.set_xscale("log")
        axes.set_xlim(min(reached) / 1.5, max(reached) * 1.5)
        axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:g} s"))
        axes.xaxis.set_minor_locator(ticker.NullLocator())
        axes.grid(axis="x", color="#d8d8d8", lw=0.7)
        axes.grid(axis="y", color="#eeeeee", lw=0.7)
        axes.set_axisbelow(True)
        axes.tick_params(length=0, labelcolor="#333333")
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set_color("#aaaaaa")
    panels[-1, 0].set_xlabel(f"time to a certified relative gap of {plain(results['tolerance'])}, log scale", color="#333333")
    figure.savefig(path, dpi=200)
    pyplot.close(figure)
    return True


def write(folder, docs):
    """Table and picture beside the results; with docs, between the marks of docs/benchmarks.md as well"""
    for name, text_of in (("race", race_text), ("large", large_text)):
        source = folder / f"{name}.json"
        if not source.exists():
            continue
        results = json.loads(source.read_text())
        block = "\n".join(text_of(results))
        (folder / f"{name}.md").write_text(block)
        if docs:
            page = docs / "benchmarks.md"
            pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.S)
            page.write_text(pattern.sub(lambda m: m[1] + block + m[2], page.read_text()))
        if name == "race" and draw(results, folder / "race.png") and docs:
            (docs / "images" / "race.png").write_bytes((folder / "race.png").read_bytes())
        print(f"written: {folder / name}.md" + (", docs/benchmarks.md" if docs else ""))
