"""Whether a JPEG is whole: its segments, its scans, and a picture that ends too early behind a mended end. No torch."""

import io
import random
import re

from PIL import Image

from cnntrain.data.broken import Broken

# in coded data FF is followed by 00, a restart marker or a fill byte; anything else is the next segment
NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
START_OF_SCAN, END_OF_IMAGE, PROGRESSIVE = 0xDA, 0xD9, (0xC2, 0xC6, 0xCA, 0xCE)
NOTHING_DECODED = (127, 128)  # what a block is without any data; one of them in CMYK, which is stored as its negative
FILLER = random.Random(0).randbytes(256).replace(b"\xff", b"")


def check_segments(data: bytes) -> int:
    """Walks the segments (ITU-T T.81, annex B); what follows the end marker does not matter.

    Returns:
        Where the end marker is.

    Raises:
        Broken: the end marker is missing, or scans that a progressive picture has begun.
    """
    at, scans = 2, Scans()
    while True:
        at = data.find(b"\xff", at)
        while 0 <= at < len(data) - 1 and data[at + 1] == 0xFF:  # fill bytes
            at += 1
        if at < 0 or at + 2 > len(data):
            raise truncated()
        marker = data[at + 1]
        if marker == END_OF_IMAGE:
            scans.check()
            return at
        if marker == 0 or marker == 1 or 0xD0 <= marker <= 0xD8:
            at += 2
            continue
        if at + 4 > len(data):
            raise truncated()
        start = at + 4
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in PROGRESSIVE:
            scans.progressive = True
        if marker == START_OF_SCAN:
            scans.add(data[start:at])
            found = NEXT_MARKER.search(data, at)
            if found is None:
                raise truncated()
            at = found.start()


class Scans:
    """How exactly the scans of a progressive picture have told each coefficient (ITU-T T.81, annex G)."""

    def __init__(self) -> None:
        self.progressive = False
        self.missing: dict[int, list[int]] = {}  # component -> lower bits of each coefficient that are still to come

    def add(self, header: bytes) -> None:
        if not self.progressive or len(header) < 4 or len(header) < 4 + 2 * header[0]:
            return
        first, last, low = header[-3], min(header[-2], 63), header[-1] & 15
        for place in range(header[0]):
            bits = self.missing.setdefault(header[1 + 2 * place], [0] * 64)
            bits[first : last + 1] = [low] * len(bits[first : last + 1])

    def check(self) -> None:
        """
        Raises:
            Broken: a coefficient was begun, and its last bits did not come.
        """
        if any(map(any, self.missing.values())):
            raise truncated()


def ends_early(image: Image.Image, data: bytes) -> bool:
    """Whether the coded data end before the picture does, as where a file was cut and an end marker put behind it.

    The decoder says nothing and leaves the rest gray. Where the last pixel is of that gray, something is put before the end
    marker: of a whole picture the decoder passes over it; in one that was cut it becomes part of the picture.

    Args:
        image: of the data, its pixels loaded.
    """
    last = image.getpixel((image.width - 1, image.height - 1))
    values = last if isinstance(last, tuple) else (last,)
    if not all(value in NOTHING_DECODED for value in values):
        return False
    end = check_segments(data)
    return smallest(data) != smallest(data[:end] + FILLER + data[end:])


def smallest(data: bytes) -> bytes:
    """The pixels at an eighth of the size."""
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        image.draft("L", (1, 1))
        return image.tobytes()


def truncated() -> Broken:
    return Broken("truncated", "truncated")
