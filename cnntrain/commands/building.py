"""From config and data to the objects of a run: network, arithmetic, pipelines, loaders, step."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from cnntrain.commands.data_sets import DataSets, check_length, choose_epochs, find_data, image_size_of, with_task
from cnntrain.commands.kept import Kept, absolute_data
from cnntrain.config.durations import parse_duration
from cnntrain.config.schema import TTA, EvalConfig, TrainConfig
from cnntrain.data import keyed
from cnntrain.data.growing import GrowingImages
from cnntrain.data.images import ImageSet
from cnntrain.data.loaders import Loader, Order
from cnntrain.data.mixing import build_mixing
from cnntrain.data.pipeline import Pipeline, build_pipeline
from cnntrain.data.shards import Shards
from cnntrain.engine.ema import Average
from cnntrain.engine.optimizer import build_optimizer
from cnntrain.engine.precision import Arithmetic, resolve_arithmetic, set_threads
from cnntrain.engine.step import Change, TrainStep
from cnntrain.engine.tasks import Task, build_task, task_from
from cnntrain.engine.views import Infer, build_infer
from cnntrain.errors import CheckpointError
from cnntrain.model.factory import build_model, check_model
from cnntrain.model.network import Network
from cnntrain.randomness import INIT, key


@dataclass(frozen=True)
class Rebuilt:
    """A trained network on its device, with the preprocessing of its images.

    Args:
        tta, infer: what is averaged over, trainer.tta, and what does it.
    """

    model: Network
    arithmetic: Arithmetic
    pipeline: Pipeline
    task: Task
    tta: str
    infer: Infer


@dataclass(frozen=True)
class Parts:
    """What a training run is made of.

    Args:
        config: with all that building decides filled in (epochs, batch_size, objective, label_smoothing).
    """

    config: TrainConfig
    data: DataSets
    arithmetic: Arithmetic
    train: Loader
    val: Loader
    model: Network
    step: TrainStep
    infer: Infer
    average: Average | None = None  # of the weights

    @property
    def measured(self) -> nn.Module:
        """The network that is validated."""
        return self.model if self.average is None else self.average.model

    @property
    def task(self) -> Task:
        return self.step.task

    def prepare(self, progress: Callable[[int, int], None] | None = None, say: Callable[[str], None] = lambda _: None) -> None:
        """Decode what is kept; the training images' statistics serve for validation too.

        Raises:
            CannotGoOn: too many images cannot be read.
        """
        self.train.prepare(progress, say)
        if self.val.pipeline.needs_statistics:
            self.val.pipeline = self.val.pipeline.with_statistics(self.train.measure())
        self.val.prepare(progress, say)

    def close(self) -> None:
        self.train.close()
        self.val.close()

    def kept(self) -> Kept:
        """What evaluation will need."""
        config = self.config
        return Kept(
            model=asdict(config.model),
            data={**absolute_data(config), "task": self.data.train.task},  # not guessed again from other labels
            preprocessing=self.val.pipeline.describe(),
            classes=list(self.data.train.classes),
            channels=self.data.channels,
            image_size=list(image_size_of(config.data)),
            seed=config.seed,
            batch_size=config.batch_size,
            precision=self.arithmetic.precision,
            channels_last=self.arithmetic.channels_last,
            threads=torch.get_num_threads(),
            deterministic=config.trainer.deterministic,
            task=self.task.describe(),
            tta=config.trainer.tta,
        )


def build(config: TrainConfig) -> Parts:
    """Everything a run needs; the weights depend on the seed alone.

    Raises:
        UserError: the data, the shapes or the device do not fit the config.
    """
    trainer = config.trainer
    set_threads(trainer.threads)
    arithmetic = resolve_arithmetic(
        trainer.device, trainer.precision, channels_last=trainer.channels_last, deterministic=trainer.deterministic
    )
    data = find_data(config)
    pipelines = build_pipelines(config, channels=data.channels)
    config = replace(config, batch_size=min(config.batch_size, len(data.train)))
    train = training_loader(data.train, pipelines[0], config, arithmetic, shuffle=True)
    val = training_loader(data.val, pipelines[1], config, arithmetic, shuffle=False)
    check_length(config, steps_per_epoch=len(train))
    config = with_task(replace(config, epochs=choose_epochs(config, steps_per_epoch=len(train))), data.train.task)
    task = build_task(data.train.task, data.train.targets, len(data.train.classes), config.trainer)
    torch.manual_seed(key(config.seed, INIT) >> 1)
    model = build_model(
        config.model,
        in_channels=data.channels,
        num_classes=task.num_outputs,
        image_size=image_size_of(config.data),
        units=task.units,
    )
    arithmetic.place(model)
    task.loss.to(arithmetic.device)
    average = None if trainer.ema is None else Average(model, **trainer.ema)
    step = TrainStep(
        model,
        build_optimizer(config.optimizer, model),
        task,
        arithmetic,
        seed=config.seed,
        clip_norm=trainer.clip_norm,
        accumulation_steps=trainer.accumulation_steps,
        changes=changes_of_batches(config, steps_per_epoch=len(train), num_classes=len(data.train.classes)),
        followers=() if average is None else (average.update,),
    )
    infer = build_infer(trainer.tta, image_size_of(config.data))
    return Parts(config, data, arithmetic, train, val, model, step, infer, average)


def build_pipelines(config: TrainConfig, *, channels: int) -> list[Pipeline]:
    """The training and the evaluation pipeline.

    Raises:
        ConfigError: steps that cannot work, of either.
    """
    size = image_size_of(config.data)
    lists = {"transforms.train": config.transforms.train, "transforms.eval": config.transforms.eval}
    return [build_pipeline(steps, image_size=size, channels=channels, statistics=None, place=place) for place, steps in lists.items()]


def changes_of_batches(config: TrainConfig, *, steps_per_epoch: int, num_classes: int) -> list[Change]:
    """What a training step does to a whole batch first; nothing by default."""
    changes: list[Change] = []
    growth, mixes = config.trainer.progressive_size, config.transforms.mix
    if growth is not None:
        assert config.epochs is not None
        steps = total_steps(config.epochs, config.trainer.max_steps, steps_per_epoch)
        changes.append(GrowingImages(image_size_of(config.data), **growth, total_steps=steps))
    if mixes:
        changes.append(build_mixing(mixes, num_classes=num_classes, seed=config.seed))
    return changes


def total_steps(epochs: int, max_steps: int | None, steps_per_epoch: int) -> int:
    """Optimizer steps of a whole run."""
    return min(epochs * steps_per_epoch, max_steps or epochs * steps_per_epoch)


def training_loader(images: ImageSet, pipeline: Pipeline, config: TrainConfig, arithmetic: Arithmetic, *, shuffle: bool) -> Loader:
    return Loader(
        images,
        pipeline,
        batch_size=config.batch_size,
        seed=config.seed,
        shuffle=shuffle,
        order=order_of(images, config) if shuffle else None,
        num_workers=config.data.num_workers,
        cache=config.data.cache,
        cache_budget_mib=config.data.cache_budget_mib,
        max_bad=config.data.max_bad,
        pin_memory=arithmetic.device.type == "cuda",
        patience_seconds=parse_duration(config.data.worker_timeout),
    )


def order_of(images: ImageSet, config: TrainConfig) -> Order | None:
    """The order of an epoch's images as a function of seed and epoch; None: plainly shuffled."""
    if config.data.sampler == "balanced":
        return partial(keyed.balanced_order, labels=images.labels)
    if isinstance(images.packed, Shards):
        return partial(keyed.sharded_order, shards=images.packed.shard[images.places])
    return None


