"""What kind of picture file some bytes are, and whether they reach its end. No torch."""

import re
import struct
import zlib

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
# in coded JPEG data FF is followed by 00, a restart marker or a fill byte; anything else is the next segment
NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9


class Broken(ValueError):
    """The bytes are no whole picture.

    Args:
        kind: a key of findings.KINDS.
        detail: a few words.
    """

    def __init__(self, kind: str, detail: str):
        super().__init__(detail)
        self.kind, self.detail = kind, detail


def container_of(data: bytes) -> str | None:
    """One of NAMES by the first bytes, whatever the file is called."""
    return next((name for signature, name in SIGNATURES if signature.match(data)), None)


def belongs(extension: str, container: str) -> bool:
    """Whether a file of this kind may be called so."""
    return extension.lower() in EXTENSIONS[container]


def check_whole(data: bytes, container: str) -> None:
    """Decoders fill what is missing at the end with gray, some of them without a word.

    Raises:
        Broken: the end is missing, or a checksum is wrong.
    """
    if container == "JPEG":
        check_jpeg(data)
    elif container == "PNG":
        check_png(data)
    elif container == "AVIF":
        check_boxes(data)
    elif container in ("WEBP", "TIFF"):
        last = 7 + struct.unpack_from("<I", data, 4)[0] if container == "WEBP" else first_directory(data)
        if last >= len(data):
            raise Broken("truncated", "truncated")


def check_jpeg(data: bytes) -> None:
    """Walks the segments up to the end marker (ITU-T T.81, annex B); what follows it does not matter."""
    at = 2
    while True:
        at = data.find(b"\xff", at)
        while 0 <= at < len(data) - 1 and data[at + 1] == 0xFF:  # fill bytes
            at += 1
        if at < 0 or at + 2 > len(data):
            raise Broken("truncated", "truncated")
        marker = data[at + 1]
        if marker == END_OF_IMAGE:
            return
        if marker == 0 or marker == 1 or 0xD0 <= marker <= 0xD8:
            at += 2
            continue
        if at + 4 > len(data):
            raise Broken("truncated", "truncated")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == START_OF_SCAN:
            found = NEXT_MARKER.search(data, at)
            if found is None:
                raise Broken("truncated", "truncated")
            at = found.start()


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
