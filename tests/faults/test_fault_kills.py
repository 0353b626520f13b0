"""kill -9 at random moments, SIGTERM and crashes before each system call of a save: what comes out is the run that was never stopped."""

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from fault_cli import Cli
from fault_pictures import TINY, differences

LENGTH = ("epochs=12", "trainer.checkpoint_every=3")  # 48 steps
KILLS_SHORT, KILLS_LONG = 25, 67  # of the long suite in each of three ways to load: 201
WAYS = {"0 workers": [], "2 workers": ["data.num_workers=2"]}


def reference(cli: Cli) -> tuple[Path, float]:
    """A run that is never stopped, and how long it took."""
    began = time.monotonic()
    assert cli.run("train", *TINY, *LENGTH, "hydra.run.dir=whole") == 0, cli.said()
    return cli.folder / "whole", time.monotonic() - began


def killed_until_done(cli: Cli, name: str, *, kills: int, seconds: float, chance: random.Random, words: list[str]) -> int:
    """Starts a run and kills it again and again at random moments, `kills` times at most; then lets it end. The number of kills."""
    done = 0
    command = ["train", *TINY, *LENGTH, *words, f"hydra.run.dir={name}"]
    while True:
        pid = cli.start(*command)
        code = cli.wait(pid, chance.uniform(0.05, 0.7 * seconds) if done < kills else 120)
        if code is None:
            cli.kill(pid)
            code = cli.wait(pid, 20)
            if code == 0:  # it had ended by itself a moment before
                return done
            assert code == -signal.SIGKILL
            done += 1
        elif code != 0:
            raise AssertionError(f"{code}: {cli.said()}")
        else:
            return done
        if (cli.folder / name / "config.yaml").is_file():
            command = ["train", f"resume={name}"]
        else:  # killed before there was anything to go on with
            shutil.rmtree(cli.folder / name, ignore_errors=True)


def kill_many(cli: Cli, number: int, words: list[str], seed: int) -> None:
    whole, seconds = reference(cli)
    chance, killed, runs = random.Random(seed), 0, 0
    while killed < number:
        name = f"killed-{runs}"
        killed += killed_until_done(cli, name, kills=number - killed, seconds=seconds, chance=chance, words=words)
        runs += 1
        assert differences(cli.folder / name, whole) == [], f"after {killed} kills"
        assert not [entry for entry in os.listdir(cli.folder / name / "checkpoints") if entry.startswith(".")]
        shutil.rmtree(cli.folder / name)


@pytest.mark.slow
def test_25_kills_at_random_moments_change_no_bit(cli: Cli) -> None:
    kill_many(cli, KILLS_SHORT, [], seed=1)


@pytest.mark.faults
@pytest.mark.parametrize("way", WAYS)
def test_many_kills_change_no_bit(way: str, cli: Cli) -> None:
    kill_many(cli, KILLS_LONG, WAYS[way], seed=2)


def crash_everywhere(cli: Cli, how: str, every: int) -> int:
    """Crashes before each `every`-th system call on the checkpoints of a run; the number of crashes."""
    whole, _ = reference(cli)
    short = ("train", *TINY, *LENGTH)
    assert cli.run(*short, "hydra.run.dir=counted", fail=("kill", -1)) == 0
    calls = cli.calls()
    assert calls > 100
    for number in range(0, calls, every):
        name = f"crashed-{number}"
        assert cli.run(*short, f"hydra.run.dir={name}", fail=(how, number)) == -signal.SIGKILL
        assert cli.run("train", f"resume={name}") == 0, cli.said()
        assert differences(cli.folder / name, whole) == [], f"before call {number} of {calls}"
        shutil.rmtree(cli.folder / name)
    return len(range(0, calls, every))


@pytest.mark.slow
@pytest.mark.parametrize("how", ["kill", "tear"])
def test_a_crash_before_a_system_call_of_a_save_loses_nothing(how: str, cli: Cli) -> None:
    assert crash_everywhere(cli, how, 59) >= 5


@pytest.mark.faults
@pytest.mark.parametrize("how", ["kill", "tear"])
def test_a_crash_before_any_system_call_of_a_save_loses_nothing(how: str, cli: Cli) -> None:
    assert crash_everywhere(cli, how, 3) >= 100


def stop_at_random(cli: Cli, number: int, seed: int) -> None:
    """SIGTERM at random moments: code 75 with nothing lost, or 0 where the run was over."""
    whole, seconds = reference(cli)
    chance, stopped, runs = random.Random(seed), 0, 0
    while stopped < number:
        name, command = f"stopped-{runs}", ["train", *TINY, *LENGTH, f"hydra.run.dir=stopped-{runs}"]
        code: int | None = 75
        while code == 75:
            pid = cli.start(*command)
            code = cli.wait(pid, chance.uniform(0.3, seconds))
            if code is None:
                cli.kill(pid, signal.SIGTERM, group=False)
                code = cli.wait(pid, 60)
                assert code in (0, 75), cli.said()
                stopped += code == 75
            if (cli.folder / name / "config.yaml").is_file():
                command = ["train", f"resume={name}"]
            else:
                shutil.rmtree(cli.folder / name, ignore_errors=True)
            if code == 75 and stopped >= number:
                code = cli.run(*command)
        assert code == 0, cli.said()
        assert differences(cli.folder / name, whole) == []
        runs += 1


@pytest.mark.faults
def test_a_run_stopped_by_sigterm_goes_on_bit_by_bit(cli: Cli) -> None:
    stop_at_random(cli, 5, seed=3)


@pytest.mark.faults
def test_100_runs_stopped_by_sigterm_go_on_bit_by_bit(cli: Cli) -> None:
    stop_at_random(cli, 100, seed=4)
