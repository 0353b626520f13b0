"""What kind of picture file some bytes are, and whether they reach its end. No torch."""

import re
import struct
import zlib

from cnntrain.data.broken import Broken
from cnntrain.data.jpeg import check_segments

NAMES = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "PPM")  # all that a file may be
EXTENSIONS = {
    "JPEG": ("jpg", "jpeg", "jpe", "jfif", "mpo"),
    "PNG": ("png", "apng"),
    "GIF": ("gif",),
    "BMP": ("bmp", "dib"),
    "TIFF": ("tif", "tiff"),
    "WEBP": ("webp",),
    "AVIF": ("avif", "avifs"),
    "PPM": ("ppm", "pgm", "pbm", "pnm", "pfm"),
}
LOOKED_AT = 512
TEXT = bytes(range(0x20, 0x7F)) + b"\t\r\n\f"
SIGNATURES = (
    (re.compile(rb"\xff\xd8\xff"), "JPEG"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "PNG"),
    (re.compile(rb"GIF8[79]a"), "GIF"),
    (re.compile(rb"BM"), "BMP"),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), "TIFF"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "WEBP"),
    (re.compile(rb"....ftyp(?:avif|avis|mif1|msf1)", re.DOTALL), "AVIF"),
    (re.compile(rb"P[1-6Ff][\s#]"), "PPM"),
)


def container_of(data: bytes) -> str | None:
    """One of NAMES by the first bytes, whatever the file is called."""
    return next((name for signature, name in SIGNATURES if signature.match(data)), None)


def what_else(data: bytes) -> str:
    """What some bytes are that are no picture."""
    start = data[:LOOKED_AT].lstrip().lower()
    if any(start.startswith(mark) for mark in (b"<!doctype html", b"<html")):
        return "an HTML page, not a picture"
    if start.startswith(b"pk\x03\x04"):
        return "a ZIP archive, not a picture"
    if start and not start.translate(None, TEXT):
        return "text, not a picture"
    return f"not a {', '.join(NAMES)} file"


def belongs(extension: str, container: str) -> bool:
    """Whether a file of this kind may be called so."""
    return extension.lower() in EXTENSIONS[container]


def check_whole(data: bytes, container: str) -> None:
    """Decoders fill what is missing at the end with gray, some of them without a word.

    Raises:
        Broken: the end is missing, or a checksum is wrong.
    """
    if container == "JPEG":
        check_segments(data)
    elif container == "PNG":
        check_png(data)
    elif container == "AVIF":
        check_boxes(data)
    elif container in ("WEBP", "TIFF"):
        last = 7 + struct.unpack_from("<I", data, 4)[0] if container == "WEBP" else first_directory(data)
        if last >= len(data):
            raise Broken("truncated", "truncated")


def check_png(data: bytes) -> None:
    """Walks the chunks up to IEND; Pillow does not look at the checksums of the pixels."""
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        name, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data):
            break
        if zlib.crc32(memoryview(data)[at + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            raise Broken("broken", f"wrong checksum in PNG chunk {name.decode('latin-1')!r}")
        if name == b"IEND":
            return
        at = end
    raise Broken("truncated", "truncated")


def check_boxes(data: bytes) -> None:
    """Walks the outermost boxes (ISO/IEC 14496-12, section 4.2)."""
    at = 0
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if length == 1 and at + 16 <= len(data):
            (length,) = struct.unpack_from(">Q", data, at + 8)
        if length == 0:  # up to the end of the file
            return
        if length < 8:
            raise Broken("broken", "a box of an impossible size")
        at += length
    if at != len(data):
        raise Broken("truncated", "truncated")


def first_directory(data: bytes) -> int:
    """Where a TIFF's description of its first picture begins (TIFF 6.0, section 2; BigTIFF has 43 and 8 bytes)."""
    order = "<" if data[:1] == b"I" else ">"
    big = 43 in data[2:4]
    if len(data) < (16 if big else 8):
        return len(data)
    return int(struct.unpack_from(f"{order}Q", data, 8)[0] if big else struct.unpack_from(f"{order}I", data, 4)[0])
