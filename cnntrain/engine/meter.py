"""Running means of training; the sums stay on the device until someone reads them."""

from time import perf_counter

import torch

from cnntrain.engine.step import StepResult


class Meter:
    """Loss, accuracy and speed since it was made."""

    def __init__(self) -> None:
        self.loss_sum = torch.zeros(())
        self.num_correct = torch.zeros((), dtype=torch.int64)
        self.num_images = 0
        self.began = perf_counter()

    def add(self, result: StepResult, num_images: int) -> None:
        self.loss_sum = self.loss_sum.to(result.loss.device) + result.loss * num_images
        self.num_correct = self.num_correct.to(result.num_correct.device) + result.num_correct
        self.num_images += num_images

    def means(self) -> dict[str, float]:
        return {
            "train/loss": float(self.loss_sum) / self.num_images,
            "train/top1": float(self.num_correct) / self.num_images,
            "images_per_second": self.num_images / self.seconds(),
        }

    def seconds(self) -> float:
        return perf_counter() - self.began
