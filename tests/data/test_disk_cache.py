"""Decoded images on disk: never stale, never half-built, never removed while in use."""

import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cnntrain.data import cache, disk_cache, disk_room, file_lock
from cnntrain.data.cache import keep
from cnntrain.data.decoded import Decoded
from cnntrain.data.images import ImageSet, Names
from cnntrain.data.pipeline import Pipeline, build_pipeline
from cnntrain.data.quarantine import Bad
from cnntrain.errors import CannotGoOn, ConfigError

Make = Callable[..., ImageSet]
TO_TENSOR = {"type": "to_tensor"}
EVEN = [{"type": "resize"}, TO_TENSOR]
UNEVEN = [{"type": "resize", "mode": "shorter"}, {"type": "random_crop"}, TO_TENSOR]
SIZES = ((8, 8), (9, 12), (15, 10))


def pipeline(steps: list[dict[str, Any]], size: int = 8, channels: int = 3) -> Pipeline:
    return build_pipeline(steps, image_size=(size, size), channels=channels, statistics=None)


class Kept:
    """What `keep` gave and said."""

    def __init__(self, images: ImageSet, steps: list[dict[str, Any]] = EVEN, *, cache_word: str = "auto", budget_mib: int = 1, **more: Any):
        self.said: list[str] = []
        self.pipeline = pipeline(steps, **more)
        keeping = cache.decide(images, self.pipeline, cache_word, budget_mib)
        decoded, self.bad = keep(
            images, self.pipeline, keeping, cache=cache_word, budget_mib=budget_mib, progress=None, say=self.said.append
        )
        assert decoded is not None
        self.decoded: Decoded = decoded

    @property
    def was_there(self) -> bool:
        return any("are decoded already" in line for line in self.said)

    def shows(self, images: ImageSet) -> bool:
        """Whether it holds what the files hold now."""
        return all(
            torch.equal(self.decoded.image(index), cache.read_one(images, self.pipeline, index))
            for index in range(len(images))
            if index not in self.bad
        )


def folder(kept: Kept) -> Path:
    assert kept.decoded.entry is not None
    return kept.decoded.entry.folder


