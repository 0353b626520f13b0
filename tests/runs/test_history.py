"""metrics.jsonl and summary.json."""

import json
from pathlib import Path

from cnntrain.runs.history import History, read
from cnntrain.runs.summary import read_run, read_summary, write_run, write_summary


def test_each_line_is_on_disk_when_append_returns(tmp_path: Path) -> None:
    history = History(tmp_path / "metrics.jsonl")
    history.append({"step": 1, "train/loss": float("nan"), "lr": 0.1})
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1, "train/loss": null, "lr": 0.1}\n'
    history.close()
    history.close()


def test_cut_back_keeps_the_step_and_drops_what_follows_and_the_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = [{"event": "start"}, {"step": 1}, {"step": 2}, {"step": 2, "epoch": 1}, {"step": 3}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 1, "tor')
    history = History(path)
    history.cut_back(2, 1)
    assert read(path) == lines[:4]
    history.append({"step": 3, "again": True})
    history.close()
    assert read(path) == [*lines[:4], {"step": 3, "again": True}]


def test_cut_back_drops_an_epoch_that_was_not_validated_yet_and_the_ends_of_earlier_starts(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = [{"event": name, "step": step, "epoch": epoch} for name, step, epoch in (("epoch", 3, 1), ("step", 6, 2), ("epoch", 6, 2))]
    path.write_text("".join(json.dumps(line) + "\n" for line in [*lines, {"event": "end", "step": 6, "epoch": 1}]))
    history = History(path)
    history.cut_back(6, 1)
    history.close()
    assert read(path) == lines[:2]


def test_a_torn_line_does_not_swallow_the_next(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"st')
    history = History(path)
    history.append({"step": 2})
    history.close()
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_a_missing_history_is_empty(tmp_path: Path) -> None:
    assert read(tmp_path / "metrics.jsonl") == []


def test_summary_and_run_come_back(tmp_path: Path) -> None:
    write_summary(tmp_path, {"status": "done", "best": {"val/loss": float("inf"), "val/top1": 0.5}})
    write_run(tmp_path, {"argv": ["é"]})
    assert read_summary(tmp_path) == {"status": "done", "best": {"val/loss": None, "val/top1": 0.5}}
    assert read_run(tmp_path) == {"argv": ["é"]}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.json", "summary.json"]


def test_an_unreadable_summary_is_none(tmp_path: Path) -> None:
    assert read_summary(tmp_path) is None
    (tmp_path / "summary.json").write_text('{"torn')
    assert read_summary(tmp_path) is None
