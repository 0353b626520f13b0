"""run.json: where a run came from, so that it can be repeated from its folder alone."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cnntrain.commands.asked import asked_digest
from cnntrain.commands.data_sets import DataSets
from cnntrain.config.command import Job
from cnntrain.config.schema import TrainConfig
from cnntrain.data.images import ImageSet
from cnntrain.runs.folder import environment
from cnntrain.runs.summary import read_run


def run_record(job: Job, run: Path, data: DataSets, *, device: str) -> dict[str, Any]:
    """Command line, versions, data; a resumed run keeps the records of its earlier starts."""
    start = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "argv": list(job.argv),
        "overrides": list(job.overrides),
        "device": device,
        **environment(),
    }
    known = read_run(run) or {}
    before = known.get("starts", [])
    config = job.config
    goes_on = isinstance(config, TrainConfig) and config.resume is not None and not config.branch and "asked" in known
    # a run that is gone on with as it is stays the answer to the command that began it
    asked = known["asked"] if goes_on and not job.changed else asked_digest(job.stored)
    facts = {"choices": dict(job.choices), "asked": asked, "data": data_record(data), "starts": [*before, start]}
    return {**start, **facts, **({"branched_from": config.resume} if isinstance(config, TrainConfig) and config.branch else {})}


def data_record(data: DataSets) -> dict[str, Any]:
    splits = {"train": data.train, "val": data.val}
    return {
        "classes": len(data.train.classes),
        "channels": data.channels,
        **{name: {"directory": str(images.directory), "count": len(images), "digest": digest(images)} for name, images in splits.items()},
    }


def digest(images: ImageSet) -> str:
    """sha256 over names, targets and sizes in bytes: changes when a file is added, removed, renamed or rewritten to another size."""
    total = hashlib.sha256("\0".join(images.classes).encode("utf-8", "surrogateescape"))
    for numbers in (images.files.ends, images.targets, images.sizes):
        total.update(f"\0{numbers.dtype.kind}{numbers.shape}".encode())
        total.update(numbers.astype(numbers.dtype.newbyteorder("<")).tobytes())
    total.update(images.files.block)
    return total.hexdigest()
