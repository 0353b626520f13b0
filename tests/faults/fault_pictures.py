"""Tiny pictures, the words that train on them, and what two runs must share."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

TINY = (
    "data=folder",
    "data.root=pictures",
    "data.image_size=8",
    "data.num_workers=0",
    "transforms=plain",
    "batch_size=8",
    "model=simple_cnn",
    "model.stages=[{block: conv, out_channels: 8, pool: {type: max, kernel_size: 2}}]",
    "model.head.dropout=0.2",
    "trainer.device=cpu",
    "trainer.threads=1",
    "trainer.log_every_steps=2",
    "trainer.ema={decay: 0.9}",
    "data.cache=none",
)


def write_pictures(folder: Path) -> None:
    """32 + 12 pictures of one bright side each: class number k is bright in its k-th row pair."""
    for split, count in (("train", 11), ("val", 4)):
        for place, name in enumerate("abc"):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = np.random.default_rng([place, number]).integers(0, 120, (8, 8, 3), dtype=np.uint8)
                pixels[2 * place : 2 * place + 2] += 120
                Image.fromarray(pixels).save(folder / split / name / f"{number}.png")


def differences(run: Path, reference: Path) -> list[str]:
    """What two finished runs do not share, bit by bit."""
    found = []
    last, expected = run / "checkpoints" / "last", reference / "checkpoints" / "last"
    if last.resolve().name != expected.resolve().name:
        return [f"{last.resolve().name} instead of {expected.resolve().name}"]
    for name in ("model.safetensors", "optimizer.safetensors", "optimizer.json", "ema.safetensors"):
        if (last / name).read_bytes() != (expected / name).read_bytes():
            found.append(name)
    if (run / "checkpoints" / "best").resolve().name != (reference / "checkpoints" / "best").resolve().name:
        found.append("best")
    if measured(run) != measured(reference):
        found.append("metrics.jsonl")
    return found


def measured(run: Path) -> list[dict[str, object]]:
    """The lines of metrics.jsonl that tell what was learnt, without what depends on the clock."""
    clocks = ("images_per_second", "seconds")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in clocks} for line in lines if line["event"] in ("step", "epoch")]
