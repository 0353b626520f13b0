"""A sweep's table and files, from what its runs left."""

import csv
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from cnntrain.report.sweep import over_seeds, sweep_rows, write_sweep
from cnntrain.runs.summary import write_run, write_summary


def add_run(
    folder: Path, number: int, overrides: list[str], *, status: str = "done", top1: float | None = None, last: float | None = None
) -> None:
    run = folder / str(number)
    run.mkdir(parents=True)
    write_run(run, {"overrides": overrides})
    if top1 is not None:
        best = {"epoch": 2, "step": 20, "val/top1": top1, "val/loss": 1 - top1}
        write_summary(run, {"status": status, "best": best, "last": {**best, "epoch": 3, "val/top1": last or top1}, "seconds": 5.0})


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    folder = tmp_path / "my sweep"
    for number, (lr, seed, top1) in enumerate([("0.1", 0, 0.90), ("0.1", 1, 0.94), ("0.01", 0, 0.97), ("0.01", 1, 0.91)]):
        add_run(folder, number, [f"optimizer.lr={lr}", "epochs=3", f"seed={seed}"], top1=top1, last=top1 - 0.1)
    add_run(folder, 10, ["optimizer.lr=9", "epochs=3", "seed=0"])
    add_run(folder, 11, ["optimizer.lr=1", "epochs=3", "seed=0"], status="diverged", top1=0.99)
    return folder


def test_runs_are_sorted_by_the_objective_and_failed_ones_come_last(sweep: Path) -> None:
    assert [row["run"] for row in sweep_rows(sweep, "val/top1")] == ["2", "1", "3", "0", "11", "10"]
    assert [row["status"] for row in sweep_rows(sweep, "val/top1")][-2:] == ["diverged", "failed"]
    assert [row["run"] for row in sweep_rows(sweep, "val/loss")][:2] == ["2", "1"]


def test_a_tie_keeps_the_earlier_run(tmp_path: Path) -> None:
    for number in (2, 10, 1):
        add_run(tmp_path, number, [], top1=0.5)
    assert [row["run"] for row in sweep_rows(tmp_path, "val/top1")] == ["1", "2", "10"]


def test_mean_and_sample_deviation_over_seeds(sweep: Path) -> None:
    first, second = over_seeds(sweep_rows(sweep, "val/top1"), "val/top1")
    assert first["overrides"] == {"optimizer.lr": "0.01", "epochs": "3"}
    assert (first["n"], first["mean"]) == (2, pytest.approx(0.94))
    assert first["std"] == pytest.approx(0.06 / 2**0.5)  # two values: half their distance times sqrt 2
    assert first["last_mean"] == pytest.approx(0.84)
    assert (second["mean"], second["std"]) == (pytest.approx(0.92), pytest.approx(0.04 / 2**0.5))


def test_one_seed_has_no_deviation(tmp_path: Path) -> None:
    add_run(tmp_path, 0, ["seed=1"], top1=0.5)
    assert over_seeds(sweep_rows(tmp_path, "val/top1"), "val/top1") == [
        {"overrides": {}, "n": 1, "mean": 0.5, "std": None, "last_mean": 0.5, "last_std": None}
    ]


def test_files_and_last_lines_name_the_best_run(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = write_sweep(sweep, "val/top1")
    assert json.loads((sweep / "sweep.json").read_text()) == written
    assert written["best"] == {"run": "2", "overrides": {"optimizer.lr": "0.01", "epochs": "3", "seed": "0"}, "val/top1": 0.97}
    with open(sweep / "sweep.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["run"] for row in rows] == ["2", "1", "3", "0", "11", "10"]
    assert (rows[0]["optimizer.lr"], rows[0]["seed"], float(rows[0]["best/val/top1"])) == ("0.01", "0", 0.97)
    out = capsys.readouterr().out
    *_, said, command = out.strip().splitlines()
    assert said == "best: run 2 (optimizer.lr=0.01 epochs=3 seed=0), val/top1 97.00 %"
    assert shlex.split(command) == ["cnntrain", "eval", f"checkpoint={sweep}/2"]
    assert "6 runs by val/top1, all with epochs=3" in out
    assert re.search(r"optimizer.lr=0.01 epochs=3 +\| +2 \| +94.00 % ± 4.24 %", out)


def test_an_objective_left_to_the_data_is_the_one_that_the_runs_came_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, mae in enumerate((3.5, 2.25)):
        run = tmp_path / str(number)
        run.mkdir()
        write_run(run, {"overrides": [f"seed={number}"]})
        best = {"epoch": 1, "step": 2, "val/mae": mae, "val/r2": 0.5, "val/loss": 1.0}
        write_summary(run, {"status": "done", "objective": "val/mae", "best": best, "last": best, "seconds": 1.0})
    written = write_sweep(tmp_path, "auto")
    assert (written["objective"], written["best"]["run"]) == ("val/mae", "1")  # a smaller error is better
    header = (tmp_path / "sweep.csv").read_text().splitlines()[0]
    assert "best/val/mae,best/val/loss,best/val/r2" in header
    assert "top1" not in header
    assert "val/mae 2.250" in capsys.readouterr().out


def test_a_sweep_without_results_says_where_to_look(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_run(tmp_path, 0, [])
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "summary.json").write_text("{torn")
    written: dict[str, Any] = write_sweep(tmp_path, "val/loss")
    assert written["best"] is None
    assert "has a result; each run's train.log says why" in capsys.readouterr().out
