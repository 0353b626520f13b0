"""Rules between settings, each a small function of the typed configuration; a setting without effect is a fault."""

import re
from collections.abc import Callable
from pathlib import Path

from cnntrain.config.components.data import size_pair
from cnntrain.config.components.mixes import task_faults
from cnntrain.config.components.parameters import show
from cnntrain.config.durations import parse_duration
from cnntrain.config.known_sets import KNOWN_SETS
from cnntrain.config.progressive import size_at
from cnntrain.config.schema import (
    CheckDataConfig,
    DataStatsConfig,
    EvalConfig,
    EvalTrainerConfig,
    SourceConfig,
    StatsDataConfig,
    TrainConfig,
    TrainerConfig,
)
from cnntrain.errors import ConfigError
from cnntrain.measures import AUTO, CLASSIFICATION, REGRESSION, objectives

DATA_SETS = ("digits", "folder", "manifest", "torchvision", "webdataset")
SOURCES = {"file": "manifest", "dataset": "torchvision", "train_shards": "webdataset"}  # key -> the source that it asks for
OWNERS = {"dataset": "torchvision", "train_shards": "webdataset", "val_shards": "webdataset", "classes_file": "webdataset"}
DIGITS_ROOT = ("data", "digits")
TASKS = {
    "classification": "an image has one class",
    "multilabel": "an image has several labels",
    "regression": "an image has numbers",
}
PLAIN_NAME = re.compile(r"\w[\w.-]*")


def train_rules(config: TrainConfig) -> list[str]:
    """All faults between the settings of a training run."""
    return [fault for rule in TRAIN_RULES for fault in rule(config)]


def eval_rules(config: EvalConfig) -> list[str]:
    """All faults between the settings of an evaluation."""
    faults = half_precision(config.trainer)
    if config.data.root is not None and config.data.val_dir is not None:
        faults.append("data.root has no effect beside data.val_dir; give one of them")
    if config.data.file is not None and config.data.val_dir is not None:
        faults.append("data.val_dir has no effect beside data.file; give one of them")
    if config.data.shards is not None:
        others = [key for key in ("root", "val_dir", "file") if getattr(config.data, key) is not None]
        faults += [f"data.{key} has no effect beside data.shards; give one of them" for key in others]
    return faults


def stats_rules(config: DataStatsConfig) -> list[str]:
    """All faults between the settings of `data stats`."""
    return [*folds_agree(config), *source_rules(config.data)]


def source_rules(data: CheckDataConfig | StatsDataConfig) -> list[str]:
    """All faults of where a command that only looks at images should find them."""
    given = [key for key in SOURCES if getattr(data, key) is not None]
    if len(given) > 1:
        return [f"data.{key} has no effect beside data.{given[0]}; give one of them" for key in given[1:]]
    name = source_name(data)
    faults = same_splits(data) + keys_of_source(data, name)
    return faults if faults or data.root else ["data.root is required: add data.root=..."]


def source_name(data: CheckDataConfig | StatsDataConfig) -> str:
    """data.name, or what the other keys ask for."""
    if data.name != AUTO:
        return data.name
    return next((name for key, name in SOURCES.items() if getattr(data, key) is not None), "folder")


def task_rules(config: TrainConfig, task: str) -> list[str]:
    """Faults of settings that do not go with what the data asks for, which is known once it is read."""
    trainer, asks = config.trainer, TASKS[task]
    faults = []
    if config.objective not in (AUTO, *objectives(task)):
        there = ", ".join((AUTO, *objectives(task)))
        faults.append(f"objective={config.objective} is not measured where {asks}; there are: {there}")
    if trainer.label_smoothing and task != CLASSIFICATION:
        faults.append(f"trainer.label_smoothing={show(trainer.label_smoothing)} has no effect where {asks}; set it to 0")
    if trainer.class_weights != "none" and task == REGRESSION:
        faults.append(f"trainer.class_weights={trainer.class_weights} has no effect where {asks}; set it to none")
    if trainer.regression_loss is not None and task != REGRESSION:
        faults.append(f"trainer.regression_loss={trainer.regression_loss} has no effect where {asks}; set it to null")
    if config.data.sampler != "shuffle" and task != CLASSIFICATION:
        weights = "; set it to shuffle" if task == REGRESSION else "; take data.sampler=shuffle trainer.class_weights=balanced"
        faults.append(f"data.sampler={config.data.sampler} needs one class an image, but {asks}{weights}")
    return faults + task_faults("transforms.mix", config.transforms.mix, task)


