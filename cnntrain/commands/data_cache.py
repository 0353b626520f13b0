"""`cnntrain data cache [clear]`: the decoded images that are kept for later runs."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from cnntrain.config.flags import parse_flags
from cnntrain.data import disk_room
from cnntrain.data.disk_room import Found
from cnntrain.errors import CnntrainError, ConfigError, did_you_mean

KINDS = {"clear": "remove all that no run uses now"}
MIB = 2**20


def run(words: Sequence[str]) -> int:
    """Prints what there is, or removes it."""
    try:
        flags = parse_flags(words)
        unknown = [f"data cache takes no {word}; {did_you_mean(word, KINDS)}" for word in flags.words if word not in KINDS]
        if unknown:
            raise ConfigError(unknown)
    except CnntrainError as error:
        for line in error.lines():
            print(f"cnntrain: {line}", file=sys.stderr)
        return error.exit_code
    if "--help" in flags.plain:
        print("usage: cnntrain data cache [clear]")
        print("lists the decoded images that are kept for later runs;")
        print("clear removes all that no run uses now")
        return 0
    print("\n".join(clear() if flags.words else listed(disk_room.entries())))
    return 0


def listed(found: Sequence[Found]) -> list[str]:
    """A line for each entry, the last used first, and one for all."""
    folder = disk_room.images_folder()
    if not found:
        return [f"nothing is kept in {folder}"]
    lines = [f"{'size':>12}  {'last used':<16}  images"]
    for each in sorted(found, key=lambda each: -each.last_used):
        lines.append(f"{size_text(each.size):>12}  {datetime.fromtimestamp(each.last_used, UTC):%Y-%m-%d %H:%M}  {each.about}")
    total = size_text(sum(each.size for each in found))
    return [*lines, f"{total} in {folder}; `cnntrain data cache clear` removes what no run uses (times are UTC)"]


def clear() -> list[str]:
    """Removes entries; one sentence on what is gone and what had to stay."""
    found = disk_room.entries()
    gone = [each for each in found if disk_room.remove_unused(each.folder)]
    disk_room.sweep()
    said = f"removed {size_text(sum(each.size for each in gone))} of decoded images in {disk_room.images_folder()}"
    left = len(found) - len(gone)
    return [said + (f"; {left} of {len(found)} sets are in use and stay" if left else "")]


def size_text(size: int) -> str:
    return f"{size / MIB:,.1f} MiB"
