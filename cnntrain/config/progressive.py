"""Sizes of training images that grow during a run: whole numbers, no torch."""

# A network halves its maps three times or so: sizes that it divides evenly lose nothing at a border.
STEP_OF_LARGE, STEP_OF_SMALL, LARGE = 8, 4, 64  # pixels


def size_at(progress: float, image_size: tuple[int, int], *, start: float, until: float) -> tuple[int, int]:
    """Height and width of the training images at a share of the training.

    Both sides grow in a straight line from start * image_size to image_size, which is reached at `until`; in between
    they are whole multiples of 8 pixels, of 4 where the image has less than 64.

    Args:
        progress: share of the training that is done, 0 to 1.
    """
    done = progress / until
    if done >= 1:
        return image_size
    share = start + (1 - start) * done
    multiple = STEP_OF_SMALL if min(image_size) < LARGE else STEP_OF_LARGE
    height, width = (min(side, max(multiple, int(side * share / multiple + 1e-9) * multiple)) for side in image_size)
    return height, width
