"""Durations as people type them: 90s, 20m, 1.5h, 1h30m."""

import re

from cnntrain.errors import ConfigError

SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
PART = re.compile(r"(\d+(?:\.\d+)?)([dhms])")


def parse_duration(text: str, *, place: str = "duration") -> float:
    """Seconds, more than 0.

    Args:
        text: numbers with a unit (d, h, m or s), largest unit first.
        place: the key to name in the error.

    Raises:
        ConfigError: it is no duration.
    """
    parts = PART.findall(text)
    units = [unit for _, unit in parts]
    whole = "".join(number + unit for number, unit in parts) == text
    falling = units == sorted(set(units), key=list(SECONDS).index)
    seconds = sum(float(number) * SECONDS[unit] for number, unit in parts)
    if not whole or not falling or seconds <= 0:
        raise ConfigError(f"{place}={text} is no duration; write it such as 90s, 20m, 1.5h or 1h30m")
    return seconds


def is_duration(text: str) -> bool:
    try:
        return parse_duration(text) > 0
    except ConfigError:
        return False
