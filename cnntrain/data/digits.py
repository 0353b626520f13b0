"""The shipped data set: 1,797 handwritten digits, unpacked as an ordinary folder of images."""

import os
import secrets
import shutil
from pathlib import Path

from cnntrain.errors import DataError

PACKED = Path(__file__).with_name("digits.npz")
NUM_CLASSES = 10
ATTRIBUTION = """\
Optical Recognition of Handwritten Digits (test part), 1,797 gray images of 8x8 pixels.
E. Alpaydin, C. Kaynak (1998), UCI Machine Learning Repository, https://doi.org/10.24432/C50P49
Licence: Creative Commons Attribution 4.0 International (CC BY 4.0), https://creativecommons.org/licenses/by/4.0/
Changes: gray values 0..16 scaled to 0..255; split class by class into train (four fifths) and val (one fifth).
"""


def unpack_digits(root: Path) -> bool:
    """Write the digits as root/{train,val}/<digit>/<index>.png, unless root holds a train folder already.

    Written beside root under a name of its own and then renamed, so that a broken run leaves no half
    set and two runs at once do not meet.

    Returns:
        True if it was unpacked now.

    Raises:
        DataError: root is something else, or cannot be written.
    """
    if (root / "train").is_dir():
        return False
    temporary = root.absolute().parent / f".{root.name}.{os.getpid()}-{secrets.token_hex(4)}"
    try:
        temporary.mkdir(parents=True)
        write_images(temporary)
        (temporary / "ATTRIBUTION.txt").write_text(ATTRIBUTION, encoding="utf-8")
        if root.is_dir() and not any(root.iterdir()):
            root.rmdir()  # an empty folder gives way; on Windows a rename would not replace it
        os.rename(temporary, root)
    except OSError as error:
        if (root / "train").is_dir():
            return False  # another run was faster
        if root.exists():
            raise DataError(
                f"data.root: {root} exists, but it is not a folder with train/ and val/; remove it, or type data.root=DIR"
            ) from error
        raise DataError(f"data.root: cannot write the digits to {root} ({error.strerror}); type data.root=DIR") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return True


def write_images(folder: Path) -> None:
    """Write the 80/20 split, stratified by class, drawn by numpy's generator with seed 0."""
    import numpy as np  # late: a run that finds its images unpacked pays for neither numpy nor Pillow
    from PIL import Image

    with np.load(PACKED) as packed:
        images, labels = (packed["images"].astype(np.uint16) * 255 // 16).astype(np.uint8), packed["labels"]
    generator = np.random.default_rng(0)
    is_val = np.zeros(len(labels), dtype=bool)
    for digit in range(NUM_CLASSES):
        own = generator.permutation(np.flatnonzero(labels == digit))
        is_val[own[: len(own) // 5]] = True
    for split, chosen in (("train", ~is_val), ("val", is_val)):
        for digit in range(NUM_CLASSES):
            (folder / split / str(digit)).mkdir(parents=True)
        for index, (image, label) in enumerate(zip(images[chosen], labels[chosen], strict=True)):
            Image.fromarray(image).save(folder / split / str(label) / f"{index:05d}.png")
