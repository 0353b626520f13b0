"""Loaders: the same bits for any number of processes, cached or not."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

from cnntrain.config.components.registry import register
from cnntrain.data import keyed
from cnntrain.data.images import ImageSet
from cnntrain.data.keyed_images import Batch
from cnntrain.data.loaders import Loader
from cnntrain.data.pipeline import Pipeline, build_pipeline
from cnntrain.errors import CannotGoOn

Make = Callable[..., ImageSet]
RESIZE, TO_TENSOR = {"type": "resize"}, {"type": "to_tensor"}
PLAIN: list[dict[str, Any]] = [RESIZE, TO_TENSOR]
BATCHED: list[dict[str, Any]] = [
    RESIZE,
    {"type": "random_crop", "padding": 1},
    {"type": "horizontal_flip"},
    TO_TENSOR,
    {"type": "random_erasing"},
]
MIXED: list[dict[str, Any]] = [
    {"type": "resize", "factor": 1.25},
    {"type": "random_crop"},
    {"type": "rotation"},
    {"type": "color_jitter", "hue": 0.2},
    TO_TENSOR,
]
CROPS: list[dict[str, Any]] = [{"type": "random_resized_crop", "read_size": 9}, {"type": "horizontal_flip"}, TO_TENSOR]
SHORTER: list[dict[str, Any]] = [{"type": "resize", "mode": "shorter", "factor": 1.25}, {"type": "random_crop"}, TO_TENSOR]
RAW: list[dict[str, Any]] = [{"type": "horizontal_flip"}, RESIZE, TO_TENSOR]
UNEVEN = ((8, 8), (9, 12), (15, 10))


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@register("transform", "die_computing")
def die_computing() -> Any:
    return lambda _: die()


@register("transform", "die_over")
def die_over() -> Any:
    def die_soon(image: Tensor) -> Tensor:
        threading.Timer(0.01, die).start()
        return image

    return die_soon


@register("transform", "raise_RuntimeError")
def raise_runtime_error() -> Any:
    return lambda _: torch.zeros(2) + torch.zeros(3)


@register("transform", "raise_OSError")
def raise_os_error() -> Any:
    return lambda _: os.close(-1)  # OSError: bad file descriptor


def pipeline(steps: list[dict[str, Any]], channels: int = 3) -> Pipeline:
    return build_pipeline(steps, image_size=(8, 8), channels=channels, statistics=None)


@pytest.fixture
def load() -> Iterator[Callable[..., Loader]]:
    made: list[Loader] = []

    def make(images: ImageSet, steps: list[dict[str, Any]], **keywords: Any) -> Loader:
        options = {"batch_size": 4, "seed": 0, "shuffle": True, "num_workers": 0, "cache": "auto", "cache_budget_mib": 1, **keywords}
        made.append(Loader(images, pipeline(steps, options.pop("channels", 3)), **options))
        return made[-1]

    yield make
    for loader in made:
        loader.close()


Load = Callable[..., Loader]


def same(left: list[Batch], right: list[Batch]) -> bool:
    pairs = zip(left, right, strict=True)
    return all(a.dtype == b.dtype and torch.equal(a, b) for x, y in pairs for a, b in zip(x, y, strict=True))


def epochs(loader: Loader, *numbers: int) -> list[Batch]:
    return [batch for number in numbers for batch in loader.batches(number)]


@pytest.mark.parametrize("steps", [BATCHED, MIXED, CROPS], ids=["batched", "mixed", "crops"])
def test_the_number_of_workers_changes_nothing(make_set: Make, load: Load, steps: list[dict[str, Any]]) -> None:
    images = make_set(18, sizes=UNEVEN)
    alone = epochs(load(images, steps), 1, 2)
    assert len(alone) == 8
    assert same(alone, epochs(load(images, steps, num_workers=1), 1, 2))
    assert same(alone, epochs(load(images, steps, num_workers=2), 1, 2))


@pytest.mark.parametrize(("cache", "num_workers"), [("memory", 0), ("none", 1)])
def test_a_balanced_epoch_is_the_same_for_any_number_of_workers_and_shows_an_image_anew_each_time(
    make_set: Make, load: Load, cache: str, num_workers: int
) -> None:
    images = make_set(12).take(np.array([0, 1, 2, 3, 4, 5, 6, 8]))  # 4 of a, 3 of b, 1 of c
    order = partial(keyed.balanced_order, labels=images.labels)
    batches = epochs(load(images, BATCHED, order=order, cache=cache, num_workers=num_workers), 3)
    assert same(batches, epochs(load(images, BATCHED, order=order, cache="none"), 3))
    shown, targets, indices = (torch.cat(parts) for parts in zip(*batches, strict=True))
    assert sorted(torch.bincount(targets).tolist()) == [2, 3, 3]
    assert torch.equal(targets, torch.from_numpy(images.targets)[indices])
    times = shown[indices == 7]
    assert len(times) >= 2
    assert not torch.equal(times[0], times[1])


@pytest.mark.parametrize("num_workers", [0, 1])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("steps", [BATCHED, MIXED, CROPS, SHORTER, RAW], ids=["batched", "mixed", "crops", "shorter", "raw"])
def test_kept_images_equal_those_decoded_each_time(
    make_set: Make, load: Load, steps: list[dict[str, Any]], channels: int, num_workers: int
) -> None:
    images = make_set(18, sizes=UNEVEN, channels=channels)
    loaders = [load(images, steps, cache=cache, channels=channels, num_workers=num_workers) for cache in ("none", "memory", "disk", "disk")]
    found = [epochs(loader, 1, 2) for loader in loaders]
    assert all(same(found[0], other) for other in found[1:])
    assert [loader.kept is not None and loader.kept.entry is not None for loader in loaders] == [False, False, True, True]


@pytest.mark.parametrize("cache", ["none", "disk"])
def test_a_large_jpeg_is_decoded_at_a_smaller_scale(make_set: Make, load: Load, cache: str) -> None:
    images = make_set(3)
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((400, 300)).save(images.path(0), "JPEG")
    with Image.open(images.path(0)) as file:
        file.draft("RGB", (64, 64))  # twice the 32 pixels that are the least asked for
        assert file.size == (100, 75)
        small = torch.from_numpy(np.array(file)).permute(2, 0, 1)
    wanted = v2.functional.resize(small, [8, 8]).float() / 255
    (batch,) = load(images, PLAIN, cache=cache, shuffle=False).batches(0)
    assert torch.equal(batch[0][0], wanted)


def test_an_image_looks_the_same_in_any_batch_but_not_in_any_epoch(make_set: Make, load: Load) -> None:
    images = make_set(12)

    def by_index(loader: Loader, epoch: int) -> dict[int, Tensor]:
        return {int(i): x for xs, _, indices in loader.batches(epoch) for x, i in zip(xs, indices, strict=True)}

    small, large = (by_index(load(images, MIXED, batch_size=size), 3) for size in (2, 6))
    assert all(torch.equal(small[i], large[i]) for i in range(12))
    assert not all(torch.equal(small[i], x) for i, x in by_index(load(images, MIXED), 4).items())


def test_a_resumed_epoch_needs_no_earlier_one(make_set: Make, load: Load) -> None:
    images = make_set(12)
    through = load(images, MIXED)
    epochs(through, 1, 2)
    assert same(epochs(through, 3), epochs(load(images, MIXED), 3))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_loading_leaves_torchs_generator_alone(make_set: Make, load: Load, num_workers: int) -> None:
    loader = load(make_set(8), MIXED, num_workers=num_workers)
    before = torch.get_rng_state()
    epochs(loader, 1)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_epoch_that_is_broken_off_does_not_reach_into_the_next(make_set: Make, load: Load) -> None:
    images = make_set(16)
    loader = load(images, BATCHED, num_workers=1)
    next(loader.batches(1))
    assert same(epochs(loader, 2), epochs(load(images, BATCHED), 2))


def test_labels_and_indices_belong_to_the_images(make_set: Make, load: Load) -> None:
    images = make_set(9)
    for pixels, labels, indices in load(images, PLAIN).batches(1):
        assert (pixels.dtype, labels.dtype, indices.dtype) == (torch.float32, torch.int64, torch.int64)
        assert labels.tolist() == [images.labels[i] for i in indices]
        for image, index in zip(pixels, indices.tolist(), strict=True):
            file = np.array(Image.open(images.path(index))).transpose(2, 0, 1)
            assert torch.equal(image, torch.from_numpy(file).float() / 255)


@pytest.mark.parametrize(
    ("count", "shuffle", "sizes"),
    [(10, True, [4, 4]), (10, False, [4, 4, 2]), (8, True, [4, 4]), (3, True, [3]), (3, False, [3])],
)
def test_training_leaves_out_a_partial_batch_and_evaluation_keeps_it(
    make_set: Make, load: Load, count: int, shuffle: bool, sizes: list[int]
) -> None:
    loader = load(make_set(count), PLAIN, shuffle=shuffle)
    seen = [indices for _, _, indices in loader.batches(1)]
    assert [len(indices) for indices in seen] == sizes
    assert (len(loader), loader.num_images_per_epoch) == (len(sizes), sum(sizes))
    order = torch.cat(seen).tolist()
    assert (order == list(range(sum(sizes)))) != shuffle
    assert len(set(order)) == len(order)


def test_auto_keeps_what_fits_the_budget_and_says_so(make_set: Make, load: Load, own_cache: Path) -> None:
    images = make_set(20)
    fits = load(images, PLAIN).keeping
    assert (fits.where, fits.expected, fits.surprising) == ("disk", 20 * 3 * 8 * 8, False)
    assert fits.note == f"train: 20 decoded images take 0.0 MiB in {own_cache}/images"
    too_big = load(images, PLAIN, cache_budget_mib=0).keeping
    assert (too_big.where, too_big.surprising) == ("none", True)
    assert too_big.note.endswith("more than data.cache_budget_mib=0")
    for where in ("memory", "disk"):
        assert load(images, PLAIN, cache=where, cache_budget_mib=0).keeping.where == where
    assert load(images, PLAIN, cache="none").keeping.note.endswith("(data.cache=none)")


def test_what_images_of_different_sizes_take_is_guessed_from_their_headers(make_set: Make, load: Load) -> None:
    images = make_set(18, sizes=UNEVEN)
    areas = 6 * (8 * 8 + 9 * 12 + 15 * 10)
    assert load(images, RAW).keeping.expected == 3 * areas
    assert load(images, SHORTER).keeping.expected == 3 * 6 * (10 * 10 + 10 * 13 + 15 * 10)  # a shorter side of 10


def test_the_log_says_from_which_size_a_random_resized_crop_reads(make_set: Make, load: Load) -> None:
    images = make_set(6)
    assert load(images, CROPS).notes() == [
        "train: random_resized_crop cuts from images whose shorter side is at most 9 pixels (its read_size)"
    ]
    assert load(images, PLAIN).notes() == []


def test_preparing_tells_how_far_it_is(make_set: Make, load: Load) -> None:
    told: list[tuple[int, int]] = []
    load(make_set(70), PLAIN).prepare(lambda done, total: told.append((done, total)))
    assert told == [(32, 70), (64, 70), (70, 70)]


@pytest.mark.parametrize("when", ["while computing", "while handing over"])
def test_a_killed_worker_ends_in_a_sentence(make_set: Make, load: Load, when: str) -> None:
    steps = [RESIZE, {"type": f"die_{when.split()[-1]}"}, TO_TENSOR]
    loader = load(make_set(64), steps, num_workers=1, batch_size=2)
    with pytest.raises(CannotGoOn, match=r"a loader process ended unexpectedly .*, again and again; type data.num_workers=0"):
        list(loader.batches(1))


@pytest.mark.parametrize("kind", [RuntimeError, OSError])
def test_a_mistake_in_a_users_transform_is_not_taken_for_a_dead_worker(make_set: Make, load: Load, kind: type[Exception]) -> None:
    loader = load(make_set(4), [RESIZE, {"type": f"raise_{kind.__name__}"}, TO_TENSOR], num_workers=1)
    with pytest.raises(kind, match=f"Caught {kind.__name__} in DataLoader worker process 0"):
        list(loader.batches(1))


@pytest.mark.parametrize("cache", ["memory", "disk", "none"])
def test_the_datas_own_mean_and_std_are_those_of_its_pixels(make_set: Make, load: Load, cache: str) -> None:
    images = make_set(9, sizes=((8, 8),))
    steps = [*PLAIN, {"type": "normalize", "mean": "data"}]
    loader = load(images, steps, cache=cache)
    loader.prepare()
    pixels = np.stack([np.array(Image.open(images.path(i))) for i in range(9)]) / 255
    assert loader.statistics is not None
    assert loader.statistics.mean == pytest.approx(pixels.mean((0, 1, 2)), abs=1e-6)
    assert loader.statistics.std == pytest.approx(pixels.std((0, 1, 2)), abs=1e-6)
    assert loader.pipeline.steps[-1]["mean"] == list(loader.statistics.mean)
    (seen,) = (batch[0] for batch in load(images, loader.pipeline.describe()["steps"], batch_size=9).batches(1))
    assert seen.mean((0, 2, 3)).tolist() == pytest.approx([0, 0, 0], abs=1e-4)


def test_a_channel_of_one_colour_is_not_divided_by_nothing(make_set: Make, load: Load) -> None:
    images = make_set(3, channels=1)
    for index in range(3):
        Image.new("L", (8, 8), 51).save(images.path(index))
    steps = [*PLAIN, {"type": "normalize", "mean": "data"}]
    loader = load(images, steps, channels=1)
    assert loader.measure().std == (1.0,)
    assert loader.measure().mean == (0.2,)
