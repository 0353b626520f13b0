"""`cnntrain data stats`: how many, how large, what colours; and a contact sheet of what augmentation makes of them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnntrain.config.command import Command, Job
from cnntrain.config.components.mixes import task_faults
from cnntrain.config.rules import source_name
from cnntrain.config.schema import DataConfig, DataStatsConfig
from cnntrain.data.images import ImageSet
from cnntrain.data.sources import scan_data
from cnntrain.errors import ConfigError, DataError

if TYPE_CHECKING:
    import numpy as np

    from cnntrain.data.pipeline import Pipeline

NUM_ROWS, NUM_DRAWS = 8, 7
SHEET = "data-stats"
SMALLEST_SIDE = 64  # pixels in the sheet


def check(jobs: Sequence[Job]) -> None:
    """Nothing: the job looks at the folder once, and writes only at its end."""


def run(job: Job) -> None:
    """Look, print, write the sheet.

    Raises:
        UserError: the folder cannot be used, or the steps do not fit it.
    """
    config = job.config
    assert isinstance(config, DataStatsConfig)
    folder = folder_for(config)
    scan = scan_data(DataConfig(**asdict(replace(config.data, name=source_name(config.data)))), seed=config.seed).usable()
    from cnntrain.data.decode import resolve_channels
    from cnntrain.data.findings import told
    from cnntrain.report.console import say
    from cnntrain.report.data_tables import data_tables
    from cnntrain.report.tables import show
    from cnntrain.runs.durable import told_plainly

    train = scan.pair()[0]
    faults = task_faults("transforms.mix", config.transforms.mix, train.task)
    if faults:
        raise ConfigError(faults)
    for note in told(scan.findings):
        say(note)
    channels = resolve_channels(train, config.data.channels)
    pipelines, statistics = measured_pipelines(config, train, channels)
    result = {
        "root": config.data.root,
        "channels": channels,
        "splits": {name: of_split(images) for name, images in scan.splits.items()},
        **{name: list(values) for name, values in statistics.items()},
    }
    png = sheet_of(config, train, pipelines)
    with told_plainly(folder):
        folder.mkdir(parents=True, exist_ok=True)
        path = free_path(folder, png)
        path.write_bytes(png)
    if config.format == "json":
        print(json.dumps({**result, "sheet": str(path)}, ensure_ascii=True))
    else:
        show(*data_tables(result), f"written: {path}")


def folder_for(config: DataStatsConfig) -> Path:
    folder = Path(config.out or ".")
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"out={folder} is a file; give a folder by out=DIR")
    return folder


def of_split(images: ImageSet) -> dict[str, Any]:
    """What there is to say of one split, as plain data."""
    from cnntrain.data.survey import imbalance, spread, survey

    found: dict[str, Any] = {"directory": str(images.directory), "images": len(images)}
    if images.task == "regression":
        found["targets"] = {name: spread(images.targets[:, number]) for number, name in enumerate(images.classes)}
    else:
        counts = images.counts()
        found |= {"classes": counts, "imbalance": imbalance(counts)}
    return found | survey(images).plain()


def measured_pipelines(config: DataStatsConfig, train: ImageSet, channels: int) -> tuple[list["Pipeline"], dict[str, tuple[float, ...]]]:
    """The training and the evaluation pipeline with the training images' statistics, and these."""
    from cnntrain.data.measured import measure
    from cnntrain.data.pipeline import build_pipeline

    size = config.data.image_size
    height, width = (size, size) if isinstance(size, int) else size
    lists = {"transforms.train": config.transforms.train, "transforms.eval": config.transforms.eval}
    pipelines = [
        build_pipeline(steps, image_size=(height, width), channels=channels, statistics=None, place=place) for place, steps in lists.items()
    ]
    statistics = measure(train, pipelines[0], None, {})
    return [each.with_statistics(statistics) for each in pipelines], {"mean": statistics.mean, "std": statistics.std}


def sheet_of(config: DataStatsConfig, train: ImageSet, pipelines: list["Pipeline"]) -> bytes:
    """A PNG: training images as evaluation would see them, and as seven epochs of training would."""
    import yaml

    from cnntrain.report.contact_sheet import as_png, contact_sheet, enlarged

    indices, columns = drawn(config, train, pipelines)
    rows = [[enlarged(picture, SMALLEST_SIDE) for picture in row] for row in zip(*columns, strict=True)]
    steps = [*config.transforms.train, *([{"mix": config.transforms.mix}] if config.transforms.mix else [])]
    headings = ["evaluation", *(f"epoch {epoch}" for epoch in range(NUM_DRAWS))]
    names = [train.files[index] for index in indices]
    caption = "\n".join("- " + yaml.safe_dump(dict(step), default_flow_style=True, sort_keys=False, width=10_000).strip() for step in steps)
    return as_png(contact_sheet(rows, caption=caption, headings=headings, names=names))


def drawn(config: DataStatsConfig, train: ImageSet, pipelines: list["Pipeline"]) -> tuple[list[int], list[list["np.ndarray"]]]:
    """Places of up to eight readable images spread over the set, and the columns of the sheet."""
    import numpy as np
    import torch

    from cnntrain.data import keyed
    from cnntrain.data.decode import quiet_decoders, read_image
    from cnntrain.data.mixing import build_mixing
    from cnntrain.data.pipeline import stacked
    from cnntrain.data.shown import as_shown

    training, evaluation = pipelines
    found: dict[int, torch.Tensor] = {}
    with quiet_decoders():
        for index in np.unique(np.linspace(0, len(train) - 1, 4 * NUM_ROWS).astype(int)).tolist():
            try:
                found[index] = read_image(train.at(index), training.channels)
            except ValueError:
                continue
    if not found:
        raise DataError(f"{train.directory}: none of its images can be read (tried: {4 * NUM_ROWS} spread over the set)")
    chosen = [list(found)[at] for at in np.unique(np.linspace(0, len(found) - 1, NUM_ROWS).astype(int))]
    numbers = np.array(chosen)
    mixing = build_mixing(config.transforms.mix, num_classes=len(train.classes), seed=config.seed) if config.transforms.mix else None

    def column(pipeline: "Pipeline", epoch: int) -> torch.Tensor:
        started = stacked([pipeline.start(found[index]) for index in chosen])
        return pipeline.finish(started, keyed.sample_keys(config.seed, epoch, numbers))

    columns = [as_shown(column(evaluation, 0), evaluation.steps)]
    for epoch in range(NUM_DRAWS):
        images = column(training, epoch)
        if mixing is not None:
            images, _ = mixing(images, torch.from_numpy(train.targets[numbers]), epoch)
        columns.append(as_shown(images, training.steps))
    return chosen, columns


def free_path(folder: Path, png: bytes) -> Path:
    """data-stats.png, or the first of data-stats-2.png, -3 ... that is absent or the same."""
    number, path = 1, folder / f"{SHEET}.png"
    while path.exists() and path.read_bytes() != png:
        number += 1
        path = folder / f"{SHEET}-{number}.png"
    return path


COMMAND = Command(
    name="data stats",
    config_name="data_stats",
    schema=DataStatsConfig,
    check=check,
    job=run,
    makes_folder=False,
    keys_for={"data": "data.name"},
)
