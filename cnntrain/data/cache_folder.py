"""Where what was computed from a user's images is kept between runs. No torch."""

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """CNNTRAIN_CACHE_DIR, else `cnntrain` in the user's own cache folder; it may not exist yet.

    That is XDG_CACHE_HOME or ~/.cache, on macOS ~/Library/Caches, on Windows LOCALAPPDATA.
    """
    given = os.environ.get("CNNTRAIN_CACHE_DIR")
    if given:
        return Path(given).expanduser().absolute()
    return system_folder() / "cnntrain"


def system_folder() -> Path:
    """The folder that this system means for caches."""
    home = Path(os.path.expanduser("~"))  # Path.home() raises where there is none
    if sys.platform == "darwin":
        return home / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    given = os.environ.get("XDG_CACHE_HOME", "")
    return Path(given) if os.path.isabs(given) else home / ".cache"  # the XDG rules: a relative one is ignored
