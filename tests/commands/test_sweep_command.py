"""`cnntrain train -m`: one folder, a table, and runs that fail alone."""

import csv
import json
from pathlib import Path

import pytest
from tiny_runs import TINY, Run, only_run

from cnntrain.cli import main


@pytest.fixture
def sweep(train: Run) -> Run:
    return lambda *words: main(["train", "-m", *TINY, *words])


def test_a_sweep_is_one_folder_and_its_last_lines_name_the_best_run(sweep: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep("seed=0,1", "optimizer.lr=0.1,0.01") == 0
    folder = only_run()
    assert folder.name.endswith("-sweep")
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == ["0", "1", "2", "3"]
    table = json.loads((folder / "sweep.json").read_text())
    assert len(table["runs"]) == 4
    values = [run["best"]["val/top1"] for run in table["runs"]]
    assert values == sorted(values, reverse=True)
    assert {group["n"] for group in table["over_seeds"]} == {2}
    assert len(list(csv.DictReader((folder / "sweep.csv").read_text().splitlines()))) == 4
    *_, best, command = capsys.readouterr().out.strip().splitlines()
    assert best.startswith("best: run ")
    assert command == f"cnntrain eval checkpoint={folder / table['best']['run']}"


def test_a_run_that_fails_is_told_and_stops_no_other(sweep: Run, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("schedule=constant", "optimizer.momentum=0", "optimizer.nesterov=false")
    assert sweep("optimizer.lr=1e38,0.1", *words) == 79
    folder = only_run()
    status = {run["run"]: run["status"] for run in json.loads((folder / "sweep.json").read_text())["runs"]}
    assert status == {"0": "diverged", "1": "done"}
    assert "try a lower optimizer.lr" in capsys.readouterr().err


def test_a_sweep_over_models_shares_the_folder(sweep: Run) -> None:
    words = [word for word in TINY if not word.startswith("model")]
    assert main(["train", "-m", *words, "model=simple_cnn,mlp", "epochs=1"]) == 0
    assert len(list(Path("outputs/cnntrain").iterdir())) == 1
