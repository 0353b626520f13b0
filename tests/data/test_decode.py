"""Decoding: every kind of file becomes the pixels that a viewer shows, or a reason."""

import io
import os
import pickle
import socket
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from dirt import coded, drawing
from PIL import Image, features

from cnntrain.data import pixels
from cnntrain.data.decode import BadImage, decode, quiet_decoders, read_image, resolve_channels
from cnntrain.data.findings import KINDS
from cnntrain.data.images import ImageSet, Names

ORIENTATION = 0x0112
RED, BLUE = (255, 0, 0), (0, 0, 255)


def saved(path: Path, pixels: object, mode: str | None = None, **keywords: object) -> Path:
    image = Image.fromarray(np.asarray(pixels))
    (image if mode is None else image.convert(mode)).save(path, **keywords)  # type: ignore[arg-type]
    return path


def colour(pixels: object) -> np.ndarray:
    return np.asarray(pixels, dtype=np.uint8)


def test_colour_comes_as_channels_height_width(tmp_path: Path) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    image = read_image(saved(tmp_path / "x.png", pixels), 3)
    assert image.dtype == torch.uint8
    assert image.tolist() == pixels.transpose(2, 0, 1).tolist()


def test_gray_and_colour_change_into_each_other(tmp_path: Path) -> None:
    gray = saved(tmp_path / "g.png", colour([[0, 7], [200, 255]]))
    assert read_image(gray, 1).tolist() == [[[0, 7], [200, 255]]]
    assert read_image(gray, 3).tolist() == [[[0, 7], [200, 255]]] * 3
    # ITU-R 601: 0.299 R + 0.587 G + 0.114 B
    assert read_image(saved(tmp_path / "c.png", colour([[RED, BLUE]])), 1).tolist() == [[[76, 29]]]


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [(1, [[1, 2, 3], [4, 5, 6]]), (3, [[6, 5, 4], [3, 2, 1]]), (6, [[4, 1], [5, 2], [6, 3]]), (8, [[3, 6], [2, 5], [1, 4]])],
)
def test_exif_orientation_turns_the_picture_upright(tmp_path: Path, orientation: int, upright: list[list[int]]) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    assert read_image(saved(tmp_path / "x.png", colour([[1, 2, 3], [4, 5, 6]]), exif=exif), 1)[0].tolist() == upright


