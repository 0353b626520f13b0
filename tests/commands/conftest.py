"""A working directory of its own, with pictures in it, and the command line."""

import shutil
from pathlib import Path

import pytest
from tiny_runs import TINY, Run, Trained, only_run, write_pictures

from cnntrain.cli import main


@pytest.fixture(scope="session")
def one_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all tests with `trained` take place, since a run knows its data by their absolute path."""
    return tmp_path_factory.mktemp("place") / "here"


@pytest.fixture
def here(request: pytest.FixtureRequest, tmp_path: Path, one_place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    folder = tmp_path
    if "trained" in request.fixturenames:
        folder = one_place
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("CNNTRAIN_CONFIG_DIR", raising=False)
    return folder


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


@pytest.fixture(scope="session")
def kept_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], Path]:
    """Words -> a copy of the run that they gave."""
    return {}


@pytest.fixture
def trained(train: Run, here: Path, kept_runs: dict[tuple[str, ...], Path], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The folder of a finished run of `train` with some words, for tests of what comes after it: trained once for all of them."""

    def finished(*words: str) -> Path:
        if words in kept_runs:
            kept = kept_runs[words]
            shutil.copytree(kept, Path("outputs", "cnntrain", kept.name), symlinks=True)
        else:
            assert train(*words) == 0
            kept_runs[words] = tmp_path_factory.mktemp("kept") / only_run().name
            shutil.copytree(only_run(), kept_runs[words], symlinks=True)
        return only_run()

    return finished
