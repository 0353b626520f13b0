"""A sweep's end: its runs sorted by the objective, means over seeds, sweep.csv, sweep.json, the best run."""

import csv
import io
import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from rich.table import Table

from cnntrain.measures import AUTO, CLASSIFICATION, IN_TABLES, OBJECTIVES, higher_is_better, objectives
from cnntrain.report.figures import NOTHING, duration, metric_text
from cnntrain.report.tables import make_table, show
from cnntrain.runs.durable import to_json, write_atomically
from cnntrain.runs.summary import read_run, read_summary

SEED = "seed"


def sweep_rows(folder: Path, objective: str) -> list[dict[str, Any]]:
    """One plain row for each run of a sweep, best first; runs that did not get to their end come last.

    Args:
        folder: the sweep's folder, with a run in each of 0/, 1/, ...
        objective: the metric that decides, such as val/top1 (high is good) or val/loss (low is good).

    Returns:
        run, status, overrides {key: value}, best and last {epoch, step, metrics} (empty where none), seconds.
    """
    runs = sorted((path for path in folder.iterdir() if path.name.isdigit() and path.is_dir()), key=lambda path: int(path.name))
    return sorted((_row(run) for run in runs), key=lambda row: (*_rank(row, objective), int(row["run"])))


def over_seeds(rows: Sequence[Mapping[str, Any]], objective: str) -> list[dict[str, Any]]:
    """Finished runs that differ only in their seed, together: n, mean and sample deviation of the objective, best first.

    `mean` and `std` are of each run's best epoch, `last_mean` and `last_std` of its last; a deviation needs n >= 2.
    """
    groups: dict[tuple[tuple[str, str], ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["status"] == "done" and _value(row, objective) is not None:
            groups.setdefault(tuple((key, value) for key, value in row["overrides"].items() if key != SEED), []).append(row)
    found = []
    for overrides, members in groups.items():
        best = [row["best"][objective] for row in members]
        last = [row["last"][objective] for row in members if row["last"].get(objective) is not None]
        found.append(
            {
                "overrides": dict(overrides),
                "n": len(members),
                "mean": mean(best),
                "std": stdev(best) if len(best) > 1 else None,
                "last_mean": mean(last) if last else None,
                "last_std": stdev(last) if len(last) > 1 else None,
            }
        )
    return sorted(found, key=lambda group: _good_first(group["mean"], objective))


def write_sweep(folder: Path, objective: str) -> dict[str, Any]:
    """Writes sweep.csv and sweep.json, prints the table and, at the end, the best run and how to evaluate it.

    Returns:
        What sweep.json holds: objective, runs, over_seeds, best (None where no run has a result).
    """
    objective = decided(folder, objective)
    rows = sweep_rows(folder, objective)
    groups = over_seeds(rows, objective)
    first = rows[0] if rows and _value(rows[0], objective) is not None else None
    best = {"run": first["run"], "overrides": first["overrides"], objective: _value(first, objective)} if first else None
    sweep = {"objective": objective, "runs": rows, "over_seeds": groups, "best": best}
    write_atomically(folder / "sweep.json", to_json(sweep))
    write_atomically(folder / "sweep.csv", _csv(rows))
    show(sweep_table(rows, objective))
    if any(group["n"] > 1 for group in groups):
        show(seeds_table(groups, objective))
    if best is None:
        show(f"no run of {folder} has a result; each run's train.log says why")
        return sweep
    said = " ".join(f"{key}={value}" for key, value in best["overrides"].items())
    show(f"best: run {best['run']} ({said}), {objective} {metric_text(objective, best[objective])}")
    show("cnntrain eval " + shlex.quote(f"checkpoint={folder / best['run']}"))
    return sweep


def decided(folder: Path, objective: str) -> str:
    """The objective that the runs came to where it was left to the data."""
    if objective != AUTO:
        return objective
    summaries = (read_summary(run) or {} for run in sorted(folder.iterdir()) if run.is_dir())
    return next((found for summary in summaries if (found := summary.get("objective")) in OBJECTIVES), objectives(CLASSIFICATION)[0])


def sweep_table(rows: Sequence[Mapping[str, Any]], objective: str) -> Table:
    """The runs, a column for each key that differs between them."""
    keys = _keys_that_vary(rows)
    cells = [
        (
            row["run"],
            *(row["overrides"].get(key, NOTHING) for key in keys),
            row["status"],
            metric_text(objective, _value(row, objective)),
            row["best"].get("epoch", NOTHING),
            metric_text(objective, row["last"].get(objective)),
            duration(row["seconds"]),
        )
        for row in rows
    ]
    same = [f"{key}={value}" for key, value in (rows[0]["overrides"].items() if rows else ()) if key not in keys]
    title = f"{len(rows)} runs by {objective}" + (f", all with {' '.join(same)}" if same else "")
    return make_table(title, ("run", *keys, "status"), (f"best {objective}", "epoch", f"last {objective}", "time"), cells)


def seeds_table(groups: Sequence[Mapping[str, Any]], objective: str) -> Table:
    """Mean and deviation over the seeds of each setting."""
    cells = [
        (
            " ".join(f"{key}={value}" for key, value in group["overrides"].items()) or "all",
            group["n"],
            _mean_text(objective, group["mean"], group["std"]),
            _mean_text(objective, group["last_mean"], group["last_std"]),
        )
        for group in groups
    ]
    return make_table("over seeds: mean ± standard deviation", ("setting",), ("n", f"best {objective}", f"last {objective}"), cells)


def _row(run: Path) -> dict[str, Any]:
    summary = read_summary(run)
    facts = read_run(run) or {}
    overrides = [word.partition("=") for word in facts.get("overrides", []) if isinstance(word, str)]
    known = summary or {}
    return {
        "run": run.name,
        "status": known.get("status", "failed"),
        "overrides": {key.lstrip("+"): value for key, _, value in overrides},
        "best": known.get("best") or {},
        "last": known.get("last") or {},
        "seconds": known.get("seconds"),
    }


def _value(row: Mapping[str, Any], objective: str) -> float | None:
    value = row["best"].get(objective)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _rank(row: Mapping[str, Any], objective: str) -> tuple[int, float]:
    """Finished runs by their value, then those cut short, then those without any."""
    value = _value(row, objective)
    if value is None:
        return 2, 0.0
    return 0 if row["status"] == "done" else 1, _good_first(value, objective)


def _good_first(value: float, objective: str) -> float:
    return -value if higher_is_better(objective) else value


def _keys_that_vary(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    keys = list(dict.fromkeys(key for row in rows for key in row["overrides"]))
    return [key for key in keys if len({row["overrides"].get(key) for row in rows}) > 1]


def _mean_text(objective: str, value: float | None, deviation: float | None) -> str:
    return metric_text(objective, value) + (f" ± {metric_text(objective, deviation)}" if deviation is not None else "")


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Every override and every number at full precision."""
    keys = list(dict.fromkeys(key for row in rows for key in row["overrides"]))
    metrics = [name for name in IN_TABLES if any(name in row[part] for row in rows for part in ("best", "last"))]
    numbers = [f"{part}/{name}" for part in ("best", "last") for name in ("epoch", *metrics)]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run", "status", *keys, *numbers, "seconds"])
    for row in rows:
        values = [row[part].get(name) for part in ("best", "last") for name in ("epoch", *metrics)]
        writer.writerow([row["run"], row["status"], *(row["overrides"].get(key) for key in keys), *values, row["seconds"]])
    return text.getvalue().encode("utf-8", "backslashreplace")
