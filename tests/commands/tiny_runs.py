"""Tiny pictures, a tiny net, and where its runs lie."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

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


def only_run(name: str = "cnntrain") -> Path:
    """The one run folder below outputs/NAME."""
    (run,) = Path("outputs", name).iterdir()
    return run


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
