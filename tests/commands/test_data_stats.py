"""`cnntrain data stats`: figures counted by hand, and a sheet that overwrites nothing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_runs import Run, tree, write_pictures

from cnntrain.cli import main
from cnntrain.config.schema import DataConfig
from cnntrain.data import facts
from cnntrain.data.folder import scan_train_val
from cnntrain.report.contact_sheet import GAP, MARGIN


def stats(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["data", "stats", "data.root=pictures", "format=json", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    found: dict[str, Any] = json.loads(lines[0])
    return found


@pytest.fixture
def mixed(here: Path) -> Path:
    """Classes of 6, 3 and 2 pictures of several sizes and modes, and a file that is none."""
    for split, counts in (("train", {"a": 6, "b": 3, "c": 2}), ("val", {"a": 1, "b": 1})):
        write_pictures(here / "pictures" / split, counts)
    folder = here / "pictures" / "train"
    Image.new("L", (20, 10), 7).save(folder / "a" / "wide.png")
    turned = Image.Exif()
    turned[0x0112] = 6  # shown turned by a quarter: 30 high, 40 wide
    Image.new("RGB", (30, 40)).save(folder / "b" / "turned.jpg", exif=turned)
    (folder / "c" / "none.jpg").write_text("not a picture")
    return here


def test_classes_sizes_and_modes_are_counted(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = stats(capsys)
    train = found["splits"]["train"]
    assert train["classes"] == {"a": 7, "b": 4, "c": 3}
    assert (train["images"], train["unreadable"], train["imbalance"]) == (14, 1, round(7 / 3, 4))
    assert train["height"] == {"min": 8, "median": 8, "max": 30}
    assert train["width"] == {"min": 8, "median": 8, "max": 40}
    assert train["aspect"] == {"min": 1, "median": 1, "max": 2}
    assert train["common_sizes"][0] == [8, 8, 11]
    assert sorted(train["common_sizes"][1:]) == [[10, 20, 1], [30, 40, 1]]
    assert train["modes"] == {"RGB": 12, "L": 1}
    assert train["formats"] == {"PNG": 12, "JPEG": 1}
    assert found["splits"]["val"]["classes"] == {"a": 1, "b": 1, "c": 0}


def test_what_is_known_of_the_files_says_the_same_as_their_headers(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    headers = stats(capsys)
    train = scan_train_val(DataConfig(root="pictures"), seed=0).pair()[0]
    known = facts.load(train)
    facts.examine_unknown(train, known)
    assert len(facts.load(train).unknown()) == 0
    assert stats(capsys) == headers


def test_mean_and_std_are_those_of_all_pixels(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = stats(capsys, "transforms=plain", "data.image_size=8")
    pixels = np.stack([np.asarray(Image.open(path)) for path in sorted((pictures / "train").glob("*/*.png"))]) / 255
    assert found["mean"] == pytest.approx(pixels.mean((0, 1, 2)), abs=1e-6)
    assert found["std"] == pytest.approx(pixels.std((0, 1, 2)), abs=1e-6)


def test_the_sheet_shows_the_image_and_what_the_runs_own_steps_make_of_it(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steps = "[{type: resize}, {type: horizontal_flip, p: 1.0}, {type: to_tensor}, {type: normalize, mean: data, std: data}]"
    found = stats(capsys, f"transforms.train={steps}", "data.image_size=8")
    sheet = np.asarray(Image.open(found["sheet"]))
    first = np.asarray(Image.open(pictures / "train" / "a" / "0.png")).repeat(8, 0).repeat(8, 1)  # 8 pixels are shown as 64
    left = MARGIN
    top = next(y for y in range(len(sheet) - 64) if (sheet[y : y + 64, left : left + 64] == first).all())
    for draw in range(1, 8):
        at = left + draw * (64 + GAP)
        assert (sheet[top : top + 64, at : at + 64] == first[:, ::-1]).all()


def test_a_sheet_is_never_overwritten(pictures: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "data-stats.png").write_text("mine")
    assert [stats(capsys, *words)["sheet"] for words in ((), (), ("seed=1",), ("out=sheets/new",))] == [
        "data-stats-2.png",
        "data-stats-2.png",
        "data-stats-3.png",
        "sheets/new/data-stats.png",
    ]
    assert (here / "data-stats.png").read_text() == "mine"


def test_mixes_are_shown_too(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("transforms=plain", "data.image_size=8")
    plain, mixed = (Path(stats(capsys, *words, f"transforms.mix={mix}")["sheet"]) for mix in ("[]", "[{type: mixup, alpha: 1.0}]"))
    assert plain.read_bytes() != mixed.read_bytes()


def test_text_has_bars_and_the_file(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "stats", "data.root=pictures"]) == 0
    out = capsys.readouterr().out
    rows = {line.split("|")[1].strip(): line for line in out.splitlines() if line.count("|") > 3}
    assert rows["a"].count("#") == 24
    assert rows["b"].count("#") == round(24 * 4 / 7)
    assert rows["unreadable"].split("|")[2].strip() == "1"
    assert out.splitlines()[-1] == "written: data-stats.png"


def manifest(labels: list[str]) -> None:
    """labels.csv: four pictures for training and one for validation, each with a label."""
    files = [f"train/a/{number}.png" for number in range(4)] + ["val/a/0.png"]
    rows = [f"{file},{label},{file.split('/')[0]}" for file, label in zip(files, labels, strict=True)]
    Path("labels.csv").write_text("\n".join(["path,label,split", *rows]) + "\n")


def test_numbers_of_a_manifest_are_spread_out(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest(["1.5", "-2", "4", "0.5", "7"])
    found = stats(capsys, "data.file=labels.csv", "data.task=regression", "transforms.mix=[{type: mixup}]")
    assert found["splits"]["train"]["targets"] == {"label": {"min": -2, "median": 1, "max": 4}}
    assert "classes" not in found["splits"]["train"]
    assert main(["data", "stats", "data.root=pictures", "data.file=labels.csv", "data.task=regression"]) == 0
    assert "targets" in capsys.readouterr().out
    mix = "transforms.mix=[{type: cutmix}]"
    assert main(["data", "stats", "data.root=pictures", "data.file=labels.csv", "data.task=regression", mix]) == 2
    assert "transforms.mix[0].type=cutmix needs classes" in capsys.readouterr().err


def test_an_image_of_several_classes_counts_for_each(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest(["x|y", "x", "y", "x", "x|y"])
    found = stats(capsys, "data.file=labels.csv", "data.task=multilabel", "transforms.mix=[{type: cutmix}]")
    assert found["splits"]["train"]["classes"] == {"x": 3, "y": 2}
    assert found["splits"]["train"]["images"] == 4


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "data.root is required: add data.root=..."),
        (["data.root=nowhere"], "nowhere"),
        (["data.root=pictures", "out=file"], "out=file is a file; give a folder by out=DIR"),
        (["data.root=pictures", "format=yaml"], "format=yaml is not one of text, json"),
        (["data.root=pictures", "transforms.mix=[{type: mixupp}]"], "no such mix; did you mean mixup?"),
        (["data.root=pictures", "transforms.train=[{type: to_tensor}]"], "transforms.train: no step brings all images to one size"),
        (["data.root=pictures", "data.image_sise=3"], "no option data.image_sise; did you mean data.image_size?"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_written(
    words: list[str], sentence: str, pictures: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "file").write_text("")
    before = tree(here)
    assert main(["data", "stats", *words]) == 2
    assert sentence in capsys.readouterr().err
    assert tree(here) == before


def test_nothing_readable_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("train/a/1.png", "train/b/1.png", "val/a/1.png", "val/b/1.png"):
        (here / "pictures" / name).parent.mkdir(parents=True)
        (here / "pictures" / name).write_text("none")
    assert main(["data", "stats", "data.root=pictures"]) == 2
    assert "none of its images can be read" in capsys.readouterr().err


def test_a_run_shows_its_samples_before_and_after(train: Run) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tiny_runs import only_run

    assert train("epochs=1") == 0
    events = EventAccumulator(str(only_run() / "tensorboard"), size_guidance={"images": 0})
    events.Reload()
    before, after = (events.Images(f"train/{name}")[0] for name in ("samples_before", "samples"))
    assert before.encoded_image_string == after.encoded_image_string  # transforms=plain changes nothing
