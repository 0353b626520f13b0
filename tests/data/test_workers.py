"""Loader processes and what they share with the main one."""

import gc
import os
from pathlib import Path
from typing import Any

import pytest
from torch.utils.data import Dataset, SequentialSampler

from cnntrain.data.workers import Processes, Workers


class Garbage:
    """Says which process cleans it up; only the collector does, since it refers to itself."""

    def __init__(self, diary: Path):
        self.diary, self.me = diary, self

    def __del__(self) -> None:
        with self.diary.open("a") as file:
            file.write(f"{os.getpid()}\n")


class Collects(Dataset[Any]):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> int:
        gc.collect()
        return os.getpid()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_loader_process_leaves_the_main_ones_garbage_alone(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    gc.collect()
    gc.disable()
    try:
        Garbage(diary)
        dataset = Collects()
        there = list(Workers(dataset, SequentialSampler(dataset), Processes(1, start="fork", stay=False), pin_memory=False))
    finally:
        gc.enable()
    assert os.getpid() not in there
    assert not diary.exists()
    gc.collect()
    assert diary.read_text() == f"{os.getpid()}\n"
