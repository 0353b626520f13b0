"""What TensorBoard shows beside curves: the net, the settings, samples, mistakes, the task's picture."""

from dataclasses import asdict
from typing import Any

import torch

from cnntrain.commands.building import Parts
from cnntrain.commands.validation import Validation
from cnntrain.data.cache import read_one
from cnntrain.data.keyed import sample_keys
from cnntrain.data.pipeline import stacked
from cnntrain.engine.events import Event, RunEnded, RunStarted
from cnntrain.measures import metrics_of
from cnntrain.report.plots import as_pictures
from cnntrain.report.tensorboard import TensorBoardListener

NUM_SAMPLES = 32


class Pictures:
    """A listener: samples at the start, the worst mistakes and the picture of the last validation at the end."""

    def __init__(self, board: TensorBoardListener, parts: Parts, validation: Validation, net: str):
        self.board, self.parts, self.validation, self.net = board, parts, validation, net

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted) and event.step == 0:  # a resumed run has them already
            self.board.text("network", self.net)
            self.board.hparams(flat(asdict(self.parts.config)), metrics_of(self.parts.task.name))
            self.samples()
        elif isinstance(event, RunEnded) and self.validation.totals.count:
            self.mistakes(event.step)

    def samples(self) -> None:
        """The first batch as the network gets it, and the same images as evaluation would see them."""
        images, targets, indices = next(iter(self.parts.train.batches(0)))
        shown = indices[:NUM_SAMPLES]
        self.board.pictures("train/samples_before", as_pictures(as_evaluated(self.parts, shown)), 0)
        for change in self.parts.step.changes:
            images, targets = change(images, targets, 0)
        self.board.pictures("train/samples", as_pictures(images[: len(shown)]), 0)

    def mistakes(self, step: int) -> None:
        outcomes, worst = self.validation.outcomes, self.validation.worst
        self.board.figure(outcomes.picture, lambda: outcomes.figure(self.validation.totals), step)
        if worst:
            files = self.parts.data.val.files
            rows = [[files[mistake.index], *mistake.cells] for mistake in worst]
            images = as_pictures(torch.stack([mistake.image for mistake in worst]))
            self.board.mistakes(outcomes.mistakes, images, ["file", *outcomes.header], rows, step)


def as_evaluated(parts: Parts, indices: torch.Tensor) -> torch.Tensor:
    """Training images, (B,) int64, that can be read, through the evaluation's steps: (B, C, H, W) float32."""
    pipeline, numbers = parts.val.pipeline, indices.numpy()
    started = stacked([read_one(parts.data.train, pipeline, index) for index in numbers.tolist()])
    return pipeline.finish(started, sample_keys(parts.config.seed, 0, numbers))


def flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"optimizer": {"lr": 0.1}} -> {"optimizer.lr": 0.1}."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found
