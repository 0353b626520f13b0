"""The tasks from a manifest to the evaluation: the digits' properties, and their values, learnt from a CSV file."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_runs import tree

from cnntrain.cli import main
from cnntrain.data.digits import unpack_digits

PROPERTIES = {"even": "02468", "large": "56789", "loop": "04689", "prime": "2357"}
WORDS = (
    "data=manifest",
    "data.image_size=8",
    "transforms=plain",
    "model=simple_cnn",
    "batch_size=64",
    "optimizer=adamw",
    "optimizer.lr=0.01",
    "trainer.threads=1",
    "trainer.precision=fp32",
)


def properties_of(digit: str) -> str:
    return "|".join(name for name, digits in PROPERTIES.items() if digit in digits)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the digits and two manifests; Hydra and the tests write nothing into it."""
    root = tmp_path_factory.mktemp("tables") / "digits"
    unpack_digits(root)
    files = sorted(str(path.relative_to(root)) for path in root.glob("*/*/*.png"))
    for name, columns in {
        "properties": {"label": properties_of},
        "numbers": {"value": lambda digit: str(100 + int(digit)), "rest": lambda digit: str((9 - int(digit)) / 8)},
    }.items():
        with open(root / f"{name}.csv", "w", newline="") as table:
            writer = csv.writer(table)
            writer.writerow(["path", "split", *columns])
            writer.writerows([file, file.split("/")[0], *(column(file.split("/")[1]) for column in columns.values())] for file in files)
    return root


@pytest.fixture
def work(here: Path, digits: Path) -> tuple[list[str], list[str]]:
    """The words of a multi-label run and of a regression."""
    several = ["train", *WORDS, f"data.file={digits}/properties.csv", "data.task=multilabel"]
    numbers = ["train", *WORDS, f"data.file={digits}/numbers.csv", "data.label_column=[value,rest]"]
    return several, numbers


def last(run: str) -> dict[str, float]:
    return json.loads((Path(run) / "summary.json").read_text())["last"]


