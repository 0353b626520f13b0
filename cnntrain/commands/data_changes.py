"""What lay in the data folders when a run began, and how it differs from what lies there now."""

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

from cnntrain.commands.data_sets import DataSets
from cnntrain.data.findings import shown
from cnntrain.data.images import ImageSet
from cnntrain.runs.durable import write_atomically

FILE = "data.json.gz"
MOST_LISTED = 500_000  # images; 500,000 take 6 MB and a second
MOST_NAMED = 5


def write_listing(run: Path, data: DataSets) -> None:
    """RUN/data.json.gz: every image with its target and size in bytes.

    Raises:
        DiskFull, CannotGoOn: it cannot be written.
    """
    if len(data.train) + len(data.val) <= MOST_LISTED:
        text = json.dumps({"train": listing(data.train), "val": listing(data.val)})
        write_atomically(run / FILE, gzip.compress(text.encode("ascii"), 1, mtime=0))


def listing(images: ImageSet) -> dict[str, Any]:
    return {"files": list(images.files), "targets": images.targets.tolist(), "sizes": images.sizes.tolist()}


def differences(run: Path, data: DataSets) -> str:
    """The first five: `train/a/3.png is gone; val/b/7.png is new`; empty where no listing says more."""
    try:
        before = json.loads(gzip.decompress((run / FILE).read_bytes()))
        told = [
            said for name, images in (("train", data.train), ("val", data.val)) for said in changes(name, before[name], listing(images))
        ]
    except (OSError, ValueError, EOFError, zlib.error, KeyError, TypeError):  # none was written, or it is damaged
        return ""
    more = f" (the first {MOST_NAMED} of {len(told):,})" if len(told) > MOST_NAMED else ""
    return "; ".join(told[:MOST_NAMED]) + more


def changes(split: str, before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    old, new = by_file(before), by_file(now)
    told = [f"{split}/{shown(file)} is gone" for file in old if file not in new]
    told += [f"{split}/{shown(file)} is new" for file in new if file not in old]
    for file in old.keys() & new.keys():
        if old[file][0] != new[file][0]:
            told.append(f"{split}/{shown(file)} has another label")
        elif old[file] != new[file]:
            told.append(f"{split}/{shown(file)} has {new[file][1]:,} bytes, but had {old[file][1]:,}")
    if not told and before["files"] != now["files"]:
        told.append(f"the images of {split} come in another order")
    return sorted(told)


def by_file(listed: dict[str, Any]) -> dict[str, tuple[Any, int]]:
    return {file: (target, size) for file, target, size in zip(listed["files"], listed["targets"], listed["sizes"], strict=True)}
