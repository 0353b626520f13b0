"""Steps that were not taken: counted, told with their images, and too many in a row end the run."""

from math import isfinite

import torch
from torch import Tensor

from cnntrain.engine.events import Listener, StepRejected
from cnntrain.engine.state import Progress
from cnntrain.engine.step import StepResult
from cnntrain.errors import Diverged


class Rejections:
    """Looks at every step's verdict: at once on a CPU; on a GPU where the run waits for it anyway.

    Args:
        progress: gets the counts.
        tell: gets a StepRejected for each.
        most: in a row; no more than an epoch has, since one that changes nothing will change nothing again.
    """

    def __init__(self, progress: Progress, tell: Listener, *, most: int):
        self.progress, self.tell, self.most = progress, tell, most
        self.unread: list[tuple[int, StepResult, Tensor, float]] = []
        self.lr = 0.0
        progress.settle = self.read

    def add(self, result: StepResult, indices: Tensor, lr: float) -> None:
        """One step, just done."""
        self.unread.append((self.progress.step, result, indices, lr))
        if result.rejected.is_cpu:
            self.read()

    def read(self) -> None:
        """Counts and tells what is not yet; a GPU is waited for once."""
        if not self.unread:
            return
        steps, self.unread = self.unread, []
        flags = torch.stack([result.rejected for _, result, _, _ in steps]).tolist() if len(steps) > 1 else [bool(steps[0][1].rejected)]
        at = self.progress
        for (step, result, indices, lr), rejected in zip(steps, flags, strict=True):
            if not rejected:
                at.rejected_in_a_row = 0
                continue
            at.rejected_steps += 1
            at.rejected_in_a_row += 1
            self.lr = lr
            self.tell(StepRejected(step, at.epoch + 1, float(result.loss), tuple(indices.tolist())))

    def check(self) -> None:
        """
        Raises:
            Diverged: too many in a row.
        """
        at = self.progress
        if at.rejected_in_a_row >= self.most:
            many = f"{at.rejected_in_a_row} steps in a row" if at.rejected_in_a_row > 1 else "a step"
            raise Diverged(
                f"no finite loss or gradients in {many}, up to step {at.step} (lr {self.lr:.3g}); try a lower optimizer.lr, or clip_norm"
            )


def what_failed(loss: float) -> str:
    """What a rejected step is told for: its loss, or else its gradients."""
    return "a gradient or a statistic is not finite" if isfinite(loss) else f"the loss is {loss}"
