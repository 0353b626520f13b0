"""Test-time augmentation, with pixels that can be followed by hand."""

import pytest
import torch
from torch import Tensor, nn

from cnntrain.config.schema import TTA
from cnntrain.engine.evaluator import evaluate
from cnntrain.engine.precision import Arithmetic
from cnntrain.engine.tasks import Regression
from cnntrain.engine.views import VIEWS, build_infer
from cnntrain.errors import ConfigError

CPU = Arithmetic(torch.device("cpu"), "fp32", channels_last=False)
IMAGE = torch.tensor([[4.0, 0.0, 64.0], [1.0, 8.0, 3.0], [32.0, 0.0, 16.0]])[None, None]


class Pixel(nn.Module):
    """(N, 1, H, W) -> (N, 1): the pixel at one place."""

    def __init__(self, row: int, column: int):
        super().__init__()
        self.row, self.column = row, column

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, self.row, self.column]


@pytest.mark.parametrize(
    ("tta", "row", "column", "expected"),
    [
        ("none", 1, 0, 1.0),
        ("flip", 1, 0, (1 + 3) / 2),
        ("flip", 0, 0, (4 + 64) / 2),  # left and right change places, top and bottom do not
        ("flip_translate", 1, 1, 8 / 2 + 4 / 4 + 16 / 4),  # the centre sees its neighbours above left and below right
        # the corner: itself and its mirror image; moved, the reflected border shows the centre in all four views
        ("flip_translate", 0, 0, (4 + 64) / 4 + 4 * 8 / 8),
    ],
)
def test_a_pixel_is_averaged_over_the_views(tta: str, row: int, column: int, expected: float) -> None:
    assert build_infer(tta, (3, 3))(Pixel(row, column), IMAGE).item() == expected


def test_evaluation_measures_the_averaged_outputs() -> None:
    task = Regression(1, mean=[0.0], std=[1.0])
    batches = [(IMAGE, torch.tensor([[2.0]]), torch.tensor([0]))]
    model = Pixel(1, 0)
    assert evaluate(model, batches, CPU, task=task, infer=build_infer("flip", (3, 3))).metrics()["mae"] == 0.0
    assert evaluate(model, batches, CPU, task=task).metrics()["mae"] == 1.0


def test_outputs_of_low_precision_are_averaged_in_high_precision() -> None:
    images = torch.tensor([[1.0, 1.0078125]], dtype=torch.bfloat16)[None, None]  # neighbours: their mean is no bfloat16
    assert build_infer("flip", (1, 2))(Pixel(0, 0), images).item() == 1.00390625


def test_the_schema_lists_the_views_that_there_are() -> None:
    assert set(TTA) == set(VIEWS)


def test_an_image_of_one_row_cannot_be_moved() -> None:
    with pytest.raises(ConfigError, match=r"trainer.tta=flip_translate .* 1x8; take trainer.tta=flip"):
        build_infer("flip_translate", (1, 8))
