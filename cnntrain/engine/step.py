"""One optimizer step: forward, loss, backward, clip, update."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnntrain.engine.optimizer import set_lr
from cnntrain.engine.precision import Arithmetic
from cnntrain.randomness import STEP, key

Change = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class StepResult:
    """Sums stay on the device, so that a GPU is not waited for.

    Args:
        loss: mean over the batch, () float32.
        num_correct: images whose largest logit is their class, of a mixed image that with the largest share; () int64.
        grad_norm: total gradient norm before clipping, () float32, where it was asked for.
    """

    loss: Tensor
    num_correct: Tensor
    grad_norm: Tensor | None


class TrainStep:
    """The model, its optimizer and how a batch changes them.

    Dropout draws from (seed, step), so a step gives the same weights whatever ran before it.

    Args:
        changes: what is done to the whole batch first, such as mixing: (images, targets, step) -> (images, targets).
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        loss: nn.Module,
        arithmetic: Arithmetic,
        *,
        seed: int,
        clip_norm: float | None = None,
        accumulation_steps: int = 1,
        changes: Sequence[Change] = (),
    ):
        self.model = model
        self.optimizer = optimizer
        self.loss = loss
        self.arithmetic = arithmetic
        self.seed = seed
        self.clip_norm = clip_norm
        self.accumulation_steps = accumulation_steps
        self.changes = tuple(changes)
        self.scaler = torch.amp.GradScaler(arithmetic.device.type, enabled=arithmetic.precision == "fp16")

    def __call__(self, images: Tensor, labels: Tensor, *, step: int, lr: float, want_norm: bool) -> StepResult:
        """(N, C, H, W) float32 and (N,) int64 on any device; `step` counts from 0."""
        reseed(self.arithmetic.device, key(self.seed, STEP, step))
        set_lr(self.optimizer, lr)
        self.optimizer.zero_grad(set_to_none=True)
        images, targets = self.arithmetic.images(images), self.arithmetic.labels(labels)
        for change in self.changes:
            images, targets = change(images, targets, step)
        loss, num_correct = self.gradients(images, targets)
        self.scaler.unscale_(self.optimizer)
        grad_norm = self.clip() if want_norm or self.clip_norm is not None else None
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return StepResult(loss, num_correct, grad_norm)

    def gradients(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Adds up the gradients of the batch's mean loss over the micro-batches; targets are class numbers (N,) or shares (N, K)."""
        total = torch.zeros((), device=images.device)
        num_correct = torch.zeros((), dtype=torch.int64, device=images.device)
        for some, theirs in zip(images.chunk(self.accumulation_steps), targets.chunk(self.accumulation_steps), strict=True):
            with self.arithmetic.autocast():
                logits = self.model(some)
            logits = logits.float()
            loss = self.loss(logits, theirs) * (len(some) / len(images))
            self.scaler.scale(loss).backward()
            total += loss.detach()
            num_correct += (logits.detach().argmax(1) == dominant(theirs)).sum()
        return total, num_correct

    def clip(self) -> Tensor:
        limit = float("inf") if self.clip_norm is None else self.clip_norm
        return nn.utils.clip_grad_norm_(self.model.parameters(), limit)


def dominant(targets: Tensor) -> Tensor:
    """The class of each image, (N,) int64; of shares (N, K) that with the largest."""
    return targets if targets.ndim == 1 else targets.argmax(1)


def reseed(device: torch.device, seed: int) -> None:
    """Seed the one generator that dropout on this device uses (1 us; torch.manual_seed costs 100)."""
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
    elif device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)