@pytest.mark.slow  # the other tests train on fewer
def test_several_labels_are_learnt_and_evaluated(work: tuple[list[str], list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*work[0], "epochs=4", "hydra.run.dir=run"]) == 0
    assert "4 labels, any number of them an image" in capsys.readouterr().err
    assert main(["eval", "checkpoint=run/checkpoints/last"]) == 0
    found = json.loads(Path("run/eval-val.json").read_text())
    assert (found["task"], found["classes"], found["count"]) == ("multilabel", ["even", "large", "loop", "prime"], 355)
    assert found["map"] == last("run")["val/map"] > 0.97
    assert json.loads(Path("run/summary.json").read_text())["objective"] == "val/map"
    rows = list(csv.DictReader(Path("run/eval-val.csv").read_text().splitlines()))
    assert [row["true"] for row in rows] == [properties_of(row["file"].split("/")[1]) for row in rows]
    said = np.array([[float(row[f"probability of {name}"]) > 0.5 for name in PROPERTIES] for row in rows])
    there = np.array([[row["file"].split("/")[1] in digits for digits in PROPERTIES.values()] for row in rows])
    assert found["f1"] == pytest.approx(2 * (said & there).sum() / (said.sum() + there.sum()))
    assert [row["correct"] == "true" for row in rows] == (said == there).all(1).tolist()
    assert Path("run/eval-val-average-precision.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow  # the other tests train on fewer
def test_numbers_are_learnt_and_told_in_their_own_units(work: tuple[list[str], list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*work[1], "epochs=6", "hydra.run.dir=run"]) == 0
    assert "2 numbers an image (value, rest)" in capsys.readouterr().err
    assert main(["eval", "checkpoint=run/checkpoints/last"]) == 0
    found = json.loads(Path("run/eval-val.json").read_text())
    assert (found["task"], found["targets"], found["count"]) == ("regression", ["value", "rest"], 355)
    assert (found["loss"], found["mae"]) == (last("run")["val/loss"], last("run")["val/mae"])
    assert found["r2"] > 0.9
    rows = list(csv.DictReader(Path("run/eval-val.csv").read_text().splitlines()))
    assert [float(row["true value"]) for row in rows] == [100.0 + int(row["file"].split("/")[1]) for row in rows]
    missed = [abs(float(row["predicted value"]) - float(row["true value"])) for row in rows]
    assert found["per_target"][0]["mae"] == pytest.approx(sum(missed) / len(missed), rel=1e-4)
    assert sum(missed) / len(missed) < 1  # digits, not standard deviations
    assert Path("run/eval-val-scatter.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("task", [0, 1], ids=["multilabel", "regression"])
def test_a_run_that_goes_on_comes_to_the_same_bits(work: tuple[list[str], list[str]], task: int) -> None:
    words = [*work[task], "schedule=constant", "data.limit=200"]
    assert main([*words, "epochs=2", "hydra.run.dir=whole"]) == 0
    assert main([*words, "epochs=1", "hydra.run.dir=parts"]) == 0
    assert main(["train", "resume=parts", "epochs=2"]) == 0
    assert last("whole") | {"images_per_second": 0} == last("parts") | {"images_per_second": 0}
    whole, parts = (Path(run, "checkpoints", "last", "model.safetensors").read_bytes() for run in ("whole", "parts"))
    assert whole == parts


def test_a_sweep_over_losses_is_sorted_by_the_smallest_error(work: tuple[list[str], list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-m", "trainer.regression_loss=smooth_l1,l1", "epochs=1", "data.limit=200", "hydra.sweep.dir=sweep"]
    assert main([*work[1], *words]) == 0
    sweep = json.loads(Path("sweep/sweep.json").read_text())
    errors = [row["best"]["val/mae"] for row in sweep["runs"]]
    assert sweep["objective"] == "val/mae"
    assert errors == sorted(errors)
    assert "2 runs by val/mae" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("task", "word", "sentence"),
    [
        (0, "objective=val/mae", "objective=val/mae is not measured where an image has several labels"),
        (1, "objective=val/top1", "objective=val/top1 is not measured where an image has numbers"),
        (1, "trainer.label_smoothing=0.1", "trainer.label_smoothing=0.1 has no effect where an image has numbers"),
        (0, "data.sampler=balanced", "take data.sampler=shuffle trainer.class_weights=balanced"),
    ],
)
def test_settings_of_another_task_are_told_before_anything_is_written(
    work: tuple[list[str], list[str]], here: Path, capsys: pytest.CaptureFixture[str], task: int, word: str, sentence: str
) -> None:
    before = tree(here)
    assert main([*work[task], word]) == 2
    assert sentence in capsys.readouterr().err
    assert tree(here) == before


def test_labels_that_no_validation_image_has_are_told(here: Path, digits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(digits / "val" / "1", here / "ones")
    rows = [
        f"ones/{path.name},{'train' if place else 'val'},{'a|b' if place else ''}" for place, path in enumerate((here / "ones").iterdir())
    ]
    (here / "labels.csv").write_text("\n".join(["path,split,label", *rows]) + "\n")
    assert main(["train", *WORDS, "data.file=labels.csv", "data.task=multilabel"]) == 2
    assert "no image of val has any class, so val/map cannot be measured" in capsys.readouterr().err


def test_another_manifest_is_evaluated_by_the_names_of_its_classes(work: tuple[list[str], list[str]], digits: Path) -> None:
    assert main([*work[0], "epochs=1", "data.limit=200", "hydra.run.dir=run"]) == 0
    some = sorted((digits / "val" / "6").iterdir())[:5]
    text = "\n".join(["path,label", *(f"val/6/{path.name},loop" for path in some)])  # one label each: no longer several to the eye
    (digits / "some.csv").write_text(text + "\n")
    assert main(["eval", "checkpoint=run", f"data.file={digits}/some.csv", "out=some"]) == 0
    found = json.loads(Path("some/eval-val.json").read_text())
    assert [(row["class"], row["count"]) for row in found["per_class"]] == [("even", 0), ("large", 0), ("loop", 5), ("prime", 0)]