def test_broken_exif_beside_good_pixels_does_no_harm(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.jpg", np.full((8, 8), 100, np.uint8), exif=b"Exif\0\0garbage that is no TIFF")
    assert read_image(path, 1).tolist() == [[[100] * 8] * 8]


def test_transparent_parts_are_white_whatever_lies_below(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.png", colour([[(255, 0, 0, 0), (255, 0, 0, 255), (0, 0, 0, 51)]]))
    assert read_image(path, 3)[:, 0].T.tolist() == [[255, 255, 255], [255, 0, 0], [204, 204, 204]]  # 51 / 255 is a fifth
    gray = saved(tmp_path / "la.png", colour([[(9, 0), (9, 255)]]))
    assert read_image(gray, 1).tolist() == [[[255, 9]]]


@pytest.mark.parametrize("transparency", [1, bytes([255, 0])])
def test_a_transparent_palette_colour_is_white(tmp_path: Path, transparency: int | bytes) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "x.png", transparency=transparency)
    assert read_image(tmp_path / "x.png", 3)[:, 0].T.tolist() == [[255, 0, 0], [255, 255, 255]]


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_gray_keeps_its_upper_byte(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path / f"x.{suffix}", np.array([[0, 255, 256, 0x7FFF, 0xFFFF]], dtype=np.uint16))
    assert read_image(path, 1).tolist() == [[[0, 0, 1, 127, 255]]]
    assert read_image(path, 3).shape == (3, 1, 5)


def test_16_bit_pgm_keeps_its_upper_byte(tmp_path: Path) -> None:
    (tmp_path / "x.pgm").write_bytes(b"P5 2 1 65535\n" + struct.pack(">HH", 0x1234, 0xFFFF))
    assert read_image(tmp_path / "x.pgm", 1).tolist() == [[[0x12, 0xFF]]]


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    Image.new("CMYK", (1, 1), (0, 255, 255, 0)).save(path)
    assert read_image(path, 3).flatten().tolist() == [255, 0, 0]


def test_black_and_white_becomes_0_and_255(tmp_path: Path) -> None:
    assert read_image(saved(tmp_path / "x.png", np.array([[False, True]])), 1).tolist() == [[[0, 255]]]


def test_of_an_animation_the_first_frame_counts(tmp_path: Path) -> None:
    frames = [Image.new("L", (2, 2), value) for value in (10, 200)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert read_image(tmp_path / "x.gif", 1).unique().tolist() == [10]


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def huge(width: int, height: int) -> bytes:
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", b"")
        + chunk(b"IEND", b"")
    )


REASONS = {
    "empty": (b"", "empty file"),
    "text": (b"no image at all", "text, not a picture"),
    "page": (b"\n<!DOCTYPE HTML><html>", "an HTML page, not a picture"),
    "archive": (b"PK\x03\x04\x00", "a ZIP archive, not a picture"),
    "noise": (b"no\x00image", "not a JPEG, PNG, GIF, BMP, TIFF, WEBP, AVIF, PPM file"),
    "huge": (huge(20_000, 10_000), "20000x10000 is more than 120 million pixels"),
    "giant": (huge(40_000, 40_000), "40000x40000 is more than 120 million pixels"),
}


@pytest.mark.parametrize("name", REASONS)
def test_a_bad_file_has_a_reason(tmp_path: Path, name: str) -> None:
    content, why = REASONS[name]
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(ValueError, match=why):
        read_image(tmp_path / "x.png", 3)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_cut_off_file_is_truncated(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path / f"x.{suffix}", np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"^truncated$"):
        read_image(path, 3)


def test_pixels_of_unknown_range_are_refused(tmp_path: Path) -> None:
    for number, values in enumerate(([0, 1.5], [-0.1, 0], [0, np.nan])):
        with pytest.raises(BadImage, match=r"floating-point pixels from .*; 0 to 1 is understood") as caught:
            read_image(saved(tmp_path / f"f{number}.tif", np.array([values], np.float32)), 1)
        assert caught.value.kind == "float_range"
    with pytest.raises(BadImage, match="gray values from 70000 to 70000; 0 to 65535 is understood"):
        read_image(saved(tmp_path / "i.tif", np.full((2, 2), 70_000, np.int32)), 1)


def test_a_missing_file_has_a_reason(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No such file"):
        read_image(tmp_path / "x.png", 3)


def set_of(directory: Path) -> ImageSet:
    files = tuple(sorted(p.name for p in directory.iterdir()))
    return ImageSet("train", directory, ("a",), Names.of(files), np.zeros(len(files), np.int64))


def test_channels_are_1_only_where_every_file_is_stored_gray(tmp_path: Path) -> None:
    saved(tmp_path / "l.png", colour([[1, 2]]))
    saved(tmp_path / "la.png", colour([[(9, 0), (9, 255)]]))
    saved(tmp_path / "i.png", np.zeros((2, 2), np.uint16))
    saved(tmp_path / "1.png", np.array([[False, True]]))
    saved(tmp_path / "p.gif", colour([[1, 2]]), "P")
    (tmp_path / "broken.png").write_bytes(b"")  # told when it is decoded
    assert resolve_channels(set_of(tmp_path), None) == 1
    assert resolve_channels(set_of(tmp_path), 3) == 3
    saved(tmp_path / "z.png", colour([[RED, BLUE]]))
    assert resolve_channels(set_of(tmp_path), None) == 3
    assert resolve_channels(set_of(tmp_path), 1) == 1


def test_a_colour_palette_is_colour(tmp_path: Path) -> None:
    saved(tmp_path / "x.gif", colour([[RED, BLUE]]), "P")
    assert resolve_channels(set_of(tmp_path), None) == 3


def test_a_large_picture_is_converted_in_bands_to_the_same_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(5)
    files = [
        saved(tmp_path / "rgba.png", generator.integers(0, 256, (50, 30, 4), dtype=np.uint8)),
        saved(tmp_path / "deep.png", generator.integers(0, 65536, (50, 30), dtype=np.uint16)),
        saved(tmp_path / "floats.tif", generator.random((50, 30), np.float32)),
        saved(tmp_path / "palette.png", generator.integers(0, 256, (50, 30), dtype=np.uint8), "P", transparency=3),
    ]
    whole = [read_image(path, channels) for path in files for channels in (1, 3)]
    monkeypatch.setattr(pixels, "BAND_PIXELS", 100)
    assert all(torch.equal(read_image(path, channels), whole.pop(0)) for path in files for channels in (1, 3))


def test_floats_from_0_to_1_are_scaled(tmp_path: Path) -> None:
    assert read_image(saved(tmp_path / "x.tif", np.array([[0, 0.5, 1]], np.float32)), 1).tolist() == [[[0, 128, 255]]]


def test_the_content_decides_on_the_format(tmp_path: Path) -> None:
    Image.new("L", (2, 2), 7).save(tmp_path / "x.jpg", "PNG")
    assert read_image(tmp_path / "x.jpg", 1).tolist() == [[[7, 7], [7, 7]]]


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif_is_read(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16), (200, 100, 50)).save(tmp_path / "x.avif", quality=100)
    assert (read_image(tmp_path / "x.avif", 3)[:, 8, 8] - torch.tensor([200, 100, 50])).abs().max() <= 3


def test_a_cmyk_jpeg_is_not_turned_into_its_negative(tmp_path: Path) -> None:
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "x.jpg", quality=100)
    red, green, blue = read_image(tmp_path / "x.jpg", 3)[:, 8, 8].tolist()
    assert red > 245
    assert max(green, blue) < 10


