"""Facts: one read and one decode tell all, and what is known holds until the file changes."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnntrain.data import facts, facts_store
from cnntrain.data.decode import read_image
from cnntrain.data.facts import BAD, DEEP, GOOD, MISNAMED, ROTATED, TRANSPARENT, UNKNOWN, Facts, examine_unknown, read_file
from cnntrain.data.images import ImageSet

MakeSet = Callable[..., ImageSet]
ORIENTATION = 0x0112


def test_one_read_gives_the_pixels_and_the_facts(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 90, 3), dtype=np.uint8)).save(path, exif=exif)
    found, row = read_file(path, 3, at_least=None)
    assert found is not None
    assert torch.equal(torch.from_numpy(found.pixels).permute(2, 0, 1), read_image(path, 3))
    assert (row["state"], row["height"], row["width"], row["frames"], row["mode"]) == (GOOD, 90, 40, 1, b"RGB")
    assert row["flags"] == ROTATED
    assert bytes(row["content"]) == hashlib.blake2b(path.read_bytes(), digest_size=16).digest()


@pytest.mark.parametrize("scale", [None, (32, 32)])
def test_the_size_is_that_of_the_whole_picture(tmp_path: Path, scale: tuple[int, int] | None) -> None:
    Image.new("RGB", (900, 700)).save(tmp_path / "x.jpg")
    found, row = read_file(tmp_path / "x.jpg", 3, at_least=scale)
    assert (row["height"], row["width"]) == (700, 900)
    assert found is not None
    assert found.pixels.shape[0] == (700 if scale is None else 88)


def test_flags_say_what_was_done(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 999, np.uint16)).save(tmp_path / "deep.png")
    Image.new("RGBA", (4, 4), (1, 2, 3, 9)).save(tmp_path / "clear.png")
    Image.new("RGBA", (4, 4), (1, 2, 3, 255)).save(tmp_path / "opaque.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "png.jpg", "PNG")
    flags = {path.stem: int(read_file(path, 3, at_least=None)[1]["flags"]) for path in tmp_path.iterdir()}
    assert flags == {"deep": DEEP, "clear": TRANSPARENT, "opaque": 0, "png": MISNAMED}


def test_a_bad_file_has_a_kind_and_a_reason(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(b"<html>")
    pixels, row = read_file(tmp_path / "x.jpg", 3, at_least=None)
    assert pixels is None
    assert (row["state"], row["kind"]) == (BAD, b"not_an_image")
    assert row["detail"] == b"an HTML page, not a picture"


def test_the_difference_hash_compares_neighbours_in_8_rows_of_9(tmp_path: Path) -> None:
    cells = np.random.default_rng(1).permutation(72).reshape(8, 9).astype(np.uint8) * 3
    image = np.kron(cells, np.ones((24, 24), np.uint8))
    found, thumbnail = facts.small_pictures(image)
    expected = np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes()
    assert int(found).to_bytes(8, "little") == expected
    small = np.asarray(Image.fromarray(image).resize((12, 12), Image.Resampling.BOX)).astype(int)
    assert np.abs(thumbnail.astype(int) - small).max() <= 1  # rounded once more


def known(images: ImageSet) -> Facts:
    found = facts.load(images)
    examine_unknown(images, found)
    return found


def test_what_is_known_is_read_from_the_users_cache_folder(make_set: MakeSet, own_cache: Path) -> None:
    images = make_set(20)
    before = known(images)
    assert len(list((own_cache / "facts").iterdir())) == 1
    after = facts.load(images)
    assert after.rows.tobytes() == before.rows.tobytes()
    assert len(after.unknown()) == 0


def test_a_file_with_another_size_or_time_is_unknown_again(make_set: MakeSet) -> None:
    images = make_set(6)
    known(images)
    status = images.path(2).stat()
    os.utime(images.path(2), ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    images.path(4).write_bytes(images.path(4).read_bytes() + b"\0")
    assert facts.load(images).unknown().tolist() == [2, 4]


def test_two_splits_of_one_folder_share_a_file(make_set: MakeSet, own_cache: Path) -> None:
    images = make_set(10)
    part, rest = images.take(np.arange(0, 4)), images.take(np.arange(4, 10))
    known(part)
    known(rest)
    assert len(facts.load(images).unknown()) == 0
    assert len(list((own_cache / "facts").iterdir())) == 1
    images.path(9).unlink()
    images.path(0).unlink()
    for directory in (part.directory, rest.directory):
        assert directory == images.directory
    (part.directory / part.files[1]).touch()
    known(part)  # what is gone from the disk is forgotten, but for the files asked for
    names, _ = facts_store.fetch(images, facts.FACT)
    assert sorted(names) == sorted(images.files[index] for index in range(9))


@pytest.mark.parametrize("damage", [b"", facts_store.MARK, b"nonsense" * 100])
def test_a_damaged_store_is_built_again(make_set: MakeSet, damage: bytes) -> None:
    images = make_set(4)
    known(images)
    stored = facts_store.facts_file(images)
    whole = stored.read_bytes()
    stored.write_bytes(damage)
    assert len(facts.load(images).unknown()) == 4
    known(images)
    assert len(facts.load(images).unknown()) == 0
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    stored.write_bytes(flipped)
    assert len(facts.load(images).unknown()) == 4


def test_no_cache_folder_is_no_fault(make_set: MakeSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("CNNTRAIN_CACHE_DIR", str(tmp_path / "file"))
    assert len(known(make_set(4)).unknown()) == 0


def test_another_pixel_limit_asks_again_only_where_it_matters(make_set: MakeSet) -> None:
    images = make_set(4, sizes=((8, 8), (20, 20)))
    known(images)
    strict = replace(images, max_pixels=100)
    assert facts.load(strict).unknown().tolist() == [1, 3]
    small = known(strict)
    assert small.rows["kind"][[1, 3]].tolist() == [b"too_large", b"too_large"]
    assert facts.load(images).unknown().tolist() == [1, 3]


def test_a_file_that_could_not_be_opened_is_tried_again(make_set: MakeSet) -> None:
    images = make_set(4)
    found = known(images)
    for index, kind in ((0, b"not_readable"), (1, b"truncated")):
        found.rows["state"][index], found.rows["kind"][index] = facts.BAD, kind
    found.changed = True
    found.save()
    assert facts.load(images).unknown().tolist() == [0]


def test_what_stops_an_examination_leaves_what_was_found(make_set: MakeSet) -> None:
    images = make_set(70)
    found = facts.load(images)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        examine_unknown(images, found, None, stop)
    assert len(images) - len(facts.load(images).unknown()) > 0


def test_progress_ends_at_all_of_them(make_set: MakeSet) -> None:
    images = make_set(70)
    told: list[tuple[int, int]] = []
    examine_unknown(images, facts.load(images), lambda done, total: told.append((done, total)))
    assert told[-1] == (70, 70)


def test_the_folder_of_facts_is_bounded(make_set: MakeSet, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = own_cache / "facts"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.facts").write_bytes(b"x" * 10_000)
        os.utime(folder / f"{number}.facts", ns=(number, number))
    monkeypatch.setattr(facts_store, "MOST_STORED", 25_000)
    images = make_set(4)
    known(images)
    assert {path.name for path in folder.iterdir()} == {"3.facts", "4.facts", facts_store.facts_file(images).name}


def test_unknown_rows_are_unknown(make_set: MakeSet) -> None:
    images = make_set(3)
    found = facts.load(images)
    assert found.unknown().tolist() == [0, 1, 2]
    found.record(1, read_file(images.path(1), 3, at_least=None)[1])
    assert (found.unknown().tolist(), found.bad().tolist()) == ([0, 2], [])
    assert found.rows["state"].tolist() == [UNKNOWN, GOOD, UNKNOWN]
