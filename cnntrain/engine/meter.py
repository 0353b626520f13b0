"""Running means of training; the sums stay on the device until someone reads them."""

from time import perf_counter

import torch

from cnntrain.engine.step import StepResult
from cnntrain.engine.tasks import Task


class Meter:
    """Loss, the task's figures and speed since it was made."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.loss_sum = torch.zeros(())
        self.sums = torch.zeros((), dtype=torch.int64)
        self.num_images = 0
        self.began = perf_counter()

    def add(self, result: StepResult, num_images: int) -> None:
        self.loss_sum = self.loss_sum.to(result.loss.device) + result.loss * num_images
        self.sums = self.sums.to(result.sums.device) + result.sums
        self.num_images += num_images

    def means(self) -> dict[str, float]:
        return {
            "train/loss": float(self.loss_sum) / self.num_images,
            **{f"train/{name}": value for name, value in self.task.figures(self.sums, self.num_images).items()},
            "images_per_second": self.num_images / self.seconds(),
        }

    def seconds(self) -> float:
        return perf_counter() - self.began
