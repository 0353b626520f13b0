"""`cnntrain train`: check everything, build, train, keep what a run leaves.

Every answer to a typo waits for this file, so it imports the other rooms where they are used; commands/training.py
does the work.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnntrain.config.command import Command, Job
from cnntrain.config.rules import task_rules
from cnntrain.config.schema import TrainConfig
from cnntrain.errors import ConfigError, UserError

if TYPE_CHECKING:
    from cnntrain.model.shapes import LayerShape


def check(jobs: Sequence[Job]) -> None:
    """What only data and geometry can tell: folders, classes, shapes, device; of all runs, before a folder is made.

    Raises:
        UserError: all faults of all runs.
    """
    from cnntrain.commands.data_sets import forget_data

    forget_data()
    faults: list[str] = []
    seen: set[str] = set()
    for job in jobs:
        config = job.config
        assert isinstance(config, TrainConfig)
        batch = f"{config.batch_size} {config.trainer.accumulation_steps}"
        by = f"{config.data} {config.transforms} {config.model} {config.num_classes} {batch} {config.trainer} {config.objective}"
        if by not in seen:
            seen.add(by)
            try:
                check_one(config)
            except UserError as error:
                faults += error.faults
    if faults:
        raise ConfigError(faults)


def check_one(config: TrainConfig) -> None:
    from cnntrain.commands.data_sets import image_size_of, input_of

    channels, num_classes, task = input_of(config)  # data first: its faults need no torch
    faults = task_rules(config, task)
    if faults:
        raise ConfigError(faults)
    from cnntrain.commands.building import build_pipelines
    from cnntrain.engine.precision import resolve_device, resolve_precision
    from cnntrain.engine.views import build_infer
    from cnntrain.model.factory import check_model

    size = image_size_of(config.data)
    layers = check_model(config.model, in_channels=channels, num_classes=num_classes, image_size=size)
    check_batch_norm(config, layers)
    if config.trainer.progressive_size is not None:
        check_smallest(config, layers, channels=channels, num_classes=num_classes)
    build_pipelines(config, channels=channels)
    build_infer(config.trainer.tta, size)
    resolve_precision(resolve_device(config.trainer.device), config.trainer.precision)


def check_smallest(config: TrainConfig, layers: "Sequence[LayerShape]", *, channels: int, num_classes: int) -> None:
    """
    Raises:
        ConfigError: the network does not fit the first, smallest images, or has other weights for them.
    """
    from cnntrain.commands.data_sets import image_size_of
    from cnntrain.config.progressive import size_at
    from cnntrain.model.factory import check_model

    size = size_at(0, image_size_of(config.data), **config.trainer.progressive_size)
    at = f"trainer.progressive_size: at its first size, {size[0]}x{size[1]} pixels,"
    try:
        small = check_model(config.model, in_channels=channels, num_classes=num_classes, image_size=size)
    except ConfigError as error:
        raise ConfigError(f"{at} {fault}" for fault in error.faults) from error
    check_batch_norm(config, small)
    for one, other in zip(layers, small, strict=True):
        if one.num_parameters != other.num_parameters:
            raise ConfigError(
                f"{at} {one.path} would have {other.num_parameters:,} weights instead of {one.num_parameters:,}; take a head that pools "
                "its map to one number a channel (model.head.pool=avg), or trainer.progressive_size=null"
            )


def check_batch_norm(config: TrainConfig, layers: "Sequence[LayerShape]") -> None:
    """
    Raises:
        ConfigError: a BatchNorm would see one number for a channel, which has no variance.
    """
    at_once = config.batch_size // config.trainer.accumulation_steps
    for layer in layers:
        if at_once == 1 and layer.kind.startswith("BatchNorm") and all(side == 1 for side in layer.output_shape[1:]):
            raise ConfigError(
                f"batch_size={config.batch_size} trainer.accumulation_steps={config.trainer.accumulation_steps}: BatchNorm at "
                f"{layer.path} sees a 1x1 map of one image, which has no variance; take batch_size=2 or more, or model.norm=group"
            )


def claim(name: str, stamp: str, sweep: bool, given: Path | None) -> Path:
    """The folder of a new run or sweep, which no other process has."""
    from cnntrain.runs import folder

    if given is not None:
        return folder.claim_exact(given)
    return folder.claim(Path("outputs") / name, stamp, "-sweep" if sweep else "")


def unfinished(job: Job, given: Path | None) -> Path | None:
    """The run that resume=auto goes on with; says so, or that there is none."""
    from cnntrain.commands.asked import asked_digest
    from cnntrain.runs.unfinished import newest_unfinished

    config = job.config
    assert isinstance(config, TrainConfig)
    parent = Path("outputs") / config.name
    folders = [path for path in (parent.iterdir() if parent.is_dir() else ()) if path.is_dir()] if given is None else [given]
    run = newest_unfinished(folders, asked_digest(job.stored))
    said = f"goes on with {run}" if run else f"no unfinished run of this configuration in {given or parent}; a new one starts"
    print(f"resume=auto: {said}", file=sys.stderr)
    return run


def run(job: Job) -> float | None:
    """Train one configuration; returns the objective of its best epoch."""
    from cnntrain.engine.signals import Signals

    assert isinstance(job.config, TrainConfig)
    if job.config.dry_run:
        from cnntrain.commands.training import dry_run

        dry_run(job.config)
        return None
    with Signals() as signals:  # before torch is imported, which takes seconds
        from cnntrain.commands.training import train

        return train(job, job.config, signals)


def finish(folder: Path, objective: str) -> None:
    """The table of a sweep."""
    from cnntrain.report.sweep import write_sweep

    write_sweep(folder, objective)


COMMAND = Command(
    name="train",
    config_name="train",
    schema=TrainConfig,
    check=check,
    job=run,
    claim=claim,
    unfinished=unfinished,
    finish=finish,
    makes_folder=True,
)
