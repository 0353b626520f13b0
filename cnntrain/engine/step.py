"""One optimizer step: forward, loss, backward, clip, update."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from traceback import clear_frames

import torch
from torch import Tensor, nn

from cnntrain.engine.guard import Guard
from cnntrain.engine.memory import is_out_of_memory, largest_that_fits, too_little
from cnntrain.engine.optimizer import set_lr
from cnntrain.engine.precision import Arithmetic
from cnntrain.engine.tasks import Task
from cnntrain.errors import CannotGoOn
from cnntrain.randomness import STEP, key

Change = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]
Follower = Callable[[Tensor | None], None]


@dataclass(frozen=True)
class StepResult:
    """Sums stay on the device, so that a GPU is not waited for.

    Args:
        loss: mean over the batch, () float32.
        sums: what the batch adds to the task's figures, such as the images whose largest logit is their class, () int64.
        grad_norm: total gradient norm before clipping, () float32, where it was asked for.
        rejected: () bool: the step was not taken, since its numbers are not finite.
    """

    loss: Tensor
    sums: Tensor
    grad_norm: Tensor | None
    rejected: Tensor


class TrainStep:
    """The model, its optimizer and how a batch changes them.

    Dropout draws from (seed, step), so a step gives the same weights whatever ran before it.

    Args:
        changes: what is done to the whole batch first, such as mixing: (images, targets, step) -> (images, targets).
        followers: called after the update of the weights, such as an average of them; on a GPU with () float32: 1, or 0 where
            the step was not taken.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        task: Task,
        arithmetic: Arithmetic,
        *,
        seed: int,
        clip_norm: float | None = None,
        accumulation_steps: int = 1,
        changes: Sequence[Change] = (),
        followers: Sequence[Follower] = (),
    ):
        self.model = model
        self.optimizer = optimizer
        self.task = task
        self.arithmetic = arithmetic
        self.seed = seed
        self.clip_norm = clip_norm
        self.accumulation_steps = accumulation_steps
        self.changes, self.followers = tuple(changes), tuple(followers)
        self.scaler = torch.amp.GradScaler(arithmetic.device.type, enabled=arithmetic.precision == "fp16")
        self.guard = Guard(model, optimizer)

    def __call__(self, images: Tensor, targets: Tensor, *, step: int, lr: float, want_norm: bool) -> StepResult:
        """(N, C, H, W) float32 and the task's targets on any device; `step` counts from 0."""
        reseed(self.arithmetic.device, key(self.seed, STEP, step))
        set_lr(self.optimizer, lr)
        self.optimizer.zero_grad(set_to_none=True)
        images, targets = self.arithmetic.images(images), self.arithmetic.targets(targets)
        for change in self.changes:
            images, targets = change(images, targets, step)
        self.guard.keep()
        loss, sums = self.gradients_in_memory(images, targets)
        self.scaler.unscale_(self.optimizer)
        grad_norm = self.clip() if want_norm or self.clip_norm is not None else None
        found = self.guard.update(loss)
        self.scaler.update()
        if not found.is_cpu or not found:
            for follow in self.followers:
                follow(None if found.is_cpu else 1 - found)
        return StepResult(loss, sums, grad_norm, self.is_fault(loss, found))

    def is_fault(self, loss: Tensor, found: Tensor) -> Tensor:
        """() bool: not so where fp16 looks for its scale, which makes gradients overflow now and then until it is low enough."""
        if not self.scaler.is_enabled():
            return found > 0
        too_low = self.scaler.scale(torch.ones_like(loss)) <= 1
        return (found > 0) & (~loss.isfinite() | too_low)

    def gradients_in_memory(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """
        Raises:
            CannotGoOn: out of memory; says how many images at once would fit.
        """
        try:
            return self.gradients(images, targets)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            clear_frames(error.__traceback__)  # they hold the feature maps
            fits = largest_that_fits(lambda number: self.attempt(images, targets, number), -(-len(images) // self.accumulation_steps))
            self.guard.put_back()
            told = too_little(images.device.type, len(images), self.accumulation_steps, fits)
            raise CannotGoOn(told) from error

    def attempt(self, images: Tensor, targets: Tensor, number: int) -> None:
        """Forward and backward of the first few images at once; raises what they raise."""
        self.optimizer.zero_grad(set_to_none=True)
        with self.arithmetic.autocast():
            outputs = self.model(images[:number])
        self.task.loss(outputs.float(), targets[:number]).backward()
        self.optimizer.zero_grad(set_to_none=True)

    def gradients(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Adds up the gradients of the batch's mean loss over the micro-batches."""
        total = torch.zeros((), device=images.device)
        sums = torch.zeros((), dtype=torch.int64, device=images.device)
        for some, theirs in zip(images.chunk(self.accumulation_steps), targets.chunk(self.accumulation_steps), strict=True):
            with self.arithmetic.autocast():
                outputs = self.model(some)
            outputs = outputs.float()
            loss = self.task.loss(outputs, theirs) * (len(some) / len(images))
            self.scaler.scale(loss).backward()
            total += loss.detach()
            sums = sums + self.task.sums(outputs.detach(), theirs)
        return total, sums

    def clip(self) -> Tensor:
        limit = float("inf") if self.clip_norm is None else self.clip_norm
        return nn.utils.clip_grad_norm_(self.model.parameters(), limit)


def reseed(device: torch.device, seed: int) -> None:
    """Seed the one generator that dropout on this device uses (1 us; torch.manual_seed costs 100)."""
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
    elif device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)
