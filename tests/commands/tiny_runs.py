"""Tiny pictures, a tiny net, and where its runs lie."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

Run = Callable[..., int]
Trained = Callable[..., Path]
CLOCK = ("images_per_second", "seconds")  # what differs between two runs of the same bits
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


def history(run: Path) -> list[dict[str, Any]]:
    """metrics.jsonl without what a clock says."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in CLOCK} for line in lines]


def state(run: Path) -> dict[str, Any]:
    """state.json of the last checkpoint without what a clock says."""

    def timeless(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: timeless(part) for key, part in value.items() if key not in (*CLOCK, "train_seconds")}
        return value

    return timeless(json.loads((run / "checkpoints" / "last" / "state.json").read_text()))


def tensors(run: Path) -> dict[str, bytes]:
    folder = run / "checkpoints" / "last"
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name.endswith("safetensors") or path.name == "optimizer.json"}


def curves(run: Path) -> dict[str, list[int]]:
    """The steps of each of TensorBoard's scalars, as it shows them."""
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return {tag: [each.step for each in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def assert_same(one: Path, other: Path) -> None:
    assert curves(one) == curves(other)
    assert tensors(one) == tensors(other)
    assert history(one) == history(other)
    assert state(one) == state(other)
