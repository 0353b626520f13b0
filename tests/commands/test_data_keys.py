"""Training and evaluation on manifests, folds, limits and odd names, through the command line."""

import csv
import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from tiny_runs import TINY, Run, only_run, tree

from cnntrain.cli import main
from cnntrain.commands.eval import find_images
from cnntrain.commands.kept import Kept
from cnntrain.commands.origin import digest
from cnntrain.config.schema import DataConfig, EvalConfig, EvalDataConfig
from cnntrain.data.images import ImageSet, Names
from cnntrain.errors import ConfigError


def result(run: Path, split: str = "val") -> dict[str, object]:
    return json.loads((run / f"eval-{split}.json").read_text())


def best(run: Path) -> dict[str, float]:
    return json.loads((run / "summary.json").read_text())["best"]


@pytest.fixture
def labels(pictures: Path, here: Path) -> Path:
    """The fixture's folders as a manifest, with paths from its own folder."""
    rows = [f"{split}/{name}/{file.name},{name},{split}" for split in ("train", "val") for name in "abc" for file in
            sorted((here / "pictures" / split / name).iterdir())]  # fmt: skip
    (here / "pictures" / "labels.csv").write_text("\n".join(["path,label,split", *rows]) + "\n")
    return Path("pictures/labels.csv")


def test_a_manifest_trains_to_the_same_figures_as_its_folders(train: Run, labels: Path, here: Path) -> None:
    assert train("name=by_folder") == 0
    words = [word for word in TINY if not word.startswith(("data=", "data.root="))]
    assert main(["train", *words, "data=manifest", f"data.file={labels}", "name=by_file"]) == 0
    by_folder, by_file = (json.loads((only_run(name) / "summary.json").read_text()) for name in ("by_folder", "by_file"))
    assert [by_file["best"][key] for key in ("val/loss", "val/top1")] == [by_folder["best"][key] for key in ("val/loss", "val/top1")]
    run = only_run("by_file")
    assert main(["eval", f"checkpoint={run}"]) == 0
    assert result(run)["loss"] == best(run)["val/loss"]
    assert main(["eval", f"checkpoint={only_run('by_folder')}", f"data.file={labels}", "split=train"]) == 0
    assert result(only_run("by_folder"), "train")["count"] == 24
    (here / "other.csv").write_text("path,label\npictures/val/b/0.png,b\n")
    assert main(["eval", f"checkpoint={run}", "data.file=other.csv", "out=other"]) == 0
    assert result(Path("other"))["count"] == 1


def test_a_run_on_a_fold_is_evaluated_on_that_fold(train: Run, here: Path) -> None:
    assert train("data.folds=3", "data.fold=1", "epochs=4") == 0
    run = only_run()
    assert main(["eval", f"checkpoint={run}"]) == 0
    assert (result(run)["count"], result(run)["loss"]) == (8, best(run)["val/loss"])


def test_a_limited_run_is_evaluated_on_what_it_validated_on(train: Run, here: Path) -> None:
    assert train("data.limit=12") == 0
    run = only_run()
    record = json.loads((run / "run.json").read_text())["data"]
    assert (record["train"]["count"], record["val"]["count"]) == (12, 6)
    assert main(["eval", f"checkpoint={run}"]) == 0
    assert (result(run)["count"], result(run)["loss"]) == (6, best(run)["val/loss"])


def test_strict_refuses_before_anything_is_written(pictures: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "pictures/train/a/notes.txt").write_text("x")
    before = tree(here)
    assert main(["train", *TINY, "data.strict=true"]) == 2
    assert "data.strict=true refuses what was found: pictures/train/a/notes.txt is no image: left out; mend it" in capsys.readouterr().err
    assert tree(here) == before


def test_odd_names_of_files_and_classes_train_and_are_evaluated(train: Run, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for split in ("train", "val"):
        folder = here / "pictures" / split
        (folder / "a").rename(folder / "[bold]\x1b[2J")
        (folder / "b" / "0.png").rename(folder / "b" / os.fsdecode(b"line\n\xff.png"))
    assert train() == 0
    run = only_run()
    assert main(["eval", f"checkpoint={run}"]) == 0
    said = "".join(capsys.readouterr())
    assert "\x1b[2J" not in said
    assert "[bold]\\x1b[2J" in said
    rows = list(csv.reader((run / "eval-val.csv").read_text(errors="surrogateescape").splitlines(keepends=True)))
    assert os.fsdecode(b"b/line\n\xff.png") in {row[0] for row in rows}


def test_a_network_for_numbers_is_not_measured_on_folders() -> None:
    data = {**asdict(DataConfig(name="manifest", file="m.csv")), "task": "regression"}
    kept = Kept({}, data, {}, ["x"], 3, [8, 8], 0, 1, "fp32", True, 1, False, {"name": "regression"})
    with pytest.raises(ConfigError, match=r"checkpoint=run was trained on a manifest \(regression\); give one by data.file=FILE.csv"):
        find_images(EvalConfig("run", data=EvalDataConfig(root="d")), kept)


def test_the_digest_changes_with_names_labels_and_sizes_and_with_nothing_else() -> None:
    names, sizes, times = Names.of(["a/1", "b/2"]), np.array([5, 6]), np.array([1, 2])
    images = ImageSet("train", Path("/d"), ("a", "b"), names, np.array([0, 1]), sizes, times)
    same = ImageSet("val", Path("/e"), ("a", "b"), Names.of(names), np.array([0, 1]), sizes.copy(), times + 1)
    assert digest(images) == digest(same)
    others = [
        replace(images, files=Names.of(["a/1", "b/3"])),
        replace(images, files=Names.of(["a/1b", "/2"])),
        replace(images, targets=np.array([1, 1])),
        replace(images, sizes=np.array([5, 7])),
        replace(images, classes=("a", "c")),
        images.take(np.array([0])),
    ]
    assert len({digest(other) for other in [images, *others]}) == 7
