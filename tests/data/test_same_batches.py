"""Weights do not hang on how batches are made: number of processes, how they start, how far they work ahead, how long they live."""

import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cnntrain.data.cache import Spent
from cnntrain.data.images import ImageSet
from cnntrain.data.keyed_images import KeyedImages
from cnntrain.data.loaders import Loader
from cnntrain.data.pipeline import build_pipeline
from cnntrain.data.workers import Processes

Make = Callable[..., ImageSet]
STEPS: list[dict[str, Any]] = [
    {"type": "random_resized_crop"},
    {"type": "horizontal_flip"},
    {"type": "to_tensor"},
    {"type": "normalize", "mean": "data"},
    {"type": "random_erasing"},
]


def trained(images: ImageSet, processes: Processes, *, cache: str) -> list[torch.Tensor]:
    """The weights of a small network after three epochs."""
    pipeline = build_pipeline(STEPS, image_size=(8, 8), channels=3, statistics=None)
    loader = Loader(images, pipeline, batch_size=4, seed=0, shuffle=True, cache=cache, cache_budget_mib=1, num_workers=processes)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(3):
        for pixels, labels, _ in loader.batches(epoch):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(pixels), labels).backward()
            optimizer.step()
    loader.close()
    return [value.clone() for value in model.state_dict().values()]


def same(left: list[torch.Tensor], right: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


QUICK = [
    Processes(1, prefetch=1, stay=False),
    Processes(2, prefetch=3, stay=True),
    Processes(3, prefetch=2, stay=False),
]
STARTS = multiprocessing.get_all_start_methods()


@pytest.mark.parametrize("processes", QUICK, ids=str)
def test_neither_prefetching_nor_persistence_changes_the_weights(make_set: Make, processes: Processes) -> None:
    images = make_set(18, sizes=((8, 8), (9, 12), (15, 10)))
    images.path(4).write_bytes(b"no image")
    assert same(trained(images, Processes(0), cache="none"), trained(images, processes, cache="disk"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "cache"),
    [pair for pair in (("fork", "none"), ("forkserver", "disk"), ("spawn", "memory"), ("spawn", "none")) if pair[0] in STARTS],
)
def test_the_way_processes_start_does_not_change_the_weights(make_set: Make, start: str, cache: str) -> None:
    images = make_set(18, sizes=((8, 8), (9, 12), (15, 10)))
    images.path(4).write_bytes(b"no image")
    assert same(trained(images, Processes(0), cache="none"), trained(images, Processes(2, start=start), cache=cache))


def shared_state(dataset: KeyedImages) -> KeyedImages:
    """What a spawned process makes of it, tensors left where they are."""
    other = KeyedImages.__new__(KeyedImages)
    other.__setstate__(dataset.__getstate__())
    return other


def test_a_spawned_process_gets_the_same_images_and_no_copy_of_names_and_targets(make_set: Make, tmp_path: Path) -> None:
    images = make_set(7)
    images = replace(images, files=images.files.take(images.labels.argsort()[::-1]))
    pipeline = build_pipeline([STEPS[0], STEPS[2]], image_size=(8, 8), channels=3, statistics=None)
    dataset = KeyedImages(images, pipeline, seed=0, kept=None, replaces=True)
    state = dataset.__getstate__()
    assert all(tensor.is_shared() for tensor in state["shared"])
    assert (len(state["images"].files), len(state["images"].targets), state["targets"]) == (0, 0, None)
    other = shared_state(dataset)
    assert list(other.images.files) == list(images.files)
    assert [other.images.files[index] for index in range(7)] == list(images.files)
    assert other.images.path(3) == images.path(3)
    assert other.targets.tolist() == images.targets.tolist()
    assert other.targets.data_ptr() == dataset.targets.data_ptr()


def test_seconds_add_up() -> None:
    spent = Spent(1.0, 2.0, 3.0)
    spent.add(Spent(0.5, 0.25, 0.125))
    assert spent == Spent(1.5, 2.25, 3.125)
