"""Images in parts: shares by class, groups that stay together, folds and limits, all by the seed alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnntrain import randomness
from cnntrain.config.schema import DataConfig
from cnntrain.data.divide import divide, limited, strata
from cnntrain.data.folder import scan_train_val
from cnntrain.data.images import ImageSet, Names
from cnntrain.data.splits import Groups, fewer, folds, grouped_folds, place_in_class, set_apart, set_groups_apart
from cnntrain.errors import DataError

label_lists = st.lists(st.integers(0, 6), min_size=1, max_size=60)


def image_set(targets: np.ndarray, task: str = "classification") -> ImageSet:
    classes = tuple(f"c{n}" for n in range(int(targets.max(initial=0)) + 1 if targets.ndim == 1 else targets.shape[1]))
    return ImageSet("train", Path("/d"), classes, Names.of(f"{n:05}" for n in range(len(targets))), targets, task=task)


def test_the_place_in_the_class_counts_those_before() -> None:
    assert place_in_class(np.array([2, 0, 2, 2, 0])).tolist() == [0, 0, 1, 2, 1]


@settings(deadline=None, max_examples=60)
@given(label_lists, st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.integers(0, 3))
def test_a_share_is_set_apart_as_a_loop_over_classes_would(labels: list[int], share: float, seed: int) -> None:
    """In each class the images with the smallest keys, written as a loop."""
    wanted = np.zeros(len(labels), bool)
    for label in set(labels):
        own = [place for place, other in enumerate(labels) if other == label]
        keys = [randomness.key(seed, randomness.SPLIT, label, number) for number in range(len(own))]
        count = max(0, min(len(own) - 1, max(1, int(len(own) * share + 0.5))))
        for number in sorted(range(len(own)), key=keys.__getitem__)[:count]:
            wanted[own[number]] = True
    assert set_apart(np.array(labels), share, seed).tolist() == wanted.tolist()


@settings(deadline=None, max_examples=60)
@given(label_lists, st.integers(2, 7), st.integers(0, 3))
def test_folds_hold_equally_many_of_all_and_of_each_class(labels: list[int], num_folds: int, seed: int) -> None:
    found = folds(np.array(labels), num_folds, seed)
    sizes = np.bincount(found, minlength=num_folds)
    assert sizes.max() - sizes.min() <= 1
    for label in set(labels):
        of_class = np.bincount(found[np.array(labels) == label], minlength=num_folds)
        assert of_class.max() - of_class.min() <= 1


grouped = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8)), min_size=1, max_size=60)


def as_groups(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    labels = np.array([label for label, _ in pairs])
    return labels, np.unique([group for _, group in pairs], return_inverse=True)[1]


@settings(deadline=None, max_examples=60)
@given(grouped, st.integers(2, 5))
def test_no_group_is_in_two_folds(pairs: list[tuple[int, int]], num_folds: int) -> None:
    labels, groups = as_groups(pairs)
    found = grouped_folds(Groups(labels, groups), num_folds, 0)
    assert all(len(set(found[groups == group])) == 1 for group in set(groups.tolist()))
    assert found.max() < num_folds
    if groups.max() + 1 >= num_folds:
        assert len(set(found.tolist())) == num_folds  # no fold is empty


@settings(deadline=None, max_examples=60)
@given(grouped, st.sampled_from([0.1, 0.2, 0.5, 0.9]))
def test_no_group_is_on_both_sides_and_every_class_is_trained_on(pairs: list[tuple[int, int]], share: float) -> None:
    labels, groups = as_groups(pairs)
    is_val = set_groups_apart(Groups(labels, groups), share, 0)
    assert not set(groups[is_val].tolist()) & set(groups[~is_val].tolist())
    assert set(labels[~is_val].tolist()) == set(labels.tolist())


def test_grouped_parts_come_close_to_their_share_of_each_class() -> None:
    generator = np.random.default_rng(0)
    groups = generator.integers(0, 200, 4000)
    labels = generator.integers(0, 5, 4000)
    is_val = set_groups_apart(Groups(labels, groups), 0.2, 1)
    shares = np.bincount(labels[is_val]) / np.bincount(labels)
    assert np.abs(shares - 0.2).max() < 0.03
    found = grouped_folds(Groups(labels, groups), 5, 1)
    for fold in range(5):
        assert np.abs(np.bincount(labels[found == fold]) / np.bincount(labels) - 0.2).max() < 0.03


def test_groups_go_where_their_class_is_rarest_so_far() -> None:
    """By hand: groups of 10, 8, 6 and 4 images of class 0 and of 9, 7, 5 and 3 of class 1 part evenly, 14 + 12 images each."""
    sizes, classes = [10, 8, 6, 4, 9, 7, 5, 3], [0, 0, 0, 0, 1, 1, 1, 1]
    labels, groups = np.repeat(classes, sizes), np.repeat(np.arange(8), sizes)
    found = grouped_folds(Groups(labels, groups), 2, 0)
    assert np.bincount(labels[found == 0]).tolist() == np.bincount(labels[found == 1]).tolist() == [14, 12]


@settings(deadline=None, max_examples=60)
@given(label_lists, st.data())
def test_a_limit_keeps_each_class_its_share(labels: list[int], data: st.DataObject) -> None:
    of_all, classes = np.array(labels), len(set(labels))
    count = data.draw(st.integers(classes, len(labels)))
    chosen = fewer(of_all, count, 0, each=1)
    assert len(chosen) == len(set(chosen.tolist())) == count
    assert chosen.tolist() == sorted(chosen.tolist())
    kept = np.bincount(of_all[chosen], minlength=7)
    exact = np.bincount(of_all, minlength=7) * count / len(labels)
    assert ((kept > 0) == (exact > 0)).all()
    if exact[exact > 0].min() >= 1:
        assert np.abs(kept - exact).max() < 1


def test_parts_hang_on_the_seed_alone() -> None:
    labels = np.arange(200) % 4
    for part in (lambda seed: folds(labels, 5, seed), lambda seed: fewer(labels, 50, seed), lambda seed: set_apart(labels, 0.2, seed)):
        assert part(0).tolist() == part(0).tolist()
        assert part(0).tolist() != part(1).tolist()


def test_each_image_validates_in_one_fold() -> None:
    images = image_set(np.arange(50) % 3)
    seen = [file for fold in range(4) for file in divide(images, DataConfig(folds=4, fold=fold), 0, missing="", place="d")[1].files]
    assert sorted(seen) == list(images.files)
    train, val, (told,) = divide(images, DataConfig(folds=4, fold=1), 0, missing="", place="d", unused="d/val")
    assert sorted([*train.files, *val.files]) == list(images.files)
    assert (train.split, val.split) == ("train", "val")
    assert told.kind == "folds"
    assert told.detail == "fold 1 of data.folds=4 validates: 13 of 50 images, 37 train (class by class, seed=0); d/val is not used"


def test_a_fold_that_takes_all_images_of_a_class_says_so() -> None:
    images = image_set(np.array([0] * 9 + [1]))
    details = [divide(images, DataConfig(folds=2, fold=fold), 0, missing="", place="d")[2][0].detail for fold in (0, 1)]
    assert sum("; no image of c1 is left to train on" in detail for detail in details) == 1


def test_several_classes_are_shared_out_by_the_rarest() -> None:
    targets = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [1, 0, 1], [1, 1, 1]], np.float32)
    # classes 1 and 2 are the rarest, two images each; an image without class is of a stratum of its own
    assert strata(image_set(targets, "multilabel")).tolist() == [0, 1, 3, 2, 1]
    assert strata(image_set(np.zeros((3, 2), np.float32), "regression")).tolist() == [0, 0, 0]


def put(root: Path) -> Path:
    for split, count in (("train", 12), ("val", 4)):
        for name in "ab":
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                (root / split / name / f"{number}.png").touch()
    return root


def scanned(root: Path, **keys: Any) -> tuple[ImageSet, ImageSet, dict[str, str], dict[str, int]]:
    scan = scan_train_val(DataConfig(root=str(root), **keys), seed=0).usable()
    return *scan.pair(), {f.kind: f.detail for f in scan.findings}, scan.left_out


def test_folds_of_a_folder_leave_its_val_folder_alone_aloud(tmp_path: Path) -> None:
    train, val, told, _ = scanned(put(tmp_path), folds=3, fold=0)
    assert (train.counts(), val.counts()) == ({"a": 8, "b": 8}, {"a": 4, "b": 4})
    assert val.directory == tmp_path / "train"
    assert told["folds"].endswith(f"; {tmp_path}/val is not used")


def test_a_limit_takes_as_large_a_share_of_val_and_counts_the_others_as_left_out(tmp_path: Path) -> None:
    train, val, told, left_out = scanned(put(tmp_path), limit=6)
    assert (train.counts(), val.counts()) == ({"a": 3, "b": 3}, {"a": 1, "b": 1})
    assert left_out == {"train": 18, "val": 6}
    assert told["limit"] == "data.limit=6: 6 of 24 training and 2 of 8 validation images are used, for a quick try"
    assert "data.limit=24 has no effect: there are 24 training images" in scanned(tmp_path, limit=24)[2]["limit"]


def test_what_cannot_be_parted_is_refused(tmp_path: Path) -> None:
    root = put(tmp_path)
    with pytest.raises(DataError, match=r"data.limit=1 leaves no image of some of the 2 classes; give data.limit=2 or more"):
        scanned(root, limit=1)
    with pytest.raises(DataError, match=r"data.folds=30 needs as many images, and there are 24; give fewer"):
        scanned(root, folds=30, fold=0)
    alone = divide(image_set(np.array([0, 0, 1])), DataConfig(), 0, missing="", place="d", groups=np.array([0, 0, 1]))[2]
    assert "data.group_column=group: no group can be set apart for validation without taking all images of a class" in alone[0].detail
    few = divide(image_set(np.array([0, 0, 1])), DataConfig(folds=3, fold=0), 0, missing="", place="d", groups=np.array([0, 0, 1]))[2]
    assert few[0].detail == "data.folds=3 needs as many groups, and there are 2; give fewer"


def test_a_hundred_thousand_classes_are_parted_without_a_loop_over_them() -> None:
    images = image_set(np.repeat(np.arange(100_000), 2))
    train, val, _ = divide(images, DataConfig(), 0, missing="", place="d")
    assert len(train) == len(val) == 100_000
    assert len(limited(train, val, DataConfig(limit=150_000), 0)[0]) == 100_000
