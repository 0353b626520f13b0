"""What it costs that no step with numbers that are not finite is taken: a step with the guard beside the same step without.

    python benchmarks/guard.py [--pairs 40] [--steps 10]

Both run in turn, on one thread, and the CPU seconds of this process are compared, so that other work on the machine counts less.
"""

import argparse
import statistics
import time
from typing import Any

import torch
from torch import Tensor

from cnntrain.config.schema import ModelConfig
from cnntrain.engine.guard import Guard
from cnntrain.engine.optimizer import build_optimizer
from cnntrain.engine.precision import Arithmetic
from cnntrain.engine.step import TrainStep
from cnntrain.engine.tasks import Classification
from cnntrain.model.factory import build_model


class Unguarded(Guard):
    """Takes every step."""

    def keep(self) -> None:
        pass

    def update(self, loss: Tensor) -> Tensor:
        self.optimizer.step()
        return torch.zeros((), device=loss.device)


def step_of(stages: list[dict[str, Any]], stem: dict[str, Any], size: int, guard: type[Guard]) -> TrainStep:
    torch.manual_seed(0)
    config = ModelConfig(stem=stem, stages=stages, head={"type": "linear", "pool": "avg"})
    model = build_model(config, in_channels=3, num_classes=10, image_size=(size, size))
    arithmetic = Arithmetic(torch.device("cpu"), "fp32", channels_last=True)
    arithmetic.place(model)
    optimizer = build_optimizer({"type": "sgd", "lr": 0.1}, model)
    step = TrainStep(model, optimizer, Classification(10), arithmetic, seed=0)
    step.guard = guard(model, optimizer)
    return step


def seconds(step: TrainStep, images: Tensor, labels: Tensor, steps: int) -> float:
    began = time.process_time()
    for number in range(steps):
        step(images, labels, step=number, lr=0.01, want_norm=False)
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--steps", type=int, default=10)
    given = parser.parse_args()
    torch.set_num_threads(1)
    residual = [{"block": "residual", "num_blocks": 3, "out_channels": c, "stride": 1 + (c > 16)} for c in (16, 32, 64)]
    nets = {
        "ResNet-20, 32x32, batch 64": (residual, {"type": "conv", "out_channels": 16, "kernel_size": 3}, 32, 64),
        "ResNet-20, 8x8, batch 64": (residual, {"type": "conv", "out_channels": 16, "kernel_size": 3}, 8, 64),
    }
    for name, (stages, stem, size, batch) in nets.items():
        both = [step_of(stages, stem, size, guard) for guard in (Guard, Unguarded)]
        images, labels = torch.randn(batch, 3, size, size), torch.arange(batch) % 10
        for step in both:
            seconds(step, images, labels, 3)
        pairs = [[seconds(step, images, labels, given.steps) / given.steps for step in both] for _ in range(given.pairs)]
        shares = [100 * (guarded / plain - 1) for guarded, plain in pairs]
        plain = 1000 * statistics.median(plain for _, plain in pairs)
        print(f"{name}: {plain:.2f} ms a step; the guard adds {statistics.median(shares):+.2f} % (median of {len(pairs)} pairs)")


if __name__ == "__main__":
    main()
