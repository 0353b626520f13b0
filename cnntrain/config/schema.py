"""Every key of the closed parts: type, default, range or choices, and a meaning line. No torch, no Hydra.

Open parts (stem, stages, head, optimizer, schedule, transforms) are mappings with a `type` (a stage: a
`block`); the tables of config/components say what each takes.
"""

from dataclasses import dataclass, field
from typing import Any

from cnntrain.config.components.parameters import REQUIRED, Parameter
from cnntrain.config.known_sets import KNOWN_SETS
from cnntrain.config.model_schema import ExplainConfig, ModelConfig, setting
from cnntrain.measures import AUTO, OBJECTIVES

MISSING = "???"  # OmegaConf's word for a value that the user must give
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
DEVICES = ("auto", "cpu", "cuda", "mps")
REGRESSION_LOSSES = ("mse", "l1", "smooth_l1")
TTA = ("none", "flip", "flip_translate")
MOST_PIXELS = 120_000_000  # the largest cameras of phones give 108 million; decoding takes 7 to 13 bytes for each


@dataclass
class SourceConfig:
    """Where the images lie, and what says which is which."""

    root: str = setting("data", "folder that holds train/<class>/* and val/<class>/*, or that the paths of a manifest start from")
    file: str | None = setting(None, "manifest: a CSV or parquet file with a row for each image", optional=True)
    dataset: str | None = setting(
        None, "torchvision: the set that lies in root as torchvision downloads it", choices=tuple(KNOWN_SETS), optional=True
    )
    train_shards: str | None = setting(
        None, "webdataset: tar files such as 'DIR/train-{000000..000009}.tar' that hold KEY.jpg and KEY.cls (or .json)", optional=True
    )
    val_shards: str | None = setting(None, "webdataset: those that validate; null: a share of train is set apart", optional=True)
    classes_file: str | None = setting(
        None, "webdataset: file with a class name in each line, which numbers count from 0; null: as the shards have them", optional=True
    )
    path_column: str = setting("path", "column of the manifest with the image's path, relative to root")
    label_column: Any = setting("label", "column with the label, or a list of columns with a number each", type="names")
    split_column: str = setting("split", "column that says train_split or val_split; without it a share is set apart")
    group_column: str = setting("group", "column of what may not be parted, such as a patient; without it each image is alone")
    label_separator: str = setting("|", "what stands between several classes in one label")
    task: str = setting(
        "auto",
        "what a label is: one class, several classes (multilabel), or numbers (regression); auto: as the labels look",
        choices=("auto", "classification", "multilabel", "regression"),
    )
    train_dir: str | None = setting(None, "training folder, if it is not root/train_split", optional=True)
    val_dir: str | None = setting(None, "validation folder, if it is not root/val_split", optional=True)
    train_split: str = setting("train", "name of the training folder in root")
    val_split: str = setting("val", "name of the validation folder in root")
    strict: bool = setting(False, "refuse what is otherwise only noted, such as stray files")
    max_pixels: int = setting(
        MOST_PIXELS, "pixels of the largest image that is decoded (of WEBP and AVIF two thirds); a larger one counts as unreadable", low=1
    )


@dataclass
class ImagesConfig(SourceConfig):
    """Which of the images train, which validate, and what the network gets of them."""

    val_fraction: float = setting(0.2, "share of train set apart, class by class, where there is no val folder", above=0.0, high=0.9)
    folds: int | None = setting(None, "cut train into this many parts, one of which validates; null: no folds", low=2, optional=True)
    fold: int | None = setting(None, "the part that validates, counted from 0", low=0, optional=True)
    limit: int | None = setting(
        None, "for quick tries: train on at most this many images, class by class, and validate on as large a share", low=1, optional=True
    )
    channels: int | None = setting(None, "image channels: 1 gray, 3 colour; null: as the files have them", choices=(1, 3), optional=True)
    image_size: Any = setting(64, "height and width of the network's input: pixels, or [height, width]", type="size", low=1)


@dataclass
class DataConfig(ImagesConfig):
    """Where the images lie and how they are fed."""

    name: str = setting("folder", "which data set this is: digits (shipped with cnntrain), folder, manifest, torchvision or webdataset")
    sampler: str = setting(
        "shuffle",
        "images of an epoch: shuffle (each once) or balanced (as many of each class, so that rare ones come often)",
        choices=("shuffle", "balanced"),
    )
    num_workers: Any = setting(
        "auto", "loader processes beside the main one, 0 for none; auto: as the first batches show", type="int", words=("auto",), low=0
    )
    worker_timeout: str = setting(
        "5m", "loader processes that give no batch for so long are ended, and new ones begin at the same batch", type="duration"
    )
    cache: str = setting(
        "auto",
        "where decoded images are kept: disk (for later runs too), memory, none; auto: disk where they fit the budget",
        choices=("auto", "disk", "memory", "none"),
    )
    cache_budget_mib: int = setting(
        4096, "MiB that the decoded images of a split may take with cache=auto; all splits on disk 4 times it", low=0
    )
    max_bad: float = setting(0.1, "largest share of a split's images that may be unreadable before the run ends", low=0.0, high=1.0)


