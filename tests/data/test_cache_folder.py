"""Where caches lie, by the variables of each system."""

import os
import sys
from pathlib import Path

import pytest

from cnntrain.data.cache_folder import cache_folder

HOME = Path(os.path.expanduser("~"))


@pytest.mark.parametrize(
    ("platform", "variables", "wanted"),
    [
        ("linux", {"CNNTRAIN_CACHE_DIR": "/fast/own", "XDG_CACHE_HOME": "/xdg"}, Path("/fast/own")),
        ("linux", {"CNNTRAIN_CACHE_DIR": "~/own"}, HOME / "own"),
        ("linux", {"CNNTRAIN_CACHE_DIR": "own"}, Path("own").absolute()),
        ("linux", {"XDG_CACHE_HOME": "/xdg"}, Path("/xdg/cnntrain")),
        ("linux", {"XDG_CACHE_HOME": "relative"}, HOME / ".cache/cnntrain"),
        ("linux", {"CNNTRAIN_CACHE_DIR": ""}, HOME / ".cache/cnntrain"),
        ("darwin", {"XDG_CACHE_HOME": "/xdg"}, HOME / "Library/Caches/cnntrain"),
        ("win32", {"LOCALAPPDATA": "/local"}, Path("/local/cnntrain")),
        ("win32", {}, HOME / "AppData/Local/cnntrain"),
    ],
)
def test_the_cache_folder_is_where_its_system_keeps_caches(
    platform: str, variables: dict[str, str], wanted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    for name in ("CNNTRAIN_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == wanted


def test_tests_never_touch_the_users_own_cache(own_cache: Path) -> None:
    assert cache_folder() == own_cache
