"""A full disk, by a small tmpfs and by failpoints: training goes on, and what was saved stays whole."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_cli import Cli
from fault_pictures import TINY, differences

from cnntrain.runs.checkpoint import newest

LENGTH = ("epochs=12", "trainer.checkpoint_every=3")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("no right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path) -> Path:
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return filler


def begin_and_fill(cli: Cli, small: Path) -> tuple[int, Path]:
    """A run with a checkpoint, on a disk that is full now."""
    pid = cli.start("train", *TINY, "epochs=2000", "trainer.checkpoint_every=3", "hydra.run.dir=small/run")
    while not (small / "run" / "checkpoints" / "last").exists():
        time.sleep(0.01)
        assert cli.wait(pid, 0) is None, cli.said()
    return pid, fill(small)


@pytest.mark.slow
def test_a_run_on_a_full_disk_goes_on_and_ends_with_74_and_a_whole_checkpoint(cli: Cli, small: Path) -> None:
    pid, _ = begin_and_fill(cli, small)
    while "training goes on and tries again" not in cli.said():
        time.sleep(0.05)
        assert cli.wait(pid, 0) is None, cli.said()
    cli.kill(pid, 15, group=False)  # what the run holds cannot be saved, so it is no 75
    assert cli.wait(pid, 60) == 74, cli.said()
    said = cli.said()
    assert said.count("training goes on and tries again") == 1
    assert "Traceback" not in said
    folder, broken = newest(small / "run")
    assert folder is not None
    assert broken == []


@pytest.mark.slow
def test_a_run_goes_on_when_room_is_made(cli: Cli, small: Path) -> None:
    pid, filler = begin_and_fill(cli, small)
    while "training goes on and tries again" not in cli.said():
        time.sleep(0.05)
        assert cli.wait(pid, 0) is None, cli.said()
    filler.unlink()
    while "the disk takes what is written again" not in cli.said():
        time.sleep(0.05)
        assert cli.wait(pid, 0) is None, cli.said()
    cli.kill(pid, 15, group=False)
    assert cli.wait(pid, 60) == 75, cli.said()


def refuse_everywhere(cli: Cli, how: str, every: int) -> None:
    """Each `every`-th system call on the checkpoints is refused, with those after it."""
    assert cli.run("train", *TINY, *LENGTH, "hydra.run.dir=whole") == 0, cli.said()
    assert cli.run("train", *TINY, *LENGTH, "hydra.run.dir=counted", fail=("full", -1)) == 0
    for number in range(0, cli.calls(), every):
        name = f"refused-{number}"
        code = cli.run("train", *TINY, *LENGTH, f"hydra.run.dir={name}", fail=(how, number))
        assert code in ((74,) if how == "full" else (0, 74)), cli.said()
        assert "Traceback" not in cli.said()
        if code == 74:
            assert cli.run("train", f"resume={name}") == 0, cli.said()
        found = differences(cli.folder / name, cli.folder / "whole")
        assert found in ([], ["best"]), f"before call {number}: {found}"  # a best epoch that could not be saved is not marked


@pytest.mark.faults
@pytest.mark.parametrize("how", ["full", "full-for-a-while"])
def test_a_disk_that_is_full_for_a_while_or_from_now_on_loses_nothing_saved(how: str, cli: Cli) -> None:
    refuse_everywhere(cli, how, 151)


@pytest.mark.faults
@pytest.mark.parametrize("how", ["full", "full-for-a-while"])
def test_a_disk_that_is_full_at_any_call_loses_nothing_saved(how: str, cli: Cli) -> None:
    refuse_everywhere(cli, how, 7)
