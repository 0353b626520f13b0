"""A checkpoint measured on images: rebuilt, fed, and all that is found kept together."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from cnntrain.commands.bad_files import say_bad
from cnntrain.commands.building import Rebuilt, evaluation_loader, rebuild
from cnntrain.commands.file_check import FileCheck
from cnntrain.commands.kept import Kept, read_kept
from cnntrain.commands.outcomes import Outcomes, outcomes_of
from cnntrain.commands.review import Review, Watch, review_of
from cnntrain.config.schema import EvalConfig
from cnntrain.data.images import ImageSet
from cnntrain.engine.evaluator import Batch, evaluate
from cnntrain.engine.signals import Signals
from cnntrain.engine.tasks import Totals
from cnntrain.errors import ConfigError
from cnntrain.measures import REGRESSION
from cnntrain.report.console import say
from cnntrain.report.progress import shown
from cnntrain.runs.checkpoint import Checkpoint, load_or_name_another, resolve


@dataclass(frozen=True)
class Trained:
    """A checkpoint, verified.

    Args:
        folder: RUN/checkpoints/step_*.
        averaged: whether the weights are the moving average.
        config: the training run's whole configuration as plain data; empty where the checkpoint has none.
    """

    folder: Path
    kept: Kept
    weights: dict[str, Tensor]
    averaged: bool
    config: Mapping[str, Any]

    @property
    def run(self) -> Path:
        return self.folder.parent.parent

    def title(self, images: ImageSet) -> str:
        return f"{self.folder}{' (averaged weights)' if self.averaged else ''} on {images.directory}"


@dataclass(frozen=True)
class Evaluation:
    """What was found.

    Args:
        rows: the file of each image, and what is written of it.
        result: what eval-SPLIT.json holds.
    """

    trained: Trained
    network: Rebuilt
    images: ImageSet
    outcomes: Outcomes
    review: Review
    totals: Totals
    rows: list[list[str]]
    result: dict[str, Any]


def read_trained(given: str, config: EvalConfig, *, key: str = "checkpoint") -> Trained:
    """
    Args:
        key: what the user typed it for, for a message.
    """
    checkpoint = load_or_name_another(resolve(Path(given), key=key))
    kept = read_kept(checkpoint.config, checkpoint.folder)
    weights, averaged = chosen_weights(checkpoint, config)
    return Trained(checkpoint.folder, kept, weights, averaged, checkpoint.config.get("config", {}))


def chosen_weights(checkpoint: Checkpoint, config: EvalConfig) -> tuple[dict[str, Tensor], bool]:
    """The weights to evaluate, and whether they are the average.

    Raises:
        ConfigError: an average is asked for, and there is none.
    """
    if config.ema and checkpoint.average is None:
        raise ConfigError(f"ema=true: {checkpoint.folder} has no averaged weights (its run had trainer.ema=null); leave ema out")
    if checkpoint.average is None or config.ema is False:
        return checkpoint.model, False
    return checkpoint.average, True


def evaluate_on(images: ImageSet, trained: Trained, config: EvalConfig, *, watch: Watch | None = None) -> Evaluation:
    """All images that can be read, once, with a line that says how far it is.

    Args:
        watch: gets the review and what it noted of each batch, while the batch's pictures are at hand.
    """
    network = rebuild(trained.kept, trained.weights, config)
    outcomes = outcomes_of(network.task, trained.kept.classes)
    review = review_of(network.task, trained.kept.classes, images, network.pipeline.steps, wants_pictures=config.report)
    review.watch = watch
    loader = evaluation_loader(images, network.pipeline, trained.kept, config)
    with Signals() as signals:
        say_bad(loader.quarantine, replaced=False)
        prepare = partial(loader.prepare, lambda done, total: signals.check(), say)  # noqa: ARG005
        FileCheck([loader], where="", strict=False).around(prepare, signals)
        batches = shown(signals.polled(loader.batches(0)), lambda batch: len(batch[0]), len(images))
        totals, rows = measure(network, review.watched(batches), images, outcomes, also=review.add)
    loader.close()
    result = summary(totals, images, trained.folder)
    result |= review.figures(result) | {"ema": trained.averaged, "tta": network.tta, "bad": loader.quarantine.plain()}
    return Evaluation(trained, network, images, outcomes, review, totals, rows, result)


def measure(
    network: Rebuilt,
    batches: Iterable[Batch],
    images: ImageSet,
    outcomes: Outcomes,
    *,
    also: Callable[[Tensor, Tensor, Tensor], None],
) -> tuple[Totals, list[list[str]]]:
    """Totals, and a row for every image: its file and what is written of it.

    Args:
        also: gets outputs, targets and indices of each batch too.
    """
    found: list[tuple[int, list[str]]] = []

    def keep(outputs: Tensor, targets: Tensor, indices: Tensor) -> None:
        found.extend(zip(indices.tolist(), outcomes.cells(outputs, targets), strict=True))
        also(outputs, targets, indices)

    totals = evaluate(network.model, batches, network.arithmetic, task=network.task, infer=network.infer, on_batch=keep)
    return totals, [[images.files[index], *cells] for index, cells in sorted(found)]


def summary(totals: Totals, images: ImageSet, checkpoint: Path) -> dict[str, Any]:
    """What eval-SPLIT.json holds; nothing in it depends on when or how fast it was measured."""
    return {
        "split": images.split,
        "directory": str(images.directory),
        "checkpoint": checkpoint.name,
        "task": images.task,
        "targets" if images.task == REGRESSION else "classes": list(images.classes),
        **totals.result(images.classes),
    }
