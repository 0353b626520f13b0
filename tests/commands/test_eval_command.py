"""`cnntrain eval`: from the checkpoint alone, matched by class names."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from tiny_runs import Run, Trained, only_run, tree, write_pictures

from cnntrain.cli import main


def result(run: Path, split: str = "val") -> dict[str, object]:
    return json.loads((run / f"eval-{split}.json").read_text())


@pytest.fixture
def run(trained: Trained) -> Path:
    return trained("epochs=8", "transforms=photos")


def test_it_gives_exactly_the_best_number_of_training(run: Path) -> None:
    best = json.loads((run / "summary.json").read_text())["best"]
    assert main(["eval", f"checkpoint={run}"]) == 0
    found = result(run)
    assert (found["top1"], found["loss"]) == (best["val/top1"], best["val/loss"])
    assert found["count"] == 12


def test_last_is_the_last_checkpoint(run: Path) -> None:
    last = json.loads((run / "summary.json").read_text())["last"]
    assert main(["eval", f"checkpoint={run}/checkpoints/last"]) == 0
    assert result(run)["loss"] == last["val/loss"]


def test_every_file_has_its_row(run: Path) -> None:
    main(["eval", f"checkpoint={run}", "split=train"])
    rows = list(csv.DictReader((run / "eval-train.csv").read_text().splitlines()))
    assert len(rows) == 24
    assert {row["file"] for row in rows} == {f"{c}/{i}.png" for c in "abc" for i in range(8)}
    assert all(row["true"] == row["file"][0] for row in rows)
    right = [row["true"] == row["predicted"] for row in rows]
    assert [row["correct"] == "true" for row in rows] == right
    assert result(run, "train")["top1"] == sum(right) / 24


def test_a_folder_with_fewer_classes_is_matched_by_name(run: Path, here: Path) -> None:
    main(["eval", f"checkpoint={run}", "out=all"])
    whole = json.loads(Path("all/eval-val.json").read_text())
    shutil.copytree(here / "pictures" / "val" / "c", here / "other" / "c")
    assert main(["eval", f"checkpoint={run}", "data.val_dir=other", "out=some"]) == 0
    some = json.loads(Path("some/eval-val.json").read_text())
    recall_of_c = next(row["recall"] for row in whole["per_class"] if row["class"] == "c")
    assert some["count"] == 4
    assert some["top1"] == recall_of_c  # numbered anew, c would be class 0


def test_an_unknown_class_is_refused_by_name(run: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pictures(here / "other", {"a": 2, "zebra": 2})
    before = tree(here)
    assert main(["eval", f"checkpoint={run}", "data.val_dir=other"]) == 2
    assert "zebra" in capsys.readouterr().err
    assert tree(here) == before


def test_other_results_of_the_same_name_are_kept(run: Path) -> None:
    main(["eval", f"checkpoint={run}"])
    first = (run / "eval-val.json").read_bytes()
    main(["eval", f"checkpoint={run}"])
    assert not (run / "eval-val-2.json").exists()  # the same result needs no second file
    main(["eval", f"checkpoint={run}/checkpoints/last", "data.val_dir=pictures/train"])
    assert (run / "eval-val.json").read_bytes() == first
    assert json.loads((run / "eval-val-2.json").read_text())["count"] == 24


def test_a_run_that_was_trained_on_keeps_the_results_from_before(trained: Trained) -> None:
    run = trained()
    assert main(["eval", f"checkpoint={run}/checkpoints/last"]) == 0
    endings = (".json", ".csv", "-confusion.png")
    before = [(run / f"eval-val{ending}").read_bytes() for ending in endings]
    assert main(["train", f"resume={run}", "epochs=3"]) == 0
    assert main(["eval", f"checkpoint={run}/checkpoints/last"]) == 0
    assert [(run / f"eval-val{ending}").read_bytes() for ending in endings] == before
    assert result(run)["checkpoint"] == "step_00000006"
    assert json.loads((run / "eval-val-2.json").read_text())["checkpoint"] == "step_00000009"


def test_the_run_can_be_moved_and_its_config_is_not_needed(run: Path, here: Path) -> None:
    moved = here / "elsewhere"
    shutil.move(run, moved)
    (moved / "config.yaml").unlink()
    assert main(["eval", f"checkpoint={moved}"]) == 0
    assert result(moved)["count"] == 12


def test_classes_that_changed_since_training_are_refused_not_renumbered(run: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for split in ("train", "val"):
        (here / "pictures" / split / "a").rename(here / "pictures" / split / "z")
    assert main(["eval", f"checkpoint={run}"]) == 2
    assert "z" in capsys.readouterr().err


def test_a_class_that_was_added_to_train_does_not_shift_the_others(run: Path, here: Path) -> None:
    best = json.loads((run / "summary.json").read_text())["best"]
    write_pictures(here / "pictures" / "train" / "..", {"aa": 2})
    (here / "pictures" / "aa").rename(here / "pictures" / "train" / "aa")
    assert main(["eval", f"checkpoint={run}"]) == 0
    assert result(run)["top1"] == best["val/top1"]


def test_a_val_folder_of_another_name_is_evaluated_without_being_named(train: Run, here: Path) -> None:
    (here / "pictures" / "val").rename(here / "pictures" / "validation")
    assert train("data.val_split=validation") == 0
    assert main(["eval", f"checkpoint={only_run()}"]) == 0
    assert result(only_run(), "validation")["count"] == 12


def test_a_place_where_nothing_can_be_written_is_told_first(run: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "file").write_text("")
    assert main(["eval", f"checkpoint={run}", "out=file"]) == 2
    assert "out=DIR" in capsys.readouterr().err


def test_the_confusion_picture_is_a_png(run: Path) -> None:
    main(["eval", f"checkpoint={run}"])
    assert (run / "eval-val-confusion.png").read_bytes().startswith(b"\x89PNG")


def test_views_are_averaged_as_in_training_unless_told_otherwise(train: Run) -> None:
    assert train("trainer.tta=flip_translate") == 0
    run = only_run()
    best = json.loads((run / "summary.json").read_text())["best"]
    assert main(["eval", f"checkpoint={run}"]) == 0
    assert (result(run)["loss"], result(run)["tta"]) == (best["val/loss"], "flip_translate")
    assert main(["eval", f"checkpoint={run}", "trainer.tta=none", "out=plain"]) == 0
    assert result(Path("plain"))["tta"] == "none"
    assert result(Path("plain"))["loss"] != best["val/loss"]
