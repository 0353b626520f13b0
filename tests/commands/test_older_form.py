"""A run that an earlier cnntrain wrote, whose checkpoints know no place inside of an epoch, is still evaluated and gone on with."""

import json
import shutil
from pathlib import Path

import pytest
from tiny_runs import tree

from cnntrain.cli import main
from cnntrain.data.digits import unpack_digits

GOLDEN = Path(__file__).parents[1] / "golden" / "run_of_form_1"


@pytest.fixture
def old_run(here: Path) -> Path:
    unpack_digits(here / "data" / "digits")
    shutil.copytree(GOLDEN, here / "old")
    return Path("old")


def test_it_evaluates_as_it_did_then(old_run: Path) -> None:
    assert main(["eval", f"checkpoint={old_run}", "data.root=data/digits", "split=val", "out=now"]) == 0
    then, now = (json.loads(path.read_text()) for path in (GOLDEN / "eval-val.json", Path("now/eval-val.json")))
    assert (now["count"], now["top1"], now["confusion"]) == (then["count"], then["top1"], then["confusion"])
    assert now["loss"] == pytest.approx(then["loss"], rel=1e-4)  # of another processor the last bits may differ


def test_it_is_whole_and_goes_on(old_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "verify", "old"]) == 0
    assert capsys.readouterr().out == "old: whole (1 checkpoint)\n"
    assert main(["train", "resume=old", "epochs=3", "data.root=data/digits"]) == 0
    said = capsys.readouterr().err
    assert "resumed from step_00000044: 2 epochs done, step 44" in said
    assert "not an exact continuation: epochs; the run's checkpoint is of an older form" in said
    assert (old_run / "checkpoints" / "last").resolve().name == "step_00000066"


def test_each_broken_part_of_a_run_is_named(old_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (old_run / "summary.json").write_text("{")
    (old_run / "config.yaml").unlink()
    weights = old_run / "checkpoints" / "step_00000044" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[99] ^= 1
    weights.write_bytes(data)
    (old_run / "checkpoints" / "best").write_text("step_00000022\n")
    with open(old_run / "metrics.jsonl", "a") as file:
        file.write('{"event": "step", "step": 40}\nhalf\n')
    before = tree(old_run)
    assert main(["runs", "verify", "old"]) == 2
    said = capsys.readouterr().out
    number = len((GOLDEN / "metrics.jsonl").read_text().splitlines())
    for sentence in (
        "old: config.yaml: ",
        "old: summary.json is damaged",
        "old: checkpoints/step_00000044: model.safetensors is damaged",
        "old: checkpoints/best points to no checkpoint",
        f"old: metrics.jsonl: line {number + 1} tells of step 40 behind step 40",
        f"old: metrics.jsonl: line {number + 2} is damaged",
    ):
        assert sentence in said
    assert tree(old_run) == before
    assert main(["train", "resume=old"]) == 2


def test_what_is_no_run_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "verify"]) == 2
    assert main(["runs", "verify", "nothing"]) == 2
    (here / "empty").mkdir()
    assert main(["runs", "verify", "empty"]) == 2
    said = capsys.readouterr().err
    assert "runs verify needs a run folder" in said
    assert "nothing: no such folder" in said
    assert "empty is no run folder" in said