@pytest.mark.parametrize(("depth", "key", "values"), [(2, 1, [0, 1, 3]), (4, 5, [0, 5, 15]), (16, 0x1234, [0, 0x1234, 0x1235])])
def test_the_transparent_gray_of_a_png_counts_in_its_own_depth(tmp_path: Path, depth: int, key: int, values: list[int]) -> None:
    bits = "".join(f"{value:0{depth}b}" for value in values)
    row = b"\0" + int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    header = struct.pack(">IIBBBBB", len(values), 1, depth, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"tRNS", struct.pack(">H", key)), chunk(b"IDAT", zlib.compress(row)), chunk(b"IEND", b"")]
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    scaled = [value >> 8 if depth == 16 else value * 255 // ((1 << depth) - 1) for value in values]
    assert read_image(tmp_path / "x.png", 1)[0, 0].tolist() == [scaled[0], 255, scaled[2]]


def test_a_deep_negative_is_turned(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 0xFFFF]], np.uint16)).save(tmp_path / "x.tif", tiffinfo={262: 0})
    with Image.open(tmp_path / "x.tif") as image:
        assert image.tag_v2[262] == 0  # type: ignore[attr-defined]
    assert read_image(tmp_path / "x.tif", 1).tolist() == [[[255, 0]]]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes")
@pytest.mark.parametrize("what", ["pipe", "folder", "link to nothing", "device", "socket"])
def test_what_is_no_file_is_never_read(tmp_path: Path, what: str) -> None:
    path = tmp_path / "x.jpg"
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "socket":
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.close()
    else:
        path.symlink_to("/dev/zero" if what == "device" else tmp_path / "absent")
    with pytest.raises(BadImage) as caught:
        read_image(path, 3)
    assert caught.value.kind == "not_a_file"
    assert resolve_channels(set_of(tmp_path), None) == 1  # the header is not waited for either


def test_a_wrong_checksum_is_told_with_its_chunk(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.png", np.arange(256, dtype=np.uint8).reshape(16, 16))
    data = bytearray(path.read_bytes())
    data[-20] ^= 1  # in the checksum of the pixels, which Pillow does not look at
    path.write_bytes(data)
    with pytest.raises(BadImage, match="wrong checksum in PNG chunk 'IDAT'"):
        read_image(path, 1)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_an_end_is_truncated_at_any_scale(tmp_path: Path, progressive: bool) -> None:
    path = saved(tmp_path / "x.jpg", np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8), progressive=progressive)
    data = path.read_bytes()
    assert data.endswith(b"\xff\xd9")
    for length in (len(data) - 1, len(data) - 2, len(data) // 2, 30):
        path.write_bytes(data[:length])
        for at_least in (None, (32, 32)):
            with pytest.raises(BadImage, match=r"^truncated$"):
                read_image(path, 3, at_least=at_least)
    path.write_bytes(data + b"appended by a phone")
    assert read_image(path, 3).shape == (3, 256, 256)


def test_a_missing_end_counts_also_where_pillow_does_not_see_it(tmp_path: Path) -> None:
    data = coded(drawing(0, 130), "JPEG")[:-2]  # Pillow 13 loads it without a word
    (tmp_path / "x.jpg").write_bytes(data)
    with pytest.raises(BadImage, match=r"^truncated$"):
        read_image(tmp_path / "x.jpg", 3)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "PPM"])
def test_a_damaged_file_is_a_bad_image_or_another_picture_never_an_accident(tmp_path: Path, form: str) -> None:
    if form == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    generator = np.random.default_rng(7)
    stream = io.BytesIO()
    Image.fromarray(generator.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(stream, form)
    bad = []
    for _ in range(60):
        data = bytearray(stream.getvalue())
        for place in generator.integers(0, len(data), 3).tolist():
            data[place] = int(generator.integers(0, 256))
        with quiet_decoders():
            try:
                decode(bytes(data), 3, max_pixels=10_000_000)
            except BadImage as error:
                bad.append(error)
    assert all(KINDS[error.kind][0] == "skip" and error.detail for error in bad)


def test_a_bad_image_travels_between_processes() -> None:
    error = pickle.loads(pickle.dumps(BadImage("truncated", "too short")))
    assert (error.kind, error.detail, str(error)) == ("truncated", "too short", "too short")


def test_too_many_bytes_are_not_even_read(tmp_path: Path) -> None:
    with open(tmp_path / "x.bmp", "wb") as file:
        file.truncate(2**31)  # a hole: it takes no room
    with pytest.raises(BadImage, match="2,048 MiB are more than 120 million pixels can take"):
        read_image(tmp_path / "x.bmp", 3)
