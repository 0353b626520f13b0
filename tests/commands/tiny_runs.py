"""Tiny pictures, a tiny net, and where its runs lie."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

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


def weights(run: Path, which: str = "last") -> dict[str, torch.Tensor]:
    return load_file(run / "checkpoints" / which / "model.safetensors")


def same_weights(one: Path, other: Path) -> bool:
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def press_ctrl_c_when(ready: Callable[[], bool]) -> None:
    """Ctrl-C at the first moment that `ready` is true."""

    def watch() -> None:
        while not ready():
            time.sleep(0.002)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=watch, daemon=True).start()


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