def name_is_a_folder_name(config: TrainConfig) -> list[str]:
    if PLAIN_NAME.fullmatch(config.name):
        return []
    return [f"name={config.name} must be a plain folder name of letters, digits, _ . and -, such as name=first_try"]


def data_is_what_it_says(config: TrainConfig) -> list[str]:
    """The digits lie where they are unpacked; a folder of one's own needs data=folder."""
    data = config.data
    if data.name not in DATA_SETS:
        return [f"data.name={data.name} is not one of {', '.join(DATA_SETS)}; a data set of your own is a folder"]
    faults = keys_of_source(data, data.name)
    if data.name != "digits":
        return faults
    given = [key for key in ("train_dir", "val_dir") if getattr(data, key) is not None]
    if Path(data.root).parts[-2:] != DIGITS_ROOT:
        given.insert(0, "root")
    return faults + [f"data.{key} is set, but data=digits is the set shipped with cnntrain; add data=folder" for key in given]


def keys_of_source(data: SourceConfig, name: str) -> list[str]:
    """Keys that a source lacks, and those that others have."""
    strange = [key for key, owner in OWNERS.items() if getattr(data, key) is not None and owner != name]
    if strange:
        return [f"data.{key}={getattr(data, key)} has no effect in data={name}; add data={OWNERS[key]}" for key in strange]
    if name == "manifest":
        return manifest_alone(data)
    faults = [] if data.file is None else [f"data.file is set, but data={name} reads folders; add data=manifest"]
    faults += folders_are_classes(data)
    return faults + (known_set_alone(data) if name == "torchvision" else shards_alone(data) if name == "webdataset" else [])


def manifest_alone(data: SourceConfig) -> list[str]:
    if data.file is None:
        return ["data=manifest needs its file; add data.file=labels.csv"]
    given = [key for key in ("train_dir", "val_dir") if getattr(data, key) is not None]
    return [f"data.{key} has no effect beside data.file: its column {data.split_column} says the split; leave it out" for key in given]


def folders_are_classes(data: SourceConfig) -> list[str]:
    if data.task in ("auto", "classification"):
        return []
    return [f"data.task={data.task} needs labels of its own in a manifest; folders are classes"]


def known_set_alone(data: SourceConfig) -> list[str]:
    if data.dataset is None:
        return [f"data=torchvision needs the name of a set; add data.dataset=NAME, one of {', '.join(KNOWN_SETS)}"]
    given = [key for key in ("train_dir", "val_dir") if getattr(data, key) is not None]
    return [f"data.{key} has no effect beside data.dataset: its files say which images train; leave it out" for key in given]


def shards_alone(data: SourceConfig) -> list[str]:
    if data.train_shards is None:
        return ["data=webdataset needs its tar files; add data.train_shards='DIR/train-{000000..000009}.tar'"]
    given = [key for key in ("train_dir", "val_dir") if getattr(data, key) is not None]
    return [f"data.{key} has no effect beside data.train_shards; leave it out" for key in given]


def resume_words_need_resume(config: TrainConfig) -> list[str]:
    given = [key for key in ("resume_exact", "allow_changed_data", "branch") if getattr(config, key)]
    if config.branch and config.resume == AUTO:
        return ["branch=true needs the run to start from; give resume=RUN instead of resume=auto"]
    return [] if config.resume is not None else [f"{key}=true has no effect without resume=RUN" for key in given]


def splits_differ(config: TrainConfig) -> list[str]:
    return same_splits(config.data)


def same_splits(data: SourceConfig) -> list[str]:
    if data.train_split == data.val_split:
        return [f"data.train_split and data.val_split are both {data.train_split}; validation needs a folder of its own"]
    return []


def folds_agree(config: TrainConfig | DataStatsConfig) -> list[str]:
    data = config.data
    if data.folds is None:
        return [] if data.fold is None else [f"data.fold={data.fold} has no effect without data.folds, such as data.folds=5"]
    if data.fold is None or data.fold >= data.folds:
        numbers = ",".join(map(str, range(min(data.folds, 10))))
        said = f"data.folds={data.folds} needs data.fold=0 to {data.folds - 1}, not {show(data.fold)}"
        return [f"{said}; -m data.fold={numbers} trains one after the other"]
    return (
        [] if data.val_dir is None else ["data.val_dir has no effect beside data.folds: a fold of train validates; leave one of them out"]
    )


