"""Components of installed packages: found by their entry points, and only when a name is asked for that nothing else has."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cnntrain.commands.list import run as list_kinds
from cnntrain.config.components import installed, registry

if TYPE_CHECKING:
    from tests.config.conftest import Recorder

BLOCKS = """\
import cnntrain

@cnntrain.register("block", "zigzag")
def zigzag(in_channels: int, out_channels: int, *, stride: int = 1, teeth: int = 3) -> None:
    "Up and down."
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package `zigzags`, whose entry point names the module zigzag_blocks; the module's file."""
    site = tmp_path / "site"
    info = site / "zigzags-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: zigzags\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[cnntrain.components]\nblocks = zigzag_blocks\n")
    (site / "zigzag_blocks.py").write_text(BLOCKS)
    monkeypatch.syspath_prepend(site)
    for table in ("_builders", "_components"):
        monkeypatch.setattr(registry, table, {kind: {} for kind in registry.KINDS})
    installed.load_installed.cache_clear()
    yield site / "zigzag_blocks.py"
    installed.load_installed.cache_clear()
    sys.modules.pop("zigzag_blocks", None)


def test_an_installed_block_is_found_by_its_name(cnntrain: "Recorder", package: Path) -> None:
    (job,) = cnntrain.plan("model.stages=[{block: zigzag, out_channels: 8, teeth: 4}]")
    assert job.stored["model"]["stages"] == [{"block": "zigzag", "out_channels": 8, "teeth": 4}]
    builder = registry.user_builder("block", "zigzag")
    assert builder is sys.modules["zigzag_blocks"].zigzag


def test_an_installed_blocks_keywords_are_checked(cnntrain: "Recorder", package: Path) -> None:
    (told,) = cnntrain.told("model.stages=[{block: zigzag, out_channels: 8, teeth: many}]")
    assert told == "model.stages[0].teeth=many must be a whole number"


def test_nothing_installed_is_imported_while_every_name_is_known(cnntrain: "Recorder", package: Path) -> None:
    package.write_text("raise SystemExit('imported')")
    assert cnntrain.plan("model=resnet20", "schedule=cosine")
    assert "zigzag_blocks" not in sys.modules


def test_a_package_that_fails_is_named_when_a_name_is_unknown(cnntrain: "Recorder", package: Path) -> None:
    package.write_text("import a_module_that_is_not_there")
    (told,) = cnntrain.told("model.stages=[{block: zigzag, out_channels: 8}]")
    assert told == (
        "the installed package zigzags offers components in zigzag_blocks, which fails: ModuleNotFoundError: "
        "No module named 'a_module_that_is_not_there'; mend it or uninstall it"
    )


def test_list_shows_what_is_installed(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list_kinds(["blocks"]) == 0
    assert "zigzag" in capsys.readouterr().out


def test_a_name_that_is_no_word_is_refused_not_looked_for(cnntrain: "Recorder", package: Path) -> None:
    (told,) = cnntrain.told("model.stages=[{block: [conv], out_channels: 8}]")
    assert told.startswith("model.stages[0].block=[conv]: no such block")
