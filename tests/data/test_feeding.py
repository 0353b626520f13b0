"""Where time goes, and when loader processes pay: numbers worked out by hand."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from cnntrain.config.components.registry import register
from cnntrain.data.cache import MIB, Keeping, Spent
from cnntrain.data.feeding import MEASURED, WARM_UP, Choice, Times, explanation
from cnntrain.data.images import ImageSet
from cnntrain.data.loaders import Loader
from cnntrain.data.pipeline import build_pipeline

Make = Callable[..., ImageSet]
DISK, NONE = Keeping("disk", 100 * MIB, "", False), Keeping("none", 100 * MIB, "", True)


def choice_after(making: float, step: float, *, num_cores: int = 16) -> Choice:
    choice = Choice(num_cores=num_cores)
    for _ in range(WARM_UP):
        choice.add(100.0, 0.001)  # the first ones are slow everywhere, and not counted
    for _ in range(MEASURED):
        assert choice.decided is None
        choice.add(making, step)
    return choice


@pytest.mark.parametrize(
    ("making", "step", "num_cores", "workers"),
    [
        (0.001, 0.1, 16, 0),  # a hundredth of the time
        (0.05, 0.1, 16, 1),  # half a step's time: one process keeps up, 1.25 * 0.5
        (0.2, 0.1, 16, 3),  # 1.25 * 2, rounded up
        (0.2, 0.1, 8, 3),
        (1.0, 0.1, 8, 7),  # a core is left for the main process
        (1.0, 0.1, 64, 13),
        (9.0, 0.1, 64, 16),
    ],
)
def test_as_many_processes_as_keep_up_with_the_steps(making: float, step: float, num_cores: int, workers: int) -> None:
    assert choice_after(making, step, num_cores=num_cores).decided == workers


def test_the_choice_is_said_with_its_reason() -> None:
    assert choice_after(0.2, 0.1).sentence() == (
        "a batch takes 200.0 ms to make and 100.0 ms to train on: 3 loader processes from here on (data.num_workers=auto)"
    )
    assert "no loader process is needed" in choice_after(0.001, 0.1).sentence()


def test_few_cores_or_none_that_could_start_need_no_measuring() -> None:
    assert Choice(num_cores=4).decided == 0
    assert Choice(num_cores=64, possible=False).decided == 0
    assert Choice(num_cores=5).decided is None


def times(waiting: float, step: float, read: float, decode: float, augment: float) -> Times:
    return Times(waiting, step, 10, Spent(read, decode, augment))


def test_the_waiting_is_divided_as_the_making_was() -> None:
    found = times(6, 4, 2, 8, 10).parts()  # two processes made batches for 20 s, 6 s of which were waited for
    assert found == pytest.approx({"read": 0.06, "decode": 0.24, "augment": 0.3, "step": 0.4})
    assert sum(found.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("spent", "keeping", "more", "said"),
    [
        ((6, 4, 1, 4, 1), NONE, {}, "to decode once for all epochs, type data.cache_budget_mib=110"),
        ((6, 4, 1, 4, 1), Keeping("none", 0, "", True), {}, "to decode once for all epochs, type data.cache=auto"),
        ((6, 4, 5, 0, 1), DISK, {}, "the kept images are more than memory holds"),
        ((6, 4, 1, 0, 5), DISK, {"num_cores": 16}, "to make batches beside the steps, type data.num_workers=2"),
        ((6, 4, 1, 0, 5), DISK, {"num_cores": 16, "num_workers": 4}, "type data.num_workers=8"),
        ((6, 4, 1, 0, 5), DISK, {"slow_steps": ["rotation", "color_jitter"]}, "rotation, color_jitter work image by image: "),
        ((6, 4, 1, 0, 5), DISK, {"slow_steps": ["rotation"]}, "rotation works image by image: "),
    ],
)
def test_what_would_help_is_said(spent: tuple[float, ...], keeping: Keeping, more: dict[str, Any], said: str) -> None:
    options: dict[str, Any] = {"slow_steps": [], "num_workers": 0, "num_cores": 2, **more}
    text = explanation(times(*spent), keeping, **options)
    assert text is not None
    assert text.startswith("time of the epoch: read ")
    assert "step 40 %; " in text
    assert said in text


def test_an_epoch_that_did_not_wait_needs_no_word() -> None:
    assert explanation(times(0.5, 9.5, 1, 1, 1), DISK, slow_steps=[], num_workers=0, num_cores=2) is None
    assert explanation(Times(), DISK, slow_steps=[], num_workers=0, num_cores=2) is None


STEPS: list[dict[str, Any]] = [{"type": "resize"}, {"type": "horizontal_flip"}, {"type": "to_tensor"}]


def test_processes_that_come_in_the_middle_of_an_epoch_change_no_batch(make_set: Make) -> None:
    images = make_set(60)
    pipeline = build_pipeline(STEPS, image_size=(8, 8), channels=3, statistics=None)
    options: dict[str, Any] = {"batch_size": 2, "seed": 0, "shuffle": True, "cache": "none", "cache_budget_mib": 1}
    auto, alone = Loader(images, pipeline, num_workers="auto", **options), Loader(images, pipeline, num_workers=0, **options)
    said: list[str] = []
    auto.prepare(say=said.append)
    auto.choice = Choice(num_cores=8)
    for epoch in (0, 1):
        for found, wanted in zip(auto.batches(epoch), alone.batches(epoch), strict=True):
            assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
    assert auto.processes.count > 0  # nothing was done with the batches, so making them took all the time
    assert said[-1].endswith("loader processes from here on (data.num_workers=auto)")
    auto.close()


def test_batches_are_made_on_one_thread_and_steps_computed_on_all(make_set: Make) -> None:
    found: list[int] = []

    @register("transform", "threads_for_feeding")
    def threads() -> Any:
        def note(image: torch.Tensor) -> torch.Tensor:
            found.append(torch.get_num_threads())
            return image

        return note

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        steps = [{"type": "resize"}, {"type": "threads_for_feeding"}, {"type": "to_tensor"}]
        pipeline = build_pipeline(steps, image_size=(8, 8), channels=3, statistics=None)
        loader = Loader(make_set(4), pipeline, batch_size=4, seed=0, shuffle=True, cache="none", cache_budget_mib=1)
        outside = [torch.get_num_threads() for _ in loader.batches(0)]
    finally:
        torch.set_num_threads(before)
    assert (set(found), outside) == ({1}, [2])


def test_a_loader_measures_itself(make_set: Make) -> None:
    images = make_set(20)
    pipeline = build_pipeline(STEPS, image_size=(8, 8), channels=3, statistics=None)
    for cache, num_workers in (("none", 0), ("none", 1), ("memory", 0)):
        loader = Loader(images, pipeline, batch_size=4, seed=0, shuffle=True, cache=cache, cache_budget_mib=1, num_workers=num_workers)
        list(loader.batches(0))
        spent = loader.times.spent
        assert loader.times.num_batches == 5
        assert loader.times.waiting > 0
        assert (spent.decode > 0) == (cache == "none")
        assert min(spent.read, spent.augment) > 0
        loader.close()
