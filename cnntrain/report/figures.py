"""How numbers are written, everywhere the same: shares as `98.31 %`, losses with four digits, times as people say them."""

import math
from typing import Any

from cnntrain.measures import measure_of

NOTHING = "-"


def percent(share: float | None) -> str:
    """0.98312 -> `98.31 %`."""
    return NOTHING if share is None or math.isnan(share) else f"{100 * share:.2f} %"


def loss_text(loss: float | None) -> str:
    """Four digits after the point; below 0.001 in powers of ten."""
    if loss is None or math.isnan(loss):
        return NOTHING
    return f"{loss:.3e}" if 0 < abs(loss) < 0.001 else f"{loss:.4f}"


def metric_text(name: str, value: float | None) -> str:
    """A metric by its name: shares as per cent, numbers in the user's units with four digits, images/s whole, lr short, losses."""
    measure, kind = measure_of(name), name.rsplit("/", 1)[-1]
    if measure is not None and measure.kind == "share":
        return percent(value)
    if value is None or math.isnan(value):
        return NOTHING
    if kind == "images_per_second":
        return f"{value:,.0f}"
    if measure is not None and measure.kind == "number":
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.4g}".removesuffix(".")
    return f"{value:.3g}" if kind == "lr" else loss_text(value)


def duration(seconds: float | None) -> str:
    """3.21 -> `3.2 s`, 75 -> `1:15`, 3725 -> `1:02:05`."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def size_text(shape: Any) -> str:
    """(64, 8, 8) -> `64x8x8`."""
    return "x".join(str(size) for size in shape)


def counted(number: int, word: str) -> str:
    """1 epoch, 30 epochs."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def scaled(number: float) -> str:
    """1814073344 -> `1.81 G`, 9408 -> `9.41 K`, 640 -> `640`: three digits and a power of a thousand."""
    if number < 999.5:
        return f"{number:.3g}"
    power = next((power for power in range(1, 6) if number / 1000**power < 999.5), 6)
    return f"{number / 1000**power:#.3g}".removesuffix(".") + f" {'KMGTPE'[power - 1]}"


def size_of_memory(num_bytes: int) -> str:
    """20678560 -> `19.7 MiB`."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if num_bytes >= size:
            return f"{num_bytes / size:.1f} {unit}"
    return f"{num_bytes} B"
