"""Running means of training; the sums stay on the device until someone reads them."""

from math import nan
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from cnntrain.engine.step import StepResult
from cnntrain.engine.tasks import Task

DTYPES = {"int64": torch.int64, "float32": torch.float32, "float64": torch.float64}  # of a task's sums


class Meter:
    """Loss, the task's figures and speed since it was made."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.loss_sum = torch.zeros(())
        self.sums = torch.zeros((), dtype=torch.int64)
        self.num_images = 0
        self.num_rejected: Tensor | int = 0
        self.began = perf_counter()

    def add(self, result: StepResult, num_images: int) -> None:
        """A rejected step counts for the speed alone."""
        self.num_images += num_images
        if result.rejected.is_cpu and not result.rejected:
            self.loss_sum = self.loss_sum + result.loss * num_images
            self.sums = self.sums + result.sums
            return
        self.loss_sum = self.loss_sum.to(result.loss.device) + result.loss.where(~result.rejected, 0) * num_images
        self.sums = self.sums.to(result.sums.device) + result.sums.where(~result.rejected, 0)
        self.num_rejected = self.num_rejected + result.rejected * num_images

    def means(self) -> dict[str, float]:
        """NaN where no step was taken."""
        taken = self.num_images - int(self.num_rejected)
        figures = self.task.figures(self.sums, max(taken, 1))
        return {
            "train/loss": float(self.loss_sum) / taken if taken else nan,
            **{f"train/{name}": value if taken else nan for name, value in figures.items()},
            "images_per_second": self.num_images / self.seconds(),
        }

    def state_dict(self) -> dict[str, Any]:
        """Plain data; a float32 sum is exact as a Python float."""
        sums = {"dtype": str(self.sums.dtype).removeprefix("torch."), "values": self.sums.tolist()}
        return {
            "loss_sum": float(self.loss_sum),
            "sums": sums,
            "num_images": self.num_images,
            "num_rejected": int(self.num_rejected),
            "seconds": self.seconds(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.loss_sum = torch.tensor(state["loss_sum"])
        self.sums = torch.tensor(state["sums"]["values"], dtype=DTYPES[state["sums"]["dtype"]])
        self.num_images, self.num_rejected = state["num_images"], state["num_rejected"]
        self.began = perf_counter() - state["seconds"]

    def seconds(self) -> float:
        return perf_counter() - self.began
