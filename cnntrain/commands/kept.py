"""What a checkpoint keeps beside weights: enough to rebuild the network and its preprocessing, all plain data."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cnntrain.config.check import closed_faults
from cnntrain.config.components.model import model_faults
from cnntrain.config.schema import DataConfig, ModelConfig, TrainConfig
from cnntrain.errors import CheckpointError
from cnntrain.measures import CLASSIFICATION, TASKS

MOST_CHANNELS, MOST_SIDE, MOST_THREADS = 64, 1 << 15, 1 << 12


@dataclass(frozen=True)
class Kept:
    """The part of a checkpoint's config.json that evaluation reads.

    Args:
        model: ModelConfig as plain data.
        data: DataConfig of the training run, its folders absolute.
        preprocessing: the evaluation pipeline, with every number in it.
        precision: what trainer.precision came to.
        classes: names of the classes, or of the numbers that are predicted.
        task: what engine.tasks.task_from takes.
        tta: views of an image whose outputs are averaged, trainer.tta.
        threads, deterministic: as in training, since a CPU's last bits depend on the number of threads.
    """

    model: dict[str, Any]
    data: dict[str, Any]
    preprocessing: dict[str, Any]
    classes: list[str]
    channels: int
    image_size: list[int]
    seed: int
    batch_size: int
    precision: str
    channels_last: bool
    threads: int
    deterministic: bool
    task: dict[str, Any] = field(default_factory=lambda: {"name": CLASSIFICATION})  # checkpoints before 0.1.0 have none
    tta: str = "none"

    def plain(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def model_config(self) -> ModelConfig:
        return ModelConfig(**self.model)

    @property
    def data_config(self) -> DataConfig:
        return DataConfig(**self.data)


def read_kept(config: dict[str, Any], folder: Path) -> Kept:
    """
    Raises:
        CheckpointError: another version of cnntrain wrote it, or a stranger.
    """
    try:
        kept = Kept(**config["kept"])
        faults = [
            *faults_of_kept(kept),
            *model_faults(kept.model_config),
            *closed_faults(kept.model_config),
            *closed_faults(kept.data_config),
        ]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise CheckpointError(
            f"{folder}: its config.json was written by another version of cnntrain; train again, or evaluate with that version"
        ) from error
    if faults:
        raise CheckpointError(f"{folder}: its config.json cannot be used: {fault}" for fault in faults)
    return kept


def faults_of_kept(kept: Kept) -> list[str]:
    """What no training run writes: other types, or sizes that would fill the memory."""
    right = {
        "classes": isinstance(kept.classes, list) and bool(kept.classes) and all(isinstance(name, str) for name in kept.classes),
        "channels": type(kept.channels) is int and 1 <= kept.channels <= MOST_CHANNELS,
        "image_size": isinstance(kept.image_size, list)
        and len(kept.image_size) == 2
        and all(type(side) is int and 1 <= side <= MOST_SIDE for side in kept.image_size),
        "seed": type(kept.seed) is int,
        "batch_size": type(kept.batch_size) is int and kept.batch_size >= 1,
        "threads": type(kept.threads) is int and 1 <= kept.threads <= MOST_THREADS,
        "preprocessing": isinstance(kept.preprocessing, dict) and {"steps", "image_size", "channels"} <= set(kept.preprocessing),
        "task": isinstance(kept.task, dict) and kept.task.get("name") in TASKS,
    }
    return [f"{name} is not what a training run writes" for name, is_right in right.items() if not is_right]


def absolute_data(config: TrainConfig) -> dict[str, Any]:
    """The data section with absolute folders, so that evaluation works from anywhere."""
    data = asdict(config.data)
    for key in ("root", "train_dir", "val_dir", "file", "train_shards", "val_shards", "classes_file"):
        if data[key] is not None and "://" not in data[key]:
            data[key] = str(Path(data[key]).expanduser().absolute())
    return data
