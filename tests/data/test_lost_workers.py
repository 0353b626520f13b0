"""Loader processes that die, raise, hang or are stopped: others give the same batches, and nothing is left behind."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cnntrain import register
from cnntrain.config.components import registry
from cnntrain.data.images import ImageSet
from cnntrain.data.keyed_images import Batch
from cnntrain.data.loaders import Loader
from cnntrain.data.pipeline import build_pipeline
from cnntrain.data.workers import Processes
from cnntrain.errors import StoppedAndSaved

Make = Callable[..., ImageSet]
FAULTS: dict[str, Callable[[], Any]] = {
    "dies": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "raises": lambda: torch.zeros(2) + torch.zeros(3),
    "hangs": lambda: time.sleep(600),
    "is stopped": lambda: os.kill(os.getpid(), signal.SIGSTOP),
}


def faulty(fault: str, done: str, times: int) -> Callable[[Tensor], Tensor]:
    """A step that goes wrong in the first processes that come to it after ten images."""
    seen = 0

    def step(image: Tensor) -> Tensor:
        nonlocal seen
        seen += 1
        if seen > 10:
            for number in range(times):
                try:
                    os.close(os.open(f"{done}-{number}", os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    continue
                FAULTS[fault]()
        return image

    return step


@pytest.fixture(autouse=True)
def known() -> Iterator[None]:
    register("transform", "faulty")(faulty)
    yield
    registry._builders["transform"].pop("faulty")
    registry._components["transform"].pop("faulty")


def batches(
    images: ImageSet, *faults: dict[str, Any], poll: Callable[[], None] = lambda: None, **keys: Any
) -> tuple[list[Batch], list[str]]:
    steps = [{"type": "random_resized_crop"}, *faults, {"type": "to_tensor"}]
    pipeline = build_pipeline(steps, image_size=(8, 8), channels=3, statistics=None)
    loader = Loader(images, pipeline, batch_size=4, seed=0, shuffle=True, cache="none", cache_budget_mib=1, **keys)
    said: list[str] = []
    loader.prepare(say=said.append)
    loader.poll = poll
    try:
        return [batch for epoch in range(2) for batch in loader.batches(epoch)], said
    finally:
        loader.close()


def orphans() -> set[str]:
    """Shared memory of torch (torch_<process>_...) whose process is gone; other tests that run meanwhile have theirs."""
    names = [name for name in os.listdir("/dev/shm") if name.startswith("torch_")]
    return {name for name in names if not os.path.exists(f"/proc/{name.split('_')[1]}")}


@pytest.mark.parametrize("stay", [True, False])
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("dies", "a loader process ended unexpectedly (killed, or out of memory)"),
        ("raises", "a loader process raised RuntimeError"),
        ("hangs", "the loader processes gave no batch for 2 s"),
        ("is stopped", ""),
    ],
)
def test_others_begin_at_the_same_batch(make_set: Make, tmp_path: Path, fault: str, told: str, stay: bool) -> None:
    images = make_set(40, sizes=((9, 12), (15, 10)))
    handler, shared = signal.getsignal(signal.SIGCHLD), orphans()
    expected, _ = batches(images, {"type": "faulty", "fault": fault, "done": "", "times": 0})
    step = {"type": "faulty", "fault": fault, "done": str(tmp_path / "done"), "times": 1}
    found, said = batches(images, step, num_workers=Processes(2, stay=stay), patience_seconds=2)
    assert (tmp_path / "done-0").exists()
    assert [line for line in said if line.startswith(f"train: {told}") and "; others begin at the same batch, " in line]
    assert len(found) == len(expected) == 20
    assert all(torch.equal(a, b) for one, other in zip(expected, found, strict=True) for a, b in zip(one, other, strict=True))
    assert multiprocessing.active_children() == []
    assert orphans() <= shared
    assert signal.getsignal(signal.SIGCHLD) is handler


def test_a_signal_is_answered_while_a_process_hangs(make_set: Make, tmp_path: Path) -> None:
    def stop() -> None:
        raise StoppedAndSaved("stopped by SIGTERM")

    step = {"type": "faulty", "fault": "hangs", "done": str(tmp_path / "done"), "times": 9}
    with pytest.raises(StoppedAndSaved):
        batches(make_set(40), step, num_workers=Processes(1), poll=stop)
    assert multiprocessing.active_children() == []
