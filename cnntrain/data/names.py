"""What a name, or the first bytes, say about a file: image, junk or neither. No torch."""

import os
import re
from contextlib import suppress

EXTENSIONS = frozenset(["jpg", "jpeg", "jpe", "jfif", "png", "bmp", "gif", "tif", "tiff", "webp", "avif", "ppm", "pgm", "pbm", "pnm"])
JUNK = frozenset(
    (
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "#recycle", "$recycle.bin", "lost+found"),
        *("system volume information", "__pycache__"),
    )
)
# control characters, line ends, marks that turn the direction of writing, and bytes that are no UTF-8
ODD = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufeff\\ud800-\\udfff]")
FIRST_BYTES = 32
# Sources: each format's specification; the texts P1 to P6 and BM are too short to be trusted alone
MAGIC = {
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "GIF": re.compile(rb"GIF8[79]a"),
    "BMP": re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL),
    "TIFF": re.compile(rb"II[*+]\0|MM\0[*+]"),
    "WebP": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "AVIF": re.compile(rb".{4}ftypavi[fs]", re.DOTALL),
    "PPM": re.compile(rb"P[1-6]\s+(#|[0-9]+\s)"),
}


def extension(name: str) -> str:
    return name[name.rfind(".") + 1 :].lower()


def image_format(path: str) -> str | None:
    """The format of an image file by its first bytes, such as `a PNG image`; None for all else, and what cannot be read."""
    try:
        # never waits, should the file have been replaced by a pipe
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb") as file:
            start = file.read(FIRST_BYTES)
    except OSError:
        return None
    return next((f"a {name} image" for name, pattern in MAGIC.items() if pattern.match(start)), None)


def num_inside(folder: str) -> int:
    """Entries below a folder that are no folders, as far as they may be seen; no link is followed."""
    count, todo = 0, [folder]
    while todo:
        with suppress(OSError), os.scandir(todo.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
                else:
                    count += 1
    return count
