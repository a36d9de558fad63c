"""The page of `make goals`: every target and every figure over the project's own commits, one file
without scripts.
"""

import fnmatch
import html

import repository

# What the figures of a benchmark are about; what is named nowhere is in the last one.
SECTIONS = (
    ("Coverage and tests", ("coverage", "tests_*", "compat")),
    ("Memory", ("memory", "soak", "soak_training", "leaks", "wrap")),
    ("Errors and recovery", ("completion", "sham", "gate", "startup", "tests_tsan")),
    ("Throughput", ("engine", "active", "grown", "dormant*", "overhead", "kernels", "pause",
                    "time_to_accuracy", "growth_*", "cuda", "executor")),
    ("Times of single parts", ("*",)),
)
STYLE = """
:root { color-scheme: light dark; --ground: #f6f7f5; --card: #fff; --ink: #1c2426; --soft: #5d696e;
  --line: #dfe4e3; --good: #15804a; --mid: #8a6410; --bad: #b3202e; --curve: #1d67ad; }
@media (prefers-color-scheme: dark) { :root { --ground: #12171a; --card: #1a2125; --ink: #e6ebea;
  --soft: #9aa7ac; --line: #2d373c; --good: #4cc98a; --mid: #d8b04a; --bad: #f2707c;
  --curve: #6db3f2; } }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: auto; padding: 1.5rem 1rem 4rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: .5rem 1rem 1rem; margin: 1rem 0; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0;
  border-top: 1px solid var(--line); }
thead th { border: 0; color: var(--soft); font-weight: normal; }
tbody th { font-weight: normal; }
svg { width: 9rem; height: 1.9rem; display: block; }
.tiles { display: flex; flex-wrap: wrap; gap: .8rem; }
.tiles div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: .3rem .9rem; }
.tiles b { font-size: 1.3rem; display: block; }
.soft { color: var(--soft); } .reached { color: var(--good); } .holds, .short { color: var(--mid); }
.below { color: var(--bad); }
"""


def escape(text):
    return html.escape(str(text), quote=True)


def figure(value, unit):
    return f"{value:.4g} {unit}".strip()


def sparkline(points, unit):
    """Over commits, evenly: [(commit, value)]."""
    if not points:
        return ""
    values = [value for _, value in points]
    low, high = min(values), max(values)
    place = [(4 + 112 * i / max(1, len(points) - 1), 24 - 20 * (v - low) / ((high - low) or 1))
             for i, v in enumerate(values)]
    told = ", ".join(f"{escape(commit)}: {escape(figure(value, unit))}"
                     for commit, value in points[-8:])
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in place)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="var(--curve)"/>' for x, y in place)
    return (f'<svg viewBox="0 0 120 28" role="img" aria-label="{told}"><title>{told}</title>'
            f'<polyline points="{line}" fill="none" stroke="var(--curve)" stroke-width="1.5"/>'
            f"{dots}</svg>")


def courses(history):
    """(bench, case) -> (unit, [(commit, value)]), oldest first."""
    found = {}
    for record in history:
        for case, value, unit in record["rows"]:
            entry = found.setdefault((record["bench"], case), [unit, []])
            entry[0] = unit
            entry[1].append((record["commit"], value))
    return found


def section_of(bench):
    return next(title for title, globs in SECTIONS
                if any(fnmatch.fnmatchcase(bench, glob) for glob in globs))


def goal_table(judged, found):
    rows = []
    for target in judged:
        head = (f'<th scope="row" rowspan="{len(target["checks"])}">{escape(target["target"])}</th>'
                f'<td rowspan="{len(target["checks"])}">{escape(target["floor"])}</td>'
                f'<td rowspan="{len(target["checks"])}">{escape(target["goal"])}</td>')
        for check in target["checks"]:
            measured = [(unit, points) for (bench, case), (unit, points) in found.items()
                        if bench == check["bench"] and check["measured"].startswith(case + ":")]
            picture = sparkline(measured[0][1], measured[0][0]) if measured else ""
            tone = check["state"].split()[0]
            rows.append(f"<tr>{head}<td>{escape(check['measured'])}</td>"
                        f'<td class="{escape(tone)}">{escape(check["state"])}</td>'
                        f"<td>{picture}</td></tr>")
            head = ""
    return table(("target", "floor", "goal", "measured", "state", "over commits"), rows)


def table(names, rows):
    return ("<table><thead><tr>" + "".join(f'<th scope="col">{n}</th>' for n in names) +
            "</tr></thead><tbody>" + "".join(rows) + "</tbody></table>")


def figures_table(found, goals):
    rows = []
    for (bench, case), (unit, points) in found.items():
        values = [value for _, value in points]
        commit, last = points[-1]
        goal = goals.get((bench, case))
        rows.append(
            f'<tr><th scope="row">{escape(bench)}: {escape(case)}</th>'
            f"<td>{escape(figure(last, unit))}</td>"
            f"<td>{escape(figure(goal, unit)) if goal is not None else ''}</td>"
            f"<td>{escape(figure(min(values), ''))} to {escape(figure(max(values), ''))}</td>"
            f"<td>{len(points)}; {escape(commit)}</td><td>{sparkline(points, unit)}</td></tr>")
    return table(("figure", "newest", "beside", "range", "commits; newest at", "over commits"), rows)


def commits_table(history):
    rows = []
    for commit in list(dict.fromkeys(r["commit"] for r in reversed(history)))[:60]:
        told = repository.git("show", "-s", "--format=%cs%x09%s", commit.removesuffix("-dirty")) or ""
        day, _, subject = told.strip().partition("\t")
        benches = sorted(r["bench"] for r in history if r["commit"] == commit)
        rows.append(f'<tr><th scope="row">{escape(commit)}</th><td>{escape(day)}</td>'
                    f"<td>{escape(subject)}</td><td>{escape(', '.join(benches))}</td></tr>")
    return table(("commit", "of", "", "measured"), rows)


def page_of(judged, counts, history, benches):
    """`judged` and `counts` of goals.py, the history's records, and the newest benchmark files."""
    found = courses(history)
    beside = {(name, row["case"]): float(row["peer"]) for name, content in benches.items()
              for row in content["rows"] if isinstance(row.get("peer"), (int, float))}
    tiles = "".join(f'<div><b class="{escape(s.split()[0])}">{n}</b>{escape(s)}</div>'
                    for s, n in counts.items())
    parts = [f"<section><h2>Performance against goals</h2>{goal_table(judged, found)}</section>"]
    for title, _ in SECTIONS:
        own = {key: course for key, course in found.items() if section_of(key[0]) == title}
        parts.append(f"<section><h2>{title}</h2>" +
                     (figures_table(own, beside) if own else
                      '<p class="soft">Nothing of this has been measured.</p>') + "</section>")
    parts.append(f"<section><h2>Commits</h2>{commits_table(history)}</section>")
    return ('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>Esper: goals and figures</title><style>{STYLE}</style></head><body><main>"
            "<h1>Esper: goals and figures over its commits</h1>"
            '<p class="soft">Made by make goals. A figure belongs to the commit and the machine that '
            "it was measured at; machines differ.</p>"
            f'<div class="tiles">{tiles}</div>{"".join(parts)}</main></body></html>\n')