def batches_divide(config: TrainConfig) -> list[str]:
    steps = config.trainer.accumulation_steps
    if config.batch_size % steps:
        return [f"batch_size={config.batch_size} cannot be divided by trainer.accumulation_steps={steps}"]
    return []


def a_batch_can_be_mixed(config: TrainConfig) -> list[str]:
    if config.transforms.mix and config.batch_size == 1:
        return ["transforms.mix has no effect with batch_size=1: an image is mixed with another of its batch; give batch_size=2 or more"]
    return []


def lr_is_given(config: TrainConfig) -> list[str]:
    return [] if "lr" in config.optimizer else ["optimizer.lr is missing: the schedule needs its peak; add optimizer.lr=0.1"]


def nesterov_needs_momentum(config: TrainConfig) -> list[str]:
    if config.optimizer.get("nesterov") is True and not config.optimizer.get("momentum", 0.9):
        return ["optimizer.nesterov=true needs optimizer.momentum > 0; set optimizer.nesterov=false"]
    return []


def betas_are_two(config: TrainConfig) -> list[str]:
    betas = config.optimizer.get("betas")
    if config.optimizer["type"] in ("adam", "adamw", "nadam", "radam") and betas is not None and (len(betas) != 2 or max(betas) >= 1):
        return [f"optimizer.betas={show(betas)} must be two numbers below 1, such as [0.9,0.999]"]
    return []


def warmup_fits(config: TrainConfig) -> list[str]:
    warmup = config.schedule.get("warmup_epochs", 0)
    if isinstance(warmup, int | float) and config.epochs is not None and warmup >= config.epochs:
        return [f"schedule.warmup_epochs={show(warmup)} must be less than epochs={config.epochs}"] if warmup else []
    return []


def milestones_rise(config: TrainConfig) -> list[str]:
    milestones = config.schedule.get("milestones")
    if config.schedule["type"] == "step" and milestones is not None and list(milestones) != sorted(set(milestones)):
        return [f"schedule.milestones={show(milestones)} must rise, such as [0.5,0.75]"]
    return []


def patience_can_end(config: TrainConfig) -> list[str]:
    patience = config.trainer.early_stopping_patience
    if patience is not None and config.epochs is not None and patience + 1 >= config.epochs:
        return [f"trainer.early_stopping_patience={patience} has no effect in epochs={config.epochs}; make it smaller, or null"]
    return []


def balanced_once(config: TrainConfig) -> list[str]:
    if config.data.sampler == "balanced" and config.trainer.class_weights == "balanced":
        return ["data.sampler=balanced and trainer.class_weights=balanced together overshoot: rare classes would count twice; take one"]
    return []


def budget_is_a_duration(config: TrainConfig) -> list[str]:
    if config.trainer.time_budget is None:
        return []
    try:
        parse_duration(config.trainer.time_budget, place="trainer.time_budget")
    except ConfigError as error:
        return error.faults
    return []


def images_can_grow(config: TrainConfig) -> list[str]:
    growth = config.trainer.progressive_size
    if growth is None:
        return []
    size = size_pair(config.data.image_size)
    if size_at(0, size, **growth) != size:
        return []
    return [
        f"trainer.progressive_size.start={growth['start']} has no effect: images of {size[0]}x{size[1]} pixels start at full size; "
        "give a smaller start, or trainer.progressive_size=null"
    ]


def half_precision(trainer: TrainerConfig | EvalTrainerConfig) -> list[str]:
    """fp16 has no convolutions worth using on a CPU, and its loss scaling needs a GPU."""
    if trainer.precision == "fp16" and trainer.device == "cpu":  # for device=auto the command asks torch
        return ["trainer.precision=fp16 needs a GPU; take trainer.precision=bf16, fp32 or auto"]
    return []


def half_precision_of_training(config: TrainConfig) -> list[str]:
    return half_precision(config.trainer)


TRAIN_RULES: tuple[Callable[[TrainConfig], list[str]], ...] = (
    name_is_a_folder_name,
    data_is_what_it_says,
    resume_words_need_resume,
    splits_differ,
    folds_agree,
    batches_divide,
    a_batch_can_be_mixed,
    lr_is_given,
    nesterov_needs_momentum,
    betas_are_two,
    warmup_fits,
    milestones_rise,
    patience_can_end,
    balanced_once,
    budget_is_a_duration,
    images_can_grow,
    half_precision_of_training,
)
