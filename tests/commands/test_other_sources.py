"""Shards and a set of torchvision's, from the command line to the evaluation."""

import csv
import json
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
from tiny_runs import TINY, tree

from cnntrain.cli import main

OF_ONES_OWN = ("data=folder", "data.root=pictures")
WORDS = [word for word in TINY if word not in OF_ONES_OWN]


def pack(folder: Path, shard: Path) -> None:
    """The pictures of a folder, each with its class."""
    with tarfile.open(shard, "w") as tar:
        for picture in sorted(folder.glob("*/*.png")):
            key = f"{picture.parent.name}{picture.stem}"
            (shard.parent / "label").write_text(picture.parent.name)
            tar.add(picture, f"{key}.png")
            tar.add(shard.parent / "label", f"{key}.cls")


def test_shards_train_as_the_folder_that_was_packed_and_are_evaluated(pictures: Path, here: Path) -> None:
    for split in ("train", "val"):
        pack(pictures / split, here / f"{split}-0.tar")
    words = ["data=webdataset", "data.train_shards=train-0.tar", "data.val_shards=val-0.tar", "hydra.run.dir=shards"]
    assert main(["train", *WORDS, *words, "data.num_workers=0"]) == 0
    assert main(["train", *TINY, "hydra.run.dir=folder"]) == 0
    packed, plain = (json.loads((here / run / "summary.json").read_text())["last"] for run in ("shards", "folder"))
    assert packed == plain  # few shards are shuffled as a folder is, and their images sort alike
    assert main(["eval", "checkpoint=shards", "out=own"]) == 0
    assert main(["eval", "checkpoint=shards", "data.shards=val-0.tar", "out=named"]) == 0
    own, named = (list(csv.DictReader((here / out / "eval-val.csv").read_text().splitlines())) for out in ("own", "named"))
    assert own == named
    assert [row["true"] for row in own] == [row["file"].partition("/")[2][0] for row in own] == ["a"] * 4 + ["b"] * 4 + ["c"] * 4


def test_shards_without_their_key_and_keys_without_shards_are_told(pictures: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(here)
    assert main(["train", *WORDS, "data=webdataset"]) == 2
    assert "data=webdataset needs its tar files; add data.train_shards='DIR/train-{000000..000009}.tar'" in capsys.readouterr().err
    assert main(["train", *TINY, "data.train_shards=a.tar"]) == 2
    assert "data.train_shards=a.tar has no effect in data=folder; add data=webdataset" in capsys.readouterr().err
    assert main(["train", *WORDS, "data=webdataset", "data.train_shards=a.tar"]) == 2
    assert "no shard a.tar" in capsys.readouterr().err
    assert main(["eval", "checkpoint=x", "data.shards=a.tar", "data.root=d"]) == 2
    assert "data.root has no effect beside data.shards; give one of them" in capsys.readouterr().err
    assert tree(here) == before


def test_a_set_of_torchvisions_trains_and_its_test_part_validates(here: Path) -> None:
    raw = here / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for stem, count in (("train", 20), ("t10k", 10)):
        pixels = np.random.default_rng(count).integers(0, 256, (count, 28, 28), dtype=np.uint8)
        (raw / f"{stem}-images-idx3-ubyte").write_bytes(bytes([0, 0, 8, 3]) + struct.pack(">3I", *pixels.shape) + pixels.tobytes())
        (raw / f"{stem}-labels-idx1-ubyte").write_bytes(
            bytes([0, 0, 8, 1]) + struct.pack(">I", count) + bytes(n % 10 for n in range(count))
        )
    words = [word for word in WORDS if "image_size" not in word]
    assert main(["train", *words, "data=torchvision", "data.dataset=MNIST", "data.root=.", "epochs=1", "hydra.run.dir=run"]) == 0
    assert main(["eval", "checkpoint=run"]) == 0
    found = json.loads((here / "run" / "eval-val.json").read_text())
    assert (found["count"], found["classes"]) == (10, list("0123456789"))
    assert "image_size: 28" in (here / "run" / "config.yaml").read_text()
