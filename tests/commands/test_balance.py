"""Classes of very different size, and settings that do not go with the task, through the command line."""

from pathlib import Path

import pytest
from tiny_runs import TINY, Run, write_pictures

from cnntrain.cli import main


@pytest.fixture
def uneven(here: Path) -> Path:
    write_pictures(here / "pictures" / "train", {"a": 17, "b": 5, "c": 2})
    write_pictures(here / "pictures" / "val", {"a": 4, "b": 4, "c": 4})
    return here / "pictures"


def weights(sweep: Path) -> list[bytes]:
    """Of the runs of a sweep, what they learnt."""
    return [(run / "checkpoints" / "last" / "model.safetensors").read_bytes() for run in sorted(sweep.iterdir()) if run.is_dir()]


@pytest.mark.parametrize("key", ["data.sampler=shuffle,balanced", "trainer.class_weights=none,balanced"])
def test_rare_classes_can_be_made_to_count(uneven: Path, key: str) -> None:
    assert main(["train", "-m", *TINY, "epochs=1", key, "hydra.sweep.dir=sweep"]) == 0
    plain, balanced = weights(Path("sweep"))
    assert plain != balanced


def test_a_balanced_sampler_changes_no_bit_where_classes_are_balanced_already(pictures: Path) -> None:
    assert main(["train", "-m", *TINY, "data.sampler=shuffle,balanced", "hydra.sweep.dir=sweep"]) == 0
    plain, balanced = weights(Path("sweep"))
    assert plain == balanced


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
