"""Which images a run trains and validates on, and what that says about the network."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

from cnntrain.config.schema import DataConfig, TrainConfig
from cnntrain.data.findings import Finding, told
from cnntrain.data.images import ImageSet
from cnntrain.data.sources import scan_data
from cnntrain.errors import ConfigError, DataError
from cnntrain.measures import AUTO, CLASSIFICATION, MULTILABEL, objectives

# A bare run on an unknown folder takes at least this many optimizer steps, within these epochs.
STEPS_WANTED, FEWEST_EPOCHS, MOST_EPOCHS = 2500, 20, 200
DIGITS_CLASSES, DIGITS_CHANNELS = 10, 1
SMOOTHING = 0.1  # five seeds on the digits: 99.3 % at the last epoch, 98.8 % without


@dataclass(frozen=True)
class DataSets:
    """The images of a run.

    Args:
        channels: 1 or 3, of every image after decoding.
        notes: what the user should hear about the folders, one line for each kind.
        findings: the same, each thing for itself.
        left_out: split -> entries that are no used image.
    """

    train: ImageSet
    val: ImageSet
    channels: int
    notes: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)


_found: dict[str, DataSets] = {}


def forget_data() -> None:
    """A new command looks at the folders anew."""
    _found.clear()


def find_data(config: TrainConfig) -> DataSets:
    """Scan the folders; all runs of one command that name the same ones share the scan.

    Raises:
        DataError: the folders cannot be used.
        ConfigError: num_classes contradicts the data.
    """
    known_by = f"{replace(config.data, image_size=0, num_workers=0)} {config.seed}"  # these say nothing of where images lie
    if known_by not in _found:
        scan = scan_data(config.data, seed=config.seed).usable()
        train, val = scan.pair()
        from cnntrain.data.decode import resolve_channels  # brings torch: a wrong folder is answered without it

        channels = resolve_channels(train, config.data.channels)
        _found[known_by] = DataSets(train, val, channels, tuple(told(scan.findings)), tuple(scan.findings), scan.left_out)
        check_targets(val)
    found = _found[known_by]
    check_num_classes(config.num_classes, len(found.train.classes))
    return found


def check_num_classes(given: int | None, of_data: int) -> None:
    if given is not None and given != of_data:
        raise ConfigError(f"num_classes={given}, but the data has {of_data} classes; leave num_classes out, it comes from the data")


def input_of(config: TrainConfig) -> tuple[int, int, str]:
    """(channels, number of classes or numbers to predict, task) of the data, without unpacking the shipped digits."""
    if config.data.name == "digits":
        check_num_classes(config.num_classes, DIGITS_CLASSES)
        return config.data.channels or DIGITS_CHANNELS, DIGITS_CLASSES, CLASSIFICATION
    found = find_data(config)
    return found.channels, len(found.train.classes), found.train.task


def image_size_of(data: DataConfig) -> tuple[int, int]:
    """(height, width) in pixels."""
    size = data.image_size
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def with_task(config: TrainConfig, task: str) -> TrainConfig:
    """The config with what it leaves to the task filled in."""
    objective = objectives(task)[0] if config.objective == AUTO else config.objective
    smoothing = config.trainer.label_smoothing
    if smoothing is None:
        smoothing = SMOOTHING if task == CLASSIFICATION else 0.0
    return replace(config, objective=objective, trainer=replace(config.trainer, label_smoothing=smoothing))


def check_targets(val: ImageSet) -> None:
    """
    Raises:
        DataError: nothing can be measured on the validation images.
    """
    if val.task == MULTILABEL and not val.targets.any():
        raise DataError(f"no image of {val.split} has any class, so val/map cannot be measured; label some of them")


def choose_epochs(config: TrainConfig, *, steps_per_epoch: int) -> int:
    """The given epochs; else as many as the given steps need; else enough for STEPS_WANTED optimizer steps."""
    if config.epochs is not None:
        return config.epochs
    if config.trainer.max_steps is not None:
        return ceil(config.trainer.max_steps / steps_per_epoch)
    return min(MOST_EPOCHS, max(FEWEST_EPOCHS, ceil(STEPS_WANTED / steps_per_epoch)))


def check_length(config: TrainConfig, *, steps_per_epoch: int) -> None:
    """
    Raises:
        ConfigError: trainer.max_steps lies behind the end that epochs sets, and would have no effect.
    """
    max_steps = config.trainer.max_steps
    if config.epochs is not None and max_steps is not None and max_steps > config.epochs * steps_per_epoch:
        raise ConfigError(
            f"trainer.max_steps={max_steps} has no effect: epochs={config.epochs} of {steps_per_epoch} steps end before; "
            "give epochs=null to let the steps decide"
        )


@contextmanager
def digits_at_hand(config: TrainConfig) -> Iterator[tuple[TrainConfig, str | None]]:
    """The config with the shipped digits unpacked where it says, or in a temporary folder for a dry run; and what was done."""
    if config.data.name != "digits":
        yield config, None
        return
    from cnntrain.data.digits import unpack_digits

    root = Path(config.data.root)
    if config.dry_run and not (root / config.data.train_split).is_dir():
        with TemporaryDirectory() as folder:
            unpack_digits(Path(folder) / "digits")
            yield replace(config, data=replace(config.data, root=str(Path(folder) / "digits"))), None
        return
    done = unpack_digits(root)
    yield config, f"the digits were unpacked to {root}/: a train/val folder to look at and copy" if done else None
