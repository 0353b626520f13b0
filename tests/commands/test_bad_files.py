"""Images that cannot be read, through the command line: named, counted, never in the way."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import Run, Trained, only_run

from cnntrain.cli import main

RUNS = (("none", 0), ("none", 2), ("memory", 0), ("disk", 1))


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "checkpoints" / "last" / "model.safetensors")


def lines(run: Path) -> list[dict[str, object]]:
    return [line for line in map(json.loads, (run / "metrics.jsonl").read_text().splitlines()) if line["event"] == "bad_file"]


@pytest.mark.parametrize("cache", ["disk", "none"])
def test_a_run_goes_on_without_them_and_names_each_once(train: Run, pictures: Path, cache: str, capsys: pytest.CaptureFixture[str]) -> None:
    (pictures / "train" / "a" / "text.jpg").write_text("no picture")
    (pictures / "val" / "b" / "0.png").write_bytes(b"")
    assert train(f"data.cache={cache}") == 0
    run, said = only_run(), capsys.readouterr().err
    assert said.count("/train/a/text.jpg: text, not a picture") == 1
    assert said.count("/val/b/0.png: empty file; left out: figures are over 11 of 12 images") == 1
    assert "text.jpg" in (run / "train.log").read_text()
    assert json.loads((run / "summary.json").read_text())["bad_files"] == 2
    found = {(line["split"], line["file"]): line["reason"] for line in lines(run)}
    assert found[("val", "b/0.png")] == "empty file"
    assert set(found) == {("train", "a/text.jpg"), ("val", "b/0.png")}
    assert main(["train", f"resume={run}", "epochs=3"]) == 0
    assert len(lines(run)) == 2


def test_the_weights_do_not_hang_on_cache_or_processes(train: Run, pictures: Path) -> None:
    (pictures / "train" / "b" / "text.jpg").write_text("no picture")
    (pictures / "val" / "b" / "0.png").write_bytes(b"")
    for cache, workers in RUNS:
        assert train(f"name={cache}{workers}", f"data.cache={cache}", f"data.num_workers={workers}", "transforms=photos") == 0
    first, *others = [weights(only_run(f"{cache}{workers}")) for cache, workers in RUNS]
    assert all(torch.equal(first[name], other[name]) for other in others for name in first)


def test_evaluation_says_over_how_many_images_it_is(trained: Trained, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained()
    (pictures / "val" / "c" / "3.png").write_bytes(b"no image")
    assert main(["eval", f"checkpoint={run}"]) == 0
    result = json.loads((run / "eval-val.json").read_text())
    assert result["count"] == 11
    assert [each["file"] for each in result["bad"]] == ["c/3.png"]
    assert "not a " in result["bad"][0]["reason"]
    assert "left out: figures are over 11 of 12 images" in capsys.readouterr().err
    assert len((run / "eval-val.csv").read_text().splitlines()) == 12  # a head and eleven rows


@pytest.mark.parametrize("cache", ["disk", "none"])
def test_too_many_of_them_end_the_run_with_3(train: Run, pictures: Path, cache: str, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3):
        (pictures / "train" / "a" / f"{number}.png").write_bytes(b"no image")
    assert train(f"data.cache={cache}", "data.max_bad=0.1") == 3
    said = capsys.readouterr().err
    assert "3 of 24 images of train cannot be read: " in said
    assert "type data.max_bad=0.13" in said
    summary = json.loads((only_run() / "summary.json").read_text())
    assert summary["status"] == "failed"
    assert train(f"data.cache={cache}", "data.max_bad=0.125", "name=more") == 0


def test_many_of_them_do_not_flood_the_terminal(train: Run, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(12):
        (pictures / "train" / "abc"[number % 3] / f"x{number}.png").write_bytes(b"")
    assert train("data.max_bad=0.5") == 0
    run, said = only_run(), capsys.readouterr().err
    assert said.count("empty file") == 10
    assert "train: more images cannot be read; all are named in metrics.jsonl and train.log" in said
    assert (run / "train.log").read_text().count("empty file") == 12
    assert len(lines(run)) == 12
