"""What a run says of its files before it starts: briefly, once, and a refusal where it makes no sense."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_runs import Run, Trained, only_run

from cnntrain.cli import main
from cnntrain.commands import file_check
from cnntrain.config.schema import DataConfig
from cnntrain.data import facts, facts_store
from cnntrain.data.sources import scan_data


def unknown_files() -> int:
    scan = scan_data(DataConfig(root="pictures"), seed=0)
    return sum(len(facts.load(images).unknown()) for images in scan.splits.values())


@pytest.mark.parametrize("cache", ["disk", "memory", "none"])
def test_a_run_knows_its_files_afterwards(train: Run, cache: str) -> None:
    assert unknown_files() == 36
    assert train(f"data.cache={cache}") == 0
    assert unknown_files() == 0


def test_what_decoding_shows_is_what_a_check_finds(train: Run, pictures: Path) -> None:
    (pictures / "train" / "a" / "bad.jpg").write_bytes(b"")
    assert train("data.cache=memory") == 0
    images = scan_data(DataConfig(root="pictures"), seed=0).splits["train"]
    met = facts.load(images).rows
    shutil.rmtree(facts_store.facts_folder())
    found = facts.load(images)
    facts.examine_unknown(images, found)
    for name in facts.FACT.names or ():
        assert np.array_equal(met[name], found.rows[name]), name


def test_copies_are_told_in_one_line_with_the_way_to_all(train: Run, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(2):
        (pictures / "train" / "a" / f"copy{number}.png").write_bytes((pictures / "train" / "a" / f"{number}.png").read_bytes())
    assert train() == 0
    said = capsys.readouterr().err.splitlines()
    (line,) = [line for line in said if "copy0.png" in line or "train/a/0.png" in line]
    assert "2 " in line
    assert "`cnntrain data check data.root=pictures` lists them" in said


def test_the_folders_that_were_named_are_in_the_words_to_type() -> None:
    data = DataConfig(root="my pictures", val_dir="v")
    assert file_check.check_words(data) == "'data.root=my pictures' data.val_dir=v"
    manifest = DataConfig(name="manifest", file="d/m.csv", root="d", label_column=["x", "y"], split_column="part")
    assert file_check.check_words(manifest) == "data=manifest data.file=d/m.csv 'data.label_column=[x,y]' data.split_column=part"
    shards = DataConfig(name="webdataset", train_shards="a-{0..3}.tar", root=".", max_pixels=100, strict=True)
    assert file_check.check_words(shards) == "data=webdataset 'data.train_shards=a-{0..3}.tar' data.max_pixels=100"


@pytest.mark.parametrize("cache", ["disk", "none"])
def test_a_class_that_cannot_be_read_ends_it_with_2_and_leaves_no_folder(
    train: Run, pictures: Path, cache: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (pictures / "train" / "b").iterdir():
        path.write_bytes(b"")
    assert train(f"data.cache={cache}") == 2
    said = capsys.readouterr().err
    assert "pictures/train/b: none of its 8 files can be read" in said
    assert not list(Path("outputs", "cnntrain").iterdir())


def test_strict_refuses_what_is_else_noted(train: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert train("data.strict=true") == 2  # the pictures of val are in train too
    assert (
        "data.strict=true refuses what was found: 12 pictures, or nearly the same ones, lie in train and in val" in capsys.readouterr().err
    )
    assert not list(Path("outputs", "cnntrain").iterdir())


def test_too_many_files_to_look_at_are_left_for_later(
    train: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(file_check, "MOST_EXAMINED", 35)
    assert train("data.cache=none") == 0
    said = "36 files are not known yet: each is checked as it is met; `cnntrain data check data.root=pictures` looks at all of them"
    assert said in capsys.readouterr().err.splitlines()
    assert unknown_files() == 36


def test_evaluation_refuses_a_class_without_a_readable_file(trained: Trained, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained()
    for path in (pictures / "val" / "c").iterdir():
        path.write_bytes(b"")
    assert main(["eval", f"checkpoint={run}"]) == 2
    assert "val/c: none of its 4 files can be read" in capsys.readouterr().err


def test_the_pixel_limit_holds_in_training_and_evaluation(train: Run, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    Image.new("RGB", (20, 20)).save(pictures / "val" / "a" / "large.png")
    assert train("data.max_pixels=100") == 0
    told = "large.png: 20x20 is more than 0.0001 million pixels; left out: figures are over 12 of 13 images"
    assert told in capsys.readouterr().err
    assert main(["eval", f"checkpoint={only_run()}"]) == 0
    assert told in capsys.readouterr().err