def damage(path: Path, place: int) -> None:
    with open(path, "r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1]))


@pytest.mark.parametrize("steps", [EVEN, UNEVEN], ids=["even", "uneven"])
def test_a_second_run_takes_what_the_first_decoded(make_set: Make, steps: list[dict[str, Any]]) -> None:
    images = make_set(9, sizes=SIZES)
    first, second = Kept(images, steps), Kept(images, steps)
    assert (first.was_there, second.was_there) == (False, True)
    assert first.shows(images)
    assert second.shows(images)


def test_a_file_of_another_size_or_time_is_decoded_anew(make_set: Make) -> None:
    images = make_set(6)
    Kept(images)
    Image.new("RGB", (8, 8), "red").save(images.path(2))
    changed = Kept(images)
    assert not changed.was_there
    assert changed.shows(images)
    status = images.path(3).stat()
    pixels = np.array(Image.open(images.path(3)))
    Image.fromarray(255 - pixels).save(images.path(3))
    os.truncate(images.path(3), images.path(3).stat().st_size)
    os.utime(images.path(3), ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert not Kept(images).was_there


def test_the_scans_own_sizes_and_times_serve_as_well(make_set: Make) -> None:
    images = make_set(6)
    Kept(images)
    sizes, mtimes = disk_cache.stamps(images)
    assert sizes.tolist() == [images.path(i).stat().st_size for i in range(6)]
    assert Kept(replace(images, sizes=sizes, mtimes=mtimes)).was_there
    assert not Kept(replace(images, sizes=sizes, mtimes=mtimes + 1)).was_there


@pytest.mark.parametrize(
    "other",
    [
        {"size": 9},
        {"channels": 1},
        {"steps": [{"type": "resize", "factor": 1.25}, {"type": "center_crop"}, TO_TENSOR]},
        {"steps": [{"type": "resize", "interpolation": "bicubic"}, TO_TENSOR]},
        {"steps": UNEVEN},
        {"steps": [{"type": "random_resized_crop"}, TO_TENSOR]},
        {"steps": [{"type": "random_resized_crop", "read_size": 9}, TO_TENSOR]},
    ],
    ids=str,
)
def test_another_head_is_another_entry(make_set: Make, other: dict[str, Any]) -> None:
    images = make_set(6, sizes=SIZES)
    Kept(images)
    found = Kept(images, **other)
    assert not found.was_there
    assert found.shows(images)


def test_steps_behind_the_head_share_an_entry(make_set: Make) -> None:
    images = make_set(6)
    Kept(images)
    assert Kept(images, [{"type": "resize"}, {"type": "horizontal_flip"}, TO_TENSOR]).was_there


def test_other_libraries_or_another_decoder_decode_anew(make_set: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    images = make_set(6)
    Kept(images)
    monkeypatch.setattr("PIL.__version__", "0.1")
    assert not Kept(images).was_there
    monkeypatch.undo()
    monkeypatch.setattr(cache, "DECODING", cache.DECODING + 1)
    assert not Kept(images).was_there


def test_an_added_renamed_or_moved_file_is_another_set(make_set: Make) -> None:
    images = make_set(6)
    Kept(images)
    assert not Kept(images.take(np.arange(5))).was_there
    assert not Kept(images.take(np.arange(6)[::-1])).was_there
    names = list(images.files)
    os.rename(images.path(0), images.directory / "a/new.png")
    assert not Kept(replace(images, files=Names.of(["a/new.png", *names[1:]]))).was_there


@pytest.mark.parametrize("steps", [EVEN, UNEVEN], ids=["even", "uneven"])
@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: damage(folder / "pixels.bin", 100),
        lambda folder: damage(folder / "pixels.bin", (folder / "pixels.bin").stat().st_size - 1),
        lambda folder: os.truncate(folder / "pixels.bin", (folder / "pixels.bin").stat().st_size - 1),
        lambda folder: damage(folder / "places.npy", 140),
        lambda folder: damage(folder / "manifest.json", 60),
        lambda folder: (folder / "places.npy").unlink(),
        lambda folder: (folder / "manifest.json").write_bytes(b""),
        lambda folder: (folder / "manifest.json").write_bytes(b"[1]"),
        lambda folder: shutil.rmtree(folder),
    ],
    ids=["bit", "last bit", "cut", "table", "manifest", "no table", "empty manifest", "odd manifest", "gone"],
)
def test_what_was_damaged_is_seen_and_built_anew(make_set: Make, harm: Callable[[Path], None], steps: list[dict[str, Any]]) -> None:
    images = make_set(9, sizes=SIZES)
    place = folder(Kept(images, steps))
    harm(place)
    again = Kept(images, steps)
    assert not again.was_there
    assert again.shows(images)
    assert Kept(images, steps).was_there


def test_after_a_restart_of_the_machine_every_pixel_is_checked(make_set: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    images = make_set(40)
    monkeypatch.setattr(disk_cache, "SAMPLED_MIB", 0)  # one image at each opening
    place = folder(Kept(images))
    damage(place / "pixels.bin", 7 * 3 * 64)
    if (place / "checked").read_text():
        (place / "checked").write_text("another start")
    assert not Kept(images).was_there


def test_an_entry_in_use_that_was_damaged_is_left_and_memory_serves(make_set: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    images = make_set(6)
    first = Kept(images)
    damage(folder(first) / "pixels.bin", 0)
    monkeypatch.setattr(disk_cache, "MOST_TRIES", 2)
    second = Kept(images)
    assert second.decoded.entry is None
    assert second.shows(images)
    assert "is damaged and in use; type `cnntrain data cache clear`" in second.said[0]


def test_unreadable_images_are_marked_not_raised(make_set: Make) -> None:
    images = make_set(9, sizes=SIZES)
    images.path(2).write_bytes(b"")
    images.path(8).write_bytes(b"no image")
    for steps in (EVEN, UNEVEN):
        first, second = Kept(images, steps), Kept(images, steps)
        assert list(first.bad) == list(second.bad) == [2, 8]
        assert first.bad == second.bad
        assert first.bad[2] == Bad(first.bad[2].kind, "empty file")
        assert second.was_there
        assert second.shows(images)


@pytest.mark.parametrize(("kind", "is_decoded"), [("not_readable", True), ("broken", False)])
def test_a_file_that_may_be_read_again_is_decoded(make_set: Make, kind: str, is_decoded: bool) -> None:
    images = make_set(6)
    first = Kept(images)  # and now as if the file had not been readable then; its rights change neither size nor time
    assert first.decoded.entry is not None
    facts = {name: first.decoded.entry.manifest[name] for name in ("channels", "size", "about")}
    disk_cache.finish(folder(first), np.array(first.decoded.places), {**facts, "bad": [[2, kind, "Permission denied"]]})
    del first
    again = Kept(images)
    assert (not again.bad) == is_decoded
    assert again.shows(images)


def test_a_failed_build_leaves_nothing_usable(make_set: Make) -> None:
    images = make_set(40)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    keeping = cache.decide(images, pipeline(EVEN), "auto", 1)
    with pytest.raises(KeyboardInterrupt):
        keep(images, pipeline(EVEN), keeping, cache="auto", budget_mib=1, progress=stop, say=print)
    assert disk_room.entries() == []
    assert not Kept(images).was_there


def wait_for_a_half_built_entry() -> Path:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        parts = list(disk_room.images_folder().glob("*.part/pixels.bin"))
        if parts:
            return parts[0].parent
        time.sleep(0.01)
    raise AssertionError("no builder came")


def build_slowly(images: ImageSet, seconds: float) -> Decoded | None:
    keeping = cache.decide(images, pipeline(EVEN), "auto", 1)

    def progress(done: int, total: int) -> None:
        time.sleep(seconds)

    return keep(images, pipeline(EVEN), keeping, cache="auto", budget_mib=1, progress=progress, say=lambda _: None)[0]


def test_of_two_runs_at_once_one_decodes_and_the_other_waits_and_says_so(make_set: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    images = make_set(70)  # three tasks of decoding
    monkeypatch.setattr(cache, "SECONDS_TO_MENTION", 0.1)
    with ThreadPoolExecutor(1) as other:  # a lock is held by an open file, so a thread is as good as a process
        first = other.submit(build_slowly, images, 0.2)
        wait_for_a_half_built_entry()
        second = Kept(images)
        assert second.said[0] == "train: another run decodes the same images now; waiting for it"
        assert second.was_there
        assert second.shows(images)
        decoded = first.result()
    assert decoded is not None
    assert torch.equal(decoded.pixels, second.decoded.pixels)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
def test_a_builder_that_was_killed_leaves_nothing_in_the_way(make_set: Make) -> None:
    images = make_set(70)
    builder = multiprocessing.get_context("fork").Process(target=build_slowly, args=(images, 30.0))
    builder.start()
    part = wait_for_a_half_built_entry()
    builder.kill()
    builder.join()
    assert part.is_dir()
    again = Kept(images)
    assert not again.was_there
    assert again.shows(images)
    assert not part.exists()


def test_the_longest_unused_entries_make_room_and_none_in_use_does(make_set: Make) -> None:
    images = make_set(6)
    sizes = {}
    for side in (8, 9, 10):
        place = folder(Kept(images, size=side))
        os.utime(place / "checked", (side, side))
        sizes[side] = place
    used = Kept(images, size=8)  # the oldest, and in use
    os.utime(sizes[8] / "checked", (8, 8))
    total = sum(each.size for each in disk_room.entries())
    disk_room.make_room(1, total)
    assert [side for side, place in sizes.items() if place.exists()] == [8, 10]
    disk_room.make_room(total, total)
    assert [side for side, place in sizes.items() if place.exists()] == [8]
    assert used.shows(images)
    assert sorted(path.name for path in disk_room.images_folder().iterdir()) == [sizes[8].name, f"{sizes[8].name}.lock"]


def test_a_set_too_large_for_the_disk_goes_to_memory_and_says_so(make_set: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    images = make_set(6)
    monkeypatch.setattr(disk_room, "RESERVE", 1.0)  # of the disk: nothing may be written
    found = Kept(images)
    assert found.decoded.entry is None
    assert found.said[0].startswith("train: decoded images are kept in memory instead of on disk (")
    with pytest.raises(CannotGoOn, match=r"^data.cache=disk: .*0 MiB are free; set CNNTRAIN_CACHE_DIR to another disk, or type data.cache"):
        Kept(images, cache_word="disk")


def test_a_folder_that_cannot_be_written_is_told_once(make_set: Make, own_cache: Path) -> None:
    images = make_set(6)
    (own_cache / "images").write_text("in the way")
    keeping = cache.decide(images, pipeline(EVEN), "auto", 1)
    assert (keeping.where, keeping.surprising) == ("memory", True)
    assert f"as nothing can be written to {own_cache}/images (File exists; set CNNTRAIN_CACHE_DIR)" in keeping.note
    assert Kept(images).shows(images)
    with pytest.raises(ConfigError, match=r"data.cache=disk: \S+/images: File exists; set CNNTRAIN_CACHE_DIR, or type data.cache=memory"):
        Kept(images, cache_word="disk")


def test_a_lock_is_of_the_file_that_lies_there_now(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    first = file_lock.take(path, alone=True)
    assert first is not None
    assert file_lock.take(path, alone=False) is None
    path.unlink()
    second = file_lock.take(path, alone=True)
    assert second is not None
    second.release()
    both = [file_lock.take(path, alone=False) for _ in range(2)]
    assert None not in both
    assert file_lock.take(path, alone=True) is None


def test_a_lock_whose_file_is_removed_in_the_moment_of_taking_is_not_taken_for_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    path, flock = tmp_path / "a.lock", fcntl.flock
    calls: list[int] = []

    def remove_first(handle: int, operation: int) -> None:
        if not calls:
            path.unlink()
        calls.append(handle)
        flock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    lock = file_lock.take(path, alone=True)
    assert lock is not None
    assert len(calls) == 2
    assert file_lock.take(path, alone=True) is None


def test_an_entry_says_what_it_is(make_set: Make) -> None:
    images = make_set(6)
    kept = Kept(images)
    (found,) = disk_room.entries()
    assert found.about == f"train of {images.directory}"
    assert found.size > 6 * 3 * 64
    assert abs(found.last_used - time.time()) < 60
    manifest = json.loads(json.loads((folder(kept) / "manifest.json").read_text())["manifest"])
    assert (manifest["count"], manifest["bytes"]) == (6, 6 * 3 * 64)