@dataclass
class TransformsConfig:
    """From an image file to the network's input, step by step."""

    train: list[Any] = setting(list, "steps for training images, in order; each {type: ..., ...}")
    eval: list[Any] = setting(list, "steps for validation and evaluation images, in order")
    mix: list[Any] = setting(list, "what mixes whole training batches; each {type: mixup or cutmix, ...}, one drawn for each batch")


@dataclass
class TrainerConfig:
    """How the loop runs."""

    device: str = setting("auto", "where to compute", choices=DEVICES)
    precision: str = setting("auto", "arithmetic of convolutions: auto picks the fastest correct one of the device", choices=PRECISIONS)
    channels_last: bool = setting(True, "store feature maps as (N, H, W, C), which most devices compute faster")
    threads: int | None = setting(None, "CPU threads; null: torch's choice, one for each core", low=1, optional=True)
    deterministic: bool = setting(False, "only algorithms that repeat bit by bit on a GPU too (slower)")
    label_smoothing: float | None = setting(
        0.0, "share of the target spread evenly over all classes; null: 0.1 where an image has one class", low=0.0, high=0.99, optional=True
    )
    progressive_size: Any = setting(
        None,
        "training images start smaller and grow to data.image_size: {start: 0.5, until: 0.8}; null: full size throughout",
        type="mapping",
        optional=True,
        parameters={
            "start": Parameter("float", REQUIRED, "share of data.image_size in the first step", above=0, high=0.99),
            "until": Parameter("float", REQUIRED, "share of the training at which the full size is reached", above=0, high=1),
        },
    )
    class_weights: str = setting(
        "none",
        "how much classes count in the loss of training: balanced makes rare ones count as much as common ones",
        choices=("none", "balanced"),
    )
    regression_loss: str | None = setting(
        None,
        "loss of a regression, in standard deviations of the targets; null: smooth_l1 (squared up to one of them, linear beyond)",
        choices=REGRESSION_LOSSES,
        optional=True,
    )
    ema: Any = setting(
        None,
        "validate, keep and evaluate a moving average of the weights: {decay: 0.999}; null: the weights themselves",
        type="mapping",
        optional=True,
        parameters={
            "decay": Parameter("float", REQUIRED, "share of the average that an optimizer step keeps", low=0, high=0.999999),
            "warmup": Parameter("bool", True, "keep less in the first steps: at most (1 + n) / (10 + n) in the n-th"),
        },
    )
    tta: str = setting(
        "none",
        "what validation and evaluation average the outputs over: none (the image alone), flip (and its mirror image), flip_translate "
        "(and both moved by a pixel, twice)",
        choices=TTA,
    )
    clip_norm: float | None = setting(None, "largest total gradient norm; null: no clipping", above=0.0, optional=True)
    accumulation_steps: int = setting(1, "micro-batches that one optimizer step is computed in", low=1)
    max_steps: int | None = setting(None, "end after this many optimizer steps; null: epochs decide", low=1, optional=True)
    time_budget: str | None = setting(None, "end at the first step after this time, such as 90s, 20m or 1.5h; null: none", optional=True)
    early_stopping_patience: int | None = setting(
        None, "end after this many epochs without a better objective; null: never", low=1, optional=True
    )
    max_rejected_steps: int = setting(
        10,
        "end the run (exit code 79) after this many steps in a row with a loss or gradient that is not finite",
        low=1,
    )
    log_every_steps: int = setting(20, "steps between two lines of metrics", low=1)
    checkpoint_every: Any = setting(
        "5m",
        "also save inside of an epoch: after so many steps, such as 500, or so much time, such as 10m; null: at ends of epochs alone",
        type="cadence",
        low=1,
        optional=True,
    )
    keep_newest: int = setting(2, "newest checkpoints that are kept, beside the best", low=2)
    keep_every_epochs: int | None = setting(None, "keep the checkpoints of every so many epochs for good; null: none", low=1, optional=True)


