"""A working directory of its own, with pictures in it, and the command line."""

from pathlib import Path

import pytest
from tiny_runs import TINY, Run, write_pictures

from cnntrain.cli import main


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CNNTRAIN_CONFIG_DIR", raising=False)
    return tmp_path


@pytest.fixture
def pictures(here: Path) -> Path:
    """pictures/train and pictures/val with classes a, b and c."""
    write_pictures(here / "pictures" / "train", {"a": 8, "b": 8, "c": 8})
    write_pictures(here / "pictures" / "val", {"a": 4, "b": 4, "c": 4})
    return here / "pictures"


@pytest.fixture
def train(pictures: Path) -> Run:
    """`cnntrain train` on the tiny pictures with a tiny net; the exit code."""
    return lambda *words: main(["train", *TINY, *words])
