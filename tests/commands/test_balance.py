"""Classes of very different size, and settings that do not go with the task, through the command line."""

from pathlib import Path

import pytest
from tiny_runs import TINY, Run, only_run, write_pictures

from cnntrain.cli import main


@pytest.fixture
def uneven(here: Path) -> Path:
    write_pictures(here / "pictures" / "train", {"a": 17, "b": 5, "c": 2})
    write_pictures(here / "pictures" / "val", {"a": 4, "b": 4, "c": 4})
    return here / "pictures"


def weights(*words: str) -> bytes:
    """What a run with these words learns."""
    name = words[-1].partition("=")[0].replace(".", "_")
    assert main(["train", *TINY, "epochs=1", *words, f"name={name}"]) == 0
    return (only_run(name) / "checkpoints" / "last" / "model.safetensors").read_bytes()


def test_rare_classes_can_be_made_to_count(uneven: Path) -> None:
    plain, shown_more, weighed_more = weights("seed=0"), weights("data.sampler=balanced"), weights("trainer.class_weights=balanced")
    assert len({plain, shown_more, weighed_more}) == 3


def test_a_balanced_sampler_changes_no_bit_where_classes_are_balanced_already(pictures: Path) -> None:
    assert weights("seed=0") == weights("data.sampler=balanced")


def test_both_ways_to_balance_at_once_are_refused(uneven: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *TINY, "data.sampler=balanced", "trainer.class_weights=balanced"]) == 2
    assert "take one" in capsys.readouterr().err
    assert not (here / "outputs").exists()


def test_an_objective_of_another_task_is_refused_before_a_folder_is_made(
    train: Run, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("objective=val/map") == 2
    assert "objective=val/map is not measured where an image has one class" in capsys.readouterr().err
    assert not (here / "outputs").exists()
