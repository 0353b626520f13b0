"""Out of memory: one sentence with what would fit. On a CPU, through a layer that refuses as CUDA's allocator does."""

import pytest
import torch
from torch import Tensor, nn

from cnntrain.engine.memory import largest_that_fits
from cnntrain.engine.optimizer import build_optimizer
from cnntrain.engine.precision import Arithmetic
from cnntrain.engine.step import TrainStep
from cnntrain.engine.tasks import Classification
from cnntrain.errors import CannotGoOn

CPU = Arithmetic(torch.device("cpu"), "fp32", channels_last=False)


class Room(nn.Module):
    """Takes so many images at once."""

    def __init__(self, most: int):
        super().__init__()
        self.most = most

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > self.most:
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {len(x)} GiB")
        return x


def train(most: int, parts: int = 1) -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm1d(4), Room(most), nn.Linear(4, 3))
    step = TrainStep(model, build_optimizer({"type": "sgd", "lr": 0.1}, model), Classification(3), CPU, seed=0, accumulation_steps=parts)
    train.model = model  # type: ignore[attr-defined]
    step(torch.randn(64, 4), torch.arange(64) % 3, step=0, lr=0.1, want_norm=False)
    return model


@pytest.mark.parametrize(
    ("most", "parts", "sentence"),
    [
        (20, 1, "too little memory for 64 images at once, but enough for 20: batch_size=20, or the same batch in parts: trainer.acc"),
        (63, 1, "enough for 60: batch_size=60, or the same batch in parts: trainer.accumulation_steps=2$"),  # to an eighth
        (16, 2, "too little memory for 32 images at once, but enough for 16: batch_size=32, .*accumulation_steps=4$"),
        (2, 1, "enough for 2: batch_size=2, .*accumulation_steps=32$"),
        (1, 1, "and even for the smallest batch"),  # of one image BatchNorm has no variance
        (0, 1, "too little memory for 64 images at once, and even for the smallest batch; take a smaller network or data.image_size"),
    ],
)
def test_the_largest_number_that_fits_is_told(most: int, parts: int, sentence: str) -> None:
    with pytest.raises(CannotGoOn, match=sentence) as caught:
        train(most, parts)
    assert caught.value.exit_code == 3
    statistics = train.model[0]  # type: ignore[attr-defined]
    assert statistics.running_mean.tolist() == [0.0] * 4


def test_what_fits_is_trained() -> None:
    train(64)
    train(16, parts=4)


def test_another_error_while_trying_is_not_swallowed() -> None:
    def attempt(number: int) -> None:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        largest_that_fits(attempt, 8)
