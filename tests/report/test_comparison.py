"""The sentence that says which of two networks is better, and how sure that is."""

from typing import Any

import pytest

from cnntrain.report.comparison import verdict


def found(difference: float, interval: list[float], p: float, measure: str = "top1") -> dict[str, Any]:
    return {"difference": difference, "interval": interval, "p_value": p, "count": 200, "measure": measure, "test": "McNemar, exact"}


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (found(0.05, [0.01, 0.09], 0.02), "The first has 5.0 points more of the 200 images right (95 % interval 1.0 to 9.0). Chance alone"),
        (found(-0.05, [-0.09, -0.01], 0.02), "The second has 5.0 points more of the 200 images right (95 % interval 1.0 to 9.0)."),
        (found(0.01, [-0.02, 0.04], 0.6), "60 % of comparisons (McNemar, exact, p = 0.6): more images are needed to tell."),
        (found(0.0, [-0.02, 0.02], 1.0), "They are equally good on 200 images."),
        (found(0.5, [0.4, 0.6], 1e-9, "error"), "errors smaller by 0.5 standard deviations on 200 images (95 % interval 0.4 to 0.6)"),
        (found(0.5, [0.4, 0.6], 1e-9), "less than 0.1 % of comparisons"),
    ],
)
def test_the_sentence_names_the_better_one_its_lead_and_its_chance(result: dict[str, Any], words: str) -> None:
    assert words in verdict(result)
