"""Words of a page: every name is a stranger's, so each is made harmless and kept to its own direction of writing."""

from typing import Any

from markupsafe import Markup, escape

from cnntrain.report.figures import percent
from cnntrain.report.screen import printable

LONGEST = 80
Interval = tuple[float, float] | list[float] | None


def name(text: object, longest: int = LONGEST) -> Markup:
    """A class, a file or any text that is not ours: `<bdi>` keeps right-to-left letters from turning what stands beside them."""
    return Markup("<bdi>{}</bdi>").format(plain(text, longest))


def plain(text: object, longest: int = LONGEST) -> str:
    """The same for attributes and scripts: control characters and marks of direction as escapes, the middle of long ones left out."""
    said = printable(text)
    return said if len(said) <= longest else f"{said[: longest // 2 - 1]}…{said[-longest // 2 :]}"


def sentence(pattern: str, *parts: Any) -> Markup:
    """Our words with theirs in {}: whatever is no Markup is escaped."""
    return Markup(pattern).format(*(part if isinstance(part, Markup) else escape(part) for part in parts))


def range_of_shares(interval: Interval) -> str:
    """(0.796, 0.874) -> `79.6 to 87.4 %`."""
    return "" if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f} %"


def short_percent(share: float | None) -> str:
    """One digit behind the point."""
    return "-" if share is None or share != share else f"{100 * share:.1f} %"


def level(share: float, steps: int = 10) -> int:
    """A share as one of the steps that the style sheet has colours for; above 0 it is at least 1."""
    return 0 if share <= 0 else max(1, min(steps, round(share * steps)))


__all__ = ["Markup", "level", "name", "percent", "plain", "range_of_shares", "sentence", "short_percent"]