@dataclass
class TrainConfig:
    """`cnntrain train`."""

    name: str = setting("cnntrain", "folder below outputs/ in which the run folder is made")
    seed: int = setting(0, "seed of order, augmentation, dropout and initial weights", low=0)
    epochs: int | None = setting(None, "passes over the training images; null: chosen from the size of the set", low=1, optional=True)
    batch_size: int = setting(64, "images in one optimizer step", low=1)
    num_classes: int | None = setting(None, "number of classes where no data says it; else it comes from the data", low=1, optional=True)
    objective: str = setting(
        AUTO,
        "what decides the best epoch, early stopping and the order of a sweep; auto: val/top1, with several labels an image val/map, "
        "with numbers val/mae",
        choices=OBJECTIVES,
    )
    resume: str | None = setting(
        None, "run folder to go on with; auto: the newest unfinished run of this name and configuration, else a new one", optional=True
    )
    resume_exact: bool = setting(False, "refuse to go on where the result would not be that of a run never stopped, bit for bit")
    allow_changed_data: bool = setting(False, "go on although images were added, removed or changed since the run began")
    branch: bool = setting(False, "go on in a new folder; the run in resume stays as it is")
    dry_run: bool = setting(False, "compose, scan, build and try one batch, print, write nothing")
    data: DataConfig = field(default_factory=DataConfig)
    transforms: TransformsConfig = field(default_factory=TransformsConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    optimizer: Any = setting(dict, "{type: ..., lr: ..., ...}")
    schedule: Any = setting(dict, "{type: ..., warmup_epochs: ..., ...}")
    trainer: TrainerConfig = field(default_factory=TrainerConfig)


@dataclass
class EvalDataConfig:
    """Which images to evaluate; what is not given comes from the checkpoint."""

    shards: str | None = setting(None, "tar files such as 'DIR/test-{00..09}.tar', with the classes of those trained on", optional=True)

    root: str | None = setting(None, "folder that holds SPLIT/<class>/*; null: the one trained on", optional=True)
    val_dir: str | None = setting(None, "folder that holds <class>/* itself", optional=True)
    file: str | None = setting(None, "manifest, with the columns of the one trained on; root is what its paths start from", optional=True)
    num_workers: Any = setting(
        None, "loader processes, 0 for none, or auto; null: as in training", type="int", words=("auto",), low=0, optional=True
    )


@dataclass
class EvalTrainerConfig:
    """How to compute; what is not given comes from the checkpoint."""

    device: str = setting("auto", "where to compute", choices=DEVICES)
    precision: str | None = setting(None, "arithmetic; null: as in training", choices=PRECISIONS, optional=True)
    tta: str | None = setting(None, "views of an image whose outputs are averaged; null: as in training", choices=TTA, optional=True)
    threads: int | None = setting(None, "CPU threads; null: torch's choice, one for each core", low=1, optional=True)


@dataclass
class EvalConfig:
    """`cnntrain eval`."""

    checkpoint: str = setting(MISSING, "run folder (its best checkpoint), RUN/checkpoints/last, or one checkpoint folder")
    against: str | None = setting(None, "another run or checkpoint: compare the two, paired over the same images", optional=True)
    split: str | None = setting(None, "folder of data.root, such as val, test or train; null: the run's validation images", optional=True)
    batch_size: int | None = setting(None, "images in one step; null: as in training", low=1, optional=True)
    out: str | None = setting(None, "folder for the results; null: the run folder", optional=True)
    ema: bool | None = setting(None, "evaluate the averaged weights (trainer.ema); null: where the checkpoint has them", optional=True)
    report: bool = setting(True, "write the results as a page too, eval-SPLIT.html, which any browser opens without a network")
    data: EvalDataConfig = field(default_factory=EvalDataConfig)
    trainer: EvalTrainerConfig = field(default_factory=EvalTrainerConfig)


LOOKED_AT = (AUTO, "folder", "manifest", "torchvision", "webdataset")
ROOT_TO_LOOK_AT = "folder that holds train/<class>/* and val/<class>/*, or that the paths of a manifest start from: by default its own"
NAME_TO_LOOK_AT = "where images come from; auto: data.file is a manifest, data.dataset a set of torchvision, data.train_shards shards"


@dataclass
class StatsDataConfig(ImagesConfig):
    """Which images to look at."""

    root: str = setting(MISSING, ROOT_TO_LOOK_AT)
    name: str = setting(AUTO, NAME_TO_LOOK_AT, choices=LOOKED_AT)


@dataclass
class DataStatsConfig:
    """`cnntrain data stats`."""

    seed: int = setting(0, "seed of the augmentations in the sheet, and of a share of train set apart", low=0)
    format: str = setting("text", "what is printed", choices=("text", "json"))
    out: str | None = setting(None, "folder for the sheet; null: the current one", optional=True)
    data: StatsDataConfig = field(default_factory=StatsDataConfig)
    transforms: TransformsConfig = field(default_factory=TransformsConfig)


@dataclass
class CheckDataConfig(SourceConfig):
    """Which images to check."""

    root: str = setting(MISSING, ROOT_TO_LOOK_AT)
    name: str = setting(AUTO, NAME_TO_LOOK_AT, choices=LOOKED_AT)


@dataclass
class DataCheckConfig:
    """`cnntrain data check`."""

    format: str = setting("text", "what is printed", choices=("text", "json"))
    data: CheckDataConfig = field(default_factory=CheckDataConfig)


AnyConfig = TrainConfig | EvalConfig | DataStatsConfig | DataCheckConfig | ExplainConfig
