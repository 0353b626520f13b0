"""What a checkpoint keeps beside weights: enough to rebuild the network and its preprocessing, all plain data."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cnntrain.config.schema import DataConfig, ModelConfig, TrainConfig
from cnntrain.errors import CheckpointError
from cnntrain.measures import CLASSIFICATION


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
        CheckpointError: another version of cnntrain wrote it.
    """
    try:
        kept = Kept(**config["kept"])
        kept.model_config, kept.data_config  # noqa: B018 (their keys are checked by making them)
    except (KeyError, TypeError) as error:
        raise CheckpointError(
            f"{folder}: its config.json was written by another version of cnntrain; train again, or evaluate with that version"
        ) from error
    return kept


def absolute_data(config: TrainConfig) -> dict[str, Any]:
    """The data section with absolute folders, so that evaluation works from anywhere."""
    data = asdict(config.data)
    for key in ("root", "train_dir", "val_dir", "file", "train_shards", "val_shards", "classes_file"):
        if data[key] is not None and "://" not in data[key]:
            data[key] = str(Path(data[key]).expanduser().absolute())
    return data
