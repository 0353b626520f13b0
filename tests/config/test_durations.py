"""Durations as people write them."""

import pytest

from cnntrain.config.durations import parse_duration
from cnntrain.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("20m", 1200), ("1.5h", 5400), ("1h30m", 5400), ("2d", 172800), ("1h0.5m", 3630), ("0.25s", 0.25)]
)
def test_units_add_up(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "s", "1x", "30m1h", "1h1h", "-5s", "0s", "1 h", "1h,"])
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"trainer.time_budget=.* is no duration; write it such as 90s, 20m, 1.5h or 1h30m"):
        parse_duration(text, place="trainer.time_budget")
