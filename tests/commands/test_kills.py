"""Processes that are killed, or asked to stop, go on by the same command to the same bits.

Most are forked from this one, which has imported torch already; one starts from nothing.
"""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from tiny_runs import TINY, Run, assert_same, only_run

from cnntrain.cli import main

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning"),
]
KILLS = 6
WORDS = ("epochs=6", "transforms=photos", "model.head.dropout=0.3", "trainer.ema={decay: 0.9}", "trainer.log_every_steps=1")


def start(*words: str) -> BaseProcess:
    def run() -> None:
        os._exit(main(["train", *TINY, *words]))

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    return process


def until(ready: Callable[[], bool], process: BaseProcess) -> None:
    while not ready() and process.is_alive():
        time.sleep(0.001)


def told(name: str) -> int:
    """Lines of the histories of a name's runs."""
    return sum(path.read_bytes().count(b"\n") for path in Path("outputs", name).glob("*/metrics.jsonl"))


@pytest.mark.parametrize("workers", [0, 2])
def test_kills_at_any_moment_change_no_bit(train: Run, workers: int) -> None:
    words = (*WORDS, f"data.num_workers={workers}", "trainer.checkpoint_every=1", "data.cache=none")
    assert train("name=whole", *words) == 0
    draw = random.Random(workers)
    for kill in range(KILLS + 1):
        before, more = told("parts"), draw.randrange(4)
        process = start("name=parts", "resume=auto", *words)
        if kill < KILLS:
            until(lambda now=before + more: told("parts") > now, process)  # type: ignore[misc]
            time.sleep(draw.random() * 0.05)
            process.kill()
        process.join()
        if process.exitcode == 0:  # with the last kills it may be too late
            break
    assert process.exitcode == 0
    assert_same(only_run("whole"), only_run("parts"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_stop_before_the_first_step_leaves_a_run_that_can_begin(pictures: Path, number: int, code: int) -> None:
    words = [sys.executable, "-m", "cnntrain", "train", *TINY, "name=early", "epochs=500"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE)
    while not any(Path("outputs/early").glob("*/.lock")):  # the command has begun
        time.sleep(0.001)
    os.kill(process.pid, number)
    said = process.communicate()[1].decode()
    assert process.returncode == code, said
    assert main(["train", f"resume={only_run('early')}", "epochs=1"]) == 0
