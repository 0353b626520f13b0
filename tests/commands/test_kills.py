"""Whole processes that are killed, or asked to stop, go on by the same command to the same bits."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_runs import TINY, Run, assert_same, only_run

pytestmark = pytest.mark.slow
KILLS = 4
WORDS = ("epochs=6", "transforms=photos", "model.head.dropout=0.3", "trainer.ema={decay: 0.9}", "trainer.log_every_steps=1")


def start(*words: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "cnntrain", "train", *TINY, *words], stderr=subprocess.PIPE)


def told(name: str) -> int:
    """Lines of the history of the newest run."""
    return sum(path.read_bytes().count(b"\n") for path in Path("outputs", name).glob("*/metrics.jsonl"))


@pytest.mark.parametrize("workers", [0, 2])
def test_kills_at_any_moment_change_no_bit(train: Run, workers: int) -> None:
    words = (*WORDS, f"data.num_workers={workers}", "trainer.checkpoint_every=1", "data.cache=none")
    assert train("name=whole", *words) == 0
    draw = random.Random(workers)
    for _ in range(KILLS):
        before, process = told("parts"), start("name=parts", "resume=auto", *words)
        while told("parts") <= before + draw.randrange(4) and process.poll() is None:
            time.sleep(0.001)
        time.sleep(draw.random() * 0.05)
        process.kill()
        process.communicate()
    last = start("name=parts", "resume=auto", *words)
    assert last.wait() == 0, last.communicate()
    assert_same(only_run("whole"), only_run("parts"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_stop_before_the_first_step_leaves_a_run_that_can_begin(pictures: Path, number: int, code: int) -> None:
    process = start("name=early", "epochs=500")
    while not any(Path("outputs/early").glob("*")):
        time.sleep(0.001)
    time.sleep(0.3)  # Hydra has handed over to the command; torch is being imported
    os.kill(process.pid, number)
    said = process.communicate()[1].decode()
    assert process.returncode == code, said
    again = start(f"resume={only_run('early')}", "epochs=1")
    assert again.wait() == 0, again.communicate()