def rebuild(kept: Kept, weights: dict[str, Tensor], config: EvalConfig) -> Rebuilt:
    """The trained network, from a checkpoint's plain data and tensors alone.

    Raises:
        ConfigError: the device or precision is not to be had here, or a component is not known here.
        CheckpointError: the weights do not fit, as when a user's own block has changed.
    """
    trainer = config.trainer
    set_threads(trainer.threads or kept.threads)
    arithmetic = resolve_arithmetic(
        trainer.device, trainer.precision or kept.precision, channels_last=kept.channels_last, deterministic=kept.deterministic
    )
    height, width = kept.image_size
    try:
        task = task_from(kept.task, len(kept.classes))
    except (TypeError, ValueError, KeyError) as error:
        raise CheckpointError(f"checkpoint={config.checkpoint}: its task cannot be used ({error})") from error
    layers = check_model(kept.model_config, in_channels=kept.channels, num_classes=task.num_outputs, image_size=(height, width))
    wanted, held = sum(layer.num_parameters for layer in layers), sum(tensor.numel() for tensor in weights.values())
    if wanted > held:  # before it is built: the description may ask for more than fits into memory
        raise CheckpointError(f"checkpoint={config.checkpoint}: it holds {held:,} numbers, but the network it names has {wanted:,} weights")
    tta = trainer.tta or kept.tta
    if tta not in TTA:
        raise CheckpointError(f"checkpoint={config.checkpoint}: its tta cannot be used; give trainer.tta=none")
    infer = build_infer(tta, (height, width))
    model = build_model(
        kept.model_config, in_channels=kept.channels, num_classes=task.num_outputs, image_size=(height, width), units=task.units
    )
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise CheckpointError(f"checkpoint={config.checkpoint}: its weights do not fit the network that it names ({reason})") from error
    arithmetic.place(model)
    task.loss.to(arithmetic.device)
    return Rebuilt(model, arithmetic, Pipeline.from_description(kept.preprocessing), task, tta, infer)


def evaluation_loader(images: ImageSet, pipeline: Pipeline, kept: Kept, config: EvalConfig) -> Loader:
    data = kept.data_config
    return Loader(
        images,
        pipeline,
        batch_size=config.batch_size or kept.batch_size,
        seed=kept.seed,
        shuffle=False,
        num_workers=data.num_workers if config.data.num_workers is None else config.data.num_workers,
        cache=data.cache,
        cache_budget_mib=data.cache_budget_mib,
        max_bad=1.0,
    )
