"""A data set in which fifty kinds of things are wrong, each planted once, and what is to be said of it."""

import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance

ORIENTATION = 0x0112
SIDE = 96


def drawing(seed: int, size: int = SIDE) -> Image.Image:
    """Coloured shapes on a shaded ground; each seed gives another picture."""
    generator = np.random.default_rng(seed)
    ground = np.linspace(generator.integers(0, 120), generator.integers(120, 256), size)
    image = Image.fromarray(np.repeat(ground[:, None], size, axis=1).astype(np.uint8)).convert("RGB")
    draw = ImageDraw.Draw(image)
    for _ in range(7):
        x, y, r = (int(v) for v in (generator.integers(0, size), generator.integers(0, size), generator.integers(size // 12, size // 4)))
        red, green, blue = generator.integers(0, 256, 3).tolist()
        (draw.ellipse if generator.random() < 0.5 else draw.rectangle)((x - r, y - r, x + r, y + r), fill=(red, green, blue))
    return image


def coded(image: Image.Image, form: str, **keywords: object) -> bytes:
    stream = BytesIO()
    image.save(stream, form, **keywords)
    return stream.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG by hand; colour 0 is gray, 2 is red, green, blue."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def bomb() -> bytes:
    """30,000 x 30,000 black pixels, 900 MB, in 1 MB: the same compressed rows over and over."""
    rows, packer, check = bytes(30_001 * 100), zlib.compressobj(9), 1
    first = packer.compress(rows) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(rows) + packer.flush(zlib.Z_FULL_FLUSH)
    for _ in range(300):
        check = zlib.adler32(rows, check)
    end = packer.flush()[:-4] + struct.pack(">I", check)
    return png(30_000, 30_000, depth=8, colour=0, rows=first + again * 299 + end)


def deep_colour(seed: int) -> bytes:
    """16 bits a channel, which Pillow cannot write."""
    pixels = np.asarray(drawing(seed)).astype(">u2") * 257
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    return png(SIDE, SIDE, depth=16, colour=2, rows=zlib.compress(rows))


def wrong_checksum(seed: int) -> bytes:
    data = bytearray(coded(drawing(seed), "PNG"))
    data[data.index(b"IDAT") + 40] ^= 1
    return bytes(data)


def turned(seed: int) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    return coded(drawing(seed), "JPEG", exif=exif)


def frames(seed: int, form: str) -> bytes:
    return coded(drawing(seed), form, save_all=True, append_images=[drawing(seed + 1), drawing(seed + 2)])


def with_alpha(seed: int) -> Image.Image:
    image = drawing(seed).convert("RGBA")
    image.putalpha(Image.fromarray(np.tile(np.arange(SIDE, dtype=np.uint8), (SIDE, 1))))
    return image


def floats(seed: int, scale: float) -> bytes:
    return coded(Image.fromarray(np.asarray(drawing(seed).convert("L"), np.float32) / 255 * scale), "TIFF")


def whole_numbers(seed: int) -> bytes:
    return coded(Image.fromarray(np.asarray(drawing(seed).convert("L"), np.int32) * 100_000), "TIFF")


def cut(data: bytes, share: float = 0.5) -> bytes:
    return data[: int(len(data) * share)]


HTML = b"<!DOCTYPE html><html><body>404 Not Found</body></html>"
# name of the file -> (finding or None, content); each picture is drawn from a seed of its own
FILES: dict[str, tuple[str | None, Callable[[int], bytes]]] = {
    "zero.jpg": ("empty_file", lambda _: b""),
    "half.jpg": ("truncated", lambda s: cut(coded(drawing(s), "JPEG"))),
    "half-progressive.jpg": ("truncated", lambda s: cut(coded(drawing(s), "JPEG", progressive=True))),
    "no-end-marker.jpg": ("truncated", lambda s: coded(drawing(s), "JPEG")[:-2]),
    "mended-end.jpg": ("truncated", lambda s: cut(coded(drawing(s), "JPEG")) + b"\xff\xd9"),
    "head-only.jpg": ("truncated", lambda s: coded(drawing(s), "JPEG")[:20]),
    "half.png": ("truncated", lambda s: cut(coded(drawing(s), "PNG"))),
    "no-end.png": ("truncated", lambda s: coded(drawing(s), "PNG")[:-12]),
    "half.gif": ("truncated", lambda s: cut(coded(drawing(s), "GIF"))),
    "half.bmp": ("truncated", lambda s: cut(coded(drawing(s), "BMP"))),
    "half.tif": ("truncated", lambda s: cut(coded(drawing(s), "TIFF"))),
    "half.webp": ("truncated", lambda s: cut(coded(drawing(s), "WEBP"))),
    "half.ppm": ("truncated", lambda s: cut(coded(drawing(s), "PPM"))),
    "text.jpg": ("not_an_image", lambda _: b"no image at all\n"),
    "page.png": ("not_an_image", lambda _: HTML),
    "archive.jpg": ("not_an_image", lambda _: b"PK\x03\x04" + bytes(100)),
    "noise.jpeg": ("not_an_image", lambda s: b"\0" + np.random.default_rng(s).bytes(5000)),
    "checksum.png": ("broken", wrong_checksum),
    "bomb.png": ("too_large", lambda _: bomb()),
    "floats.tif": ("float_range", lambda s: floats(s, 255)),
    "numbers.tif": ("integer_range", whole_numbers),
    "png.jpg": ("wrong_extension", lambda s: coded(drawing(s), "PNG")),
    "webp.png": ("wrong_extension", lambda s: coded(drawing(s), "WEBP")),
    "moving.gif": ("animation", lambda s: frames(s, "GIF")),
    "moving.webp": ("animation", lambda s: frames(s, "WEBP")),
    "moving.png": ("animation", lambda s: frames(s, "PNG")),
    "pages.tif": ("animation", lambda s: frames(s, "TIFF")),
    "turned.jpg": ("rotated", turned),
    "alpha.png": ("transparency", lambda s: coded(with_alpha(s), "PNG")),
    "gray-alpha.png": ("transparency", lambda s: coded(with_alpha(s).convert("LA"), "PNG")),
    "key.png": ("transparency", lambda s: coded(drawing(s).quantize(16), "PNG", transparency=3)),
    "deep.png": ("high_depth", lambda s: coded(Image.fromarray(np.asarray(drawing(s).convert("L")).astype(np.uint16) * 257), "PNG")),
    "deep-colour.png": ("high_depth", deep_colour),
    "unit-floats.tif": ("high_depth", lambda s: floats(s, 1)),
    "strip.png": ("extreme_aspect", lambda s: coded(drawing(s, 800).resize((1, 8000)), "PNG")),
    # the kinds below are read as they are, and nothing is to be said of them
    "whole.bmp": (None, lambda s: coded(drawing(s), "BMP")),
    "whole.gif": (None, lambda s: coded(drawing(s), "GIF")),
    "whole.tiff": (None, lambda s: coded(drawing(s), "TIFF", compression="tiff_lzw")),
    "whole.webp": (None, lambda s: coded(drawing(s), "WEBP")),
    "whole.ppm": (None, lambda s: coded(drawing(s), "PPM")),
    "whole.avif": (None, lambda s: coded(drawing(s), "AVIF")),
    "whole.JPG": (None, lambda s: coded(drawing(s), "JPEG")),
    "palette.png": (None, lambda s: coded(drawing(s).quantize(32), "PNG")),
    "bits.png": (None, lambda s: coded(drawing(s).convert("1"), "PNG")),
    "gray.jpg": (None, lambda s: coded(drawing(s).convert("L"), "JPEG")),
    "cmyk.jpg": (None, lambda s: coded(drawing(s).convert("CMYK"), "JPEG")),
    "trailer.jpg": (None, lambda s: coded(drawing(s), "JPEG") + b"what a phone appends"),
    "bad-exif.jpg": (None, lambda s: coded(drawing(s), "JPEG", exif=b"Exif\0\0garbage that is no TIFF")),
    "name with spaces.png": (None, lambda s: coded(drawing(s), "PNG")),
    "[bold]markup[/bold] \U0001f600.png": (None, lambda s: coded(drawing(s), "PNG")),
    "1e3.png": (None, lambda s: coded(drawing(s), "PNG")),
    "two\nlines.png": ("odd_name", lambda s: coded(drawing(s), "PNG")),
    "\x1b[31mred.png": ("odd_name", lambda s: coded(drawing(s), "PNG")),
    "\u202egnp.exe.png": ("odd_name", lambda s: coded(drawing(s), "PNG")),
    "caf\udce9.png": ("odd_name", lambda s: coded(drawing(s), "PNG")),
}


@dataclass
class Planted:
    """A tree, and what there is to find in it.

    Args:
        findings: (kind, path relative to the root), each to be found once.
        counts: split -> {used, left_out, bad}.
    """

    root: Path
    findings: list[tuple[str, str]] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)


def plant(root: Path) -> Planted:
    """Two classes of clean pictures in train and val, and the dirt among them."""
    planted = Planted(root)
    for split, start in (("train", 1000), ("val", 2000)):
        for label, name in enumerate(("no", "1e3")):
            for number in range(12):
                write(root / split / name / f"{number:02d}.png", coded(drawing(start + 100 * label + number), "PNG"))
    for number, (name, (kind, content)) in enumerate(FILES.items()):
        write(root / "train" / "no" / name, content(10 * number))
        if kind is not None:
            planted.findings.append((kind, f"train/no/{name}"))
    plant_copies(planted)
    left_out = plant_layout(planted)
    files = [path for path in (root / "train").rglob("*") if path.is_file()]
    num_bad = sum(kind in BAD for kind, _ in planted.findings)
    assert len(files) > len(FILES)
    planted.counts = {
        "train": {"used": 24 + len(FILES) + NUM_COPIES_TRAIN + NUM_OTHERS - num_bad, "left_out": left_out, "bad": num_bad},
        "val": {"used": 24 + 1 + 2, "left_out": 0, "bad": 0},
    }
    return planted


BAD = ("empty_file", "truncated", "not_an_image", "broken", "too_large", "float_range", "integer_range")
NUM_COPIES_TRAIN, NUM_OTHERS = 6, 1 + 2 + 1 + 1  # nested, the class that differs in case, a linked file, a class only in train


def plant_copies(planted: Planted) -> None:
    """Each beside an original of its own."""
    root = planted.root
    originals = [root / "train" / "no" / f"{number:02d}.png" for number in range(6)]
    picture = [drawing(1000 + number) for number in range(7)]
    write(root / "train" / "no" / "same.png", originals[0].read_bytes())
    write(root / "train" / "1e3" / "other-label.png", originals[1].read_bytes())
    write(root / "val" / "no" / "leaked.png", originals[2].read_bytes())
    write(root / "train" / "no" / "again.jpg", coded(picture[3], "JPEG", quality=40))
    write(root / "train" / "no" / "small.jpg", coded(picture[4].resize((SIDE // 2, SIDE // 2), Image.Resampling.BICUBIC), "JPEG"))
    write(root / "train" / "no" / "bright.jpg", coded(ImageEnhance.Brightness(picture[5]).enhance(1.15), "JPEG"))
    write(root / "train" / "no" / "cut.jpg", coded(picture[6].crop((1, 1, SIDE - 1, SIDE - 1)), "JPEG"))
    kinds = ("duplicate", "conflicting_labels", "leakage", "near_duplicate", "near_duplicate", "near_duplicate", "near_duplicate")
    named = ("no/00.png", "1e3/other-label.png", *(f"no/{number:02d}.png" for number in range(2, 7)))
    planted.findings += [(kind, f"train/{name}") for kind, name in zip(kinds, named, strict=True)]


def plant_layout(planted: Planted) -> int:
    """Junk, links, pipes, stray files, classes; returns how many entries of train are left out."""
    root, train = planted.root, planted.root / "train"
    write(train / "no" / "inner" / "nested.png", coded(drawing(5000), "PNG"))
    junk = ("no/.DS_Store", "no/._x.jpg", "no/Thumbs.db", "no/.ipynb_checkpoints/x.png", "__MACOSX/x.png", ".git/config")
    for name in junk:
        write(train / name, b"junk")
        planted.findings.append(("junk", f"train/{name if name.count('/') == 1 and name.startswith('no') else name.rpartition('/')[0]}"))
    for name in ("readme.txt", "no/notes.txt", "loose.png"):
        write(train / name, coded(drawing(5001), "PNG") if name.endswith("png") else b"words")
        planted.findings.append(("stray_file", f"train/{name}"))
    (train / "no" / "loop").symlink_to(train, target_is_directory=True)
    planted.findings.append(("link_loop", "train/no/loop"))
    (train / "no" / "nowhere.jpg").symlink_to(root / "absent.jpg")
    os.mkfifo(train / "no" / "pipe.jpg")
    planted.findings += [("not_a_file", "train/no/nowhere.jpg"), ("not_a_file", "train/no/pipe.jpg")]
    write(root / "elsewhere.png", coded(drawing(5002), "PNG"))
    (train / "no" / "linked.png").symlink_to(root / "elsewhere.png")
    (train / "empty").mkdir()
    planted.findings.append(("empty_class", "train/empty"))
    write(train / "solo" / "a.png", coded(drawing(5003), "PNG"))
    planted.findings.append(("class_only_in_train", "val/solo"))
    for split in ("train", "val"):
        for number in range(2):
            write(root / split / "No" / f"{number}.png", coded(drawing(5010 + number + 10 * (split == "val")), "PNG"))
    planted.findings += [("class_names_differ_in_case", "train/No"), ("class_names_differ_in_case", "val/No")]
    planted.findings.append(("imbalance", "train"))
    return len(junk) + 3 + 1 + 2


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
