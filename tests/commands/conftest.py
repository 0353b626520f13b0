"""A folder of tiny pictures that a tiny net can learn, and the command line in a folder of its own."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnntrain.cli import main

Run = Callable[..., int]
TINY = (
    "data=folder",
    "data.root=pictures",
    "data.image_size=8",
    "transforms=plain",
    "batch_size=8",
    "model=simple_cnn",
    "model.stages=[{block: conv, out_channels: 8, pool: {type: max, kernel_size: 2}}]",
    "epochs=2",
    "trainer.threads=1",
    "trainer.log_every_steps=2",
)


def write_pictures(folder: Path, classes: dict[str, int], *, mode: str = "RGB") -> None:
    """Pictures of one bright side each: class number k is bright in its k-th row pair."""
    for place, (name, count) in enumerate(classes.items()):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = np.random.default_rng([place, number]).integers(0, 120, (8, 8, 3), dtype=np.uint8)
            pixels[2 * place : 2 * place + 2] += 120
            Image.fromarray(pixels).convert(mode).save(folder / name / f"{number}.png")


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
def train(pictures: Path) -> Run:  # noqa: ARG001
    """`cnntrain train` on the tiny pictures with a tiny net; the exit code."""
    return lambda *words: main(["train", *TINY, *words])


def only_run(name: str = "cnntrain") -> Path:
    """The one run folder below outputs/NAME."""
    (run,) = Path("outputs", name).iterdir()
    return run


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
