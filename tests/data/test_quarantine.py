"""Images that cannot be read: the same stand-ins for any number of processes, any cache, and whenever they are met."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from cnntrain import randomness
from cnntrain.data import keyed
from cnntrain.data.images import ImageSet
from cnntrain.data.keyed_images import Batch
from cnntrain.data.loaders import Loader
from cnntrain.data.pipeline import build_pipeline
from cnntrain.data.quarantine import Bad
from cnntrain.errors import CannotGoOn

Make = Callable[..., ImageSet]
TO_TENSOR = {"type": "to_tensor"}
FLIPS = [{"type": "resize"}, {"type": "horizontal_flip"}, TO_TENSOR]
SHIFTS = [{"type": "resize"}, {"type": "random_crop", "padding": 8}, TO_TENSOR]
CROPS = [{"type": "random_resized_crop"}, TO_TENSOR, {"type": "normalize", "mean": "data"}]


@pytest.fixture
def load() -> Iterator[Callable[..., Loader]]:
    made: list[Loader] = []

    def make(images: ImageSet, steps: list[dict[str, Any]] = FLIPS, **keywords: Any) -> Loader:
        pipeline = build_pipeline(steps, image_size=(8, 8), channels=3, statistics=None)
        options = {"batch_size": 5, "seed": 0, "shuffle": True, "cache": "none", "cache_budget_mib": 1, "max_bad": 0.5, **keywords}
        made.append(Loader(images, pipeline, **options))
        return made[-1]

    yield make
    for loader in made:
        loader.close()


Load = Callable[..., Loader]


def epochs(loader: Loader, *numbers: int) -> list[Batch]:
    return [batch for number in numbers for batch in loader.batches(number)]


def same(left: list[Batch], right: list[Batch]) -> bool:
    return all(torch.equal(a, b) for x, y in zip(left, right, strict=True) for a, b in zip(x, y, strict=True))


def spoil(images: ImageSet, *indices: int) -> None:
    for index in indices:
        images.path(index).write_bytes(b"no image")


def shown(loader: Loader, epoch: int) -> list[int]:
    return [int(index) for _, _, indices in loader.batches(epoch) for index in indices]


def test_a_stand_in_is_the_first_good_one_of_a_keyed_sequence(make_set: Make, load: Load) -> None:
    images = make_set(20)
    bad = (3, 4, 11)
    spoil(images, *bad)
    for epoch in (0, 1, 7):
        wanted = []
        for index in keyed.epoch_order(0, epoch, 20).tolist():
            attempt, found = 0, index
            while found in bad:
                found, attempt = randomness.key(0, 9, epoch, index, attempt) % 20, attempt + 1
            wanted.append(found)
        assert shown(load(images), epoch) == wanted


def test_a_stand_in_comes_with_its_own_label_and_its_own_augmentation(make_set: Make, load: Load) -> None:
    images = make_set(9)
    spoil(images, 0, 1)
    for _, labels, indices in load(images).batches(1):
        assert labels.tolist() == [images.labels[index] for index in indices]
    order = keyed.epoch_order(0, 1, 9)
    (pixels, _, indices), *_ = load(images, SHIFTS, batch_size=9).batches(1)
    stand_in = next(place for place in range(9) if order[place] in (0, 1))
    twin = order.tolist().index(int(indices[stand_in]))
    assert indices[twin] == indices[stand_in]
    assert not torch.equal(pixels[twin], pixels[stand_in])  # the key is that of the place


@pytest.mark.parametrize("steps", [FLIPS, CROPS], ids=["flips", "crops"])
def test_processes_and_caches_change_nothing_where_files_are_bad(make_set: Make, load: Load, steps: list[dict[str, Any]]) -> None:
    images = make_set(23, sizes=((8, 8), (9, 12)))
    spoil(images, 2, 9, 10, 22)
    wanted = epochs(load(images, steps), 0, 1)
    for cache in ("none", "memory", "disk"):
        for num_workers in (0, 1, 2):
            loader = load(images, steps, cache=cache, num_workers=num_workers)
            assert same(wanted, epochs(loader, 0, 1))
            met = {index: bad.detail for index, bad in loader.quarantine.bad.items()}
            assert sorted(met) == [2, 9, 10, 22], (cache, num_workers)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_file_that_turns_bad_later_gives_what_it_had_given_if_bad_before(make_set: Make, load: Load, num_workers: int) -> None:
    images = make_set(20)
    loader = load(images, num_workers=num_workers)
    assert sorted(shown(loader, 0)) == list(range(20))
    spoil(images, 5, 6)
    later = epochs(loader, 1, 2)
    assert same(later, epochs(load(images), 1, 2))
    assert sorted(loader.quarantine.bad) == [5, 6]


@pytest.mark.parametrize("cache", ["none", "memory", "disk"])
@pytest.mark.parametrize("num_workers", [0, 1])
def test_evaluation_leaves_bad_images_out(make_set: Make, load: Load, cache: str, num_workers: int) -> None:
    images = make_set(12)
    spoil(images, 0, 5, 6, 7, 8, 9)  # also the whole second batch
    loader = load(images, shuffle=False, cache=cache, num_workers=num_workers)
    assert [indices.tolist() for _, _, indices in loader.batches(0)] == [[1, 2, 3, 4], [10, 11]]
    assert [note["file"] for note in loader.quarantine.plain()] == [images.files[index] for index in (0, 5, 6, 7, 8, 9)]


def test_what_is_left_out_does_not_change_the_others(make_set: Make, load: Load) -> None:
    images = make_set(12)

    def by_index() -> dict[int, torch.Tensor]:
        found = load(images, shuffle=False).batches(0)
        return {int(index): image for pixels, _, indices in found for image, index in zip(pixels, indices, strict=True)}

    whole = by_index()
    spoil(images, 0, 1, 7)
    rest = by_index()
    assert sorted(rest) == [2, 3, 4, 5, 6, 8, 9, 10, 11]
    assert all(torch.equal(whole[index], image) for index, image in rest.items())


def test_each_bad_image_is_told_once_and_also_those_met_before_someone_listened(make_set: Make, load: Load) -> None:
    images = make_set(20)
    spoil(images, 3)
    loader = load(images)
    told: list[tuple[int, Bad]] = []
    epochs(loader, 0)
    loader.quarantine.listen(lambda index, bad: told.append((index, bad)))
    assert [index for index, _ in told] == [3]
    spoil(images, 4)
    epochs(loader, 1, 2)
    assert [index for index, _ in told] == [3, 4]
    assert "not a picture" in told[0][1].detail


@pytest.mark.parametrize("cache", ["none", "memory"])
@pytest.mark.parametrize("num_workers", [0, 1])
def test_more_bad_images_than_allowed_end_the_run_with_a_sentence(make_set: Make, load: Load, cache: str, num_workers: int) -> None:
    images = make_set(20)
    spoil(images, 0, 1, 2, 3)
    epochs(load(images, cache=cache, num_workers=num_workers, max_bad=0.2), 0, 1)  # 4 of 20 are a fifth, and no more
    spoil(images, 4)
    sentence = r"5 of 20 images of train cannot be read: (\S+/a/00\d.png \(text, not a picture\),? ?){3} and 2 more; "
    with pytest.raises(CannotGoOn, match=sentence + r"more than data.max_bad=0.2 of them; mend or remove them, or type data.max_bad=0.25$"):
        epochs(load(images, cache=cache, num_workers=num_workers, max_bad=0.2, shuffle=False), 0, 1)


@pytest.mark.parametrize("cache", ["none", "memory", "disk"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_a_set_without_any_readable_image_ends_with_a_sentence(make_set: Make, load: Load, cache: str, shuffle: bool) -> None:
    images = make_set(4)
    spoil(images, 0, 1, 2, 3)
    with pytest.raises(CannotGoOn, match=r"^4 of 4 images of train cannot be read: .* look at them with `cnntrain data check`$"):
        epochs(load(images, cache=cache, shuffle=shuffle, max_bad=1.0, batch_size=2), 0)


def test_mean_and_std_are_those_of_the_images_that_can_be_read(make_set: Make, load: Load) -> None:
    images = make_set(9)
    wanted = load(images.take(torch.arange(1, 9).numpy()), CROPS).measure()
    spoil(images, 0)
    assert all(load(images, CROPS, cache=cache).measure() == wanted for cache in ("none", "memory", "disk"))
