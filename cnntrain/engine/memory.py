"""Out of memory: how many images would have fitted, found by trying."""

import math
from collections.abc import Callable
from traceback import clear_frames

import torch

HALVINGS = 3  # between a number that fits and twice of it: exact to an eighth
TEXTS = ("not enough memory", "can't allocate memory", "out of memory", "ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """torch has a kind of its own for CUDA's allocator; others only a text."""
    known = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return known or (isinstance(error, RuntimeError) and any(text in str(error) for text in TEXTS))


def largest_that_fits(attempt: Callable[[int], object], too_many: int) -> int:
    """The largest number of images, to an eighth, that `attempt` takes; 0 where it takes none.

    Args:
        attempt: raises out of memory, as it did for `too_many`.
    """
    fits, step = 0, too_many // 2
    while step and not fits:
        if succeeds(attempt, step):
            fits = step
        else:
            too_many, step = step, step // 2
    for _ in range(HALVINGS):
        middle = (fits + too_many) // 2
        if not fits or middle == fits:
            break
        if succeeds(attempt, middle):
            fits = middle
        else:
            too_many = middle
    return fits


def succeeds(attempt: Callable[[int], object], number: int) -> bool:
    """What a failed attempt held is free again afterwards."""
    try:
        attempt(number)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        clear_frames(error.__traceback__)
        return False
    except ValueError:  # BatchNorm takes no single number a channel
        return False
    finally:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return True


def too_little(device: str, batch_size: int, parts: int, fits: int) -> str:
    """What to type.

    Args:
        parts: micro-batches that the batch was computed in.
        fits: images at once.
    """
    at_once = -(-batch_size // parts)
    said = f"the device ({device}) has too little memory for {at_once} images at once"
    if not fits:
        return f"{said}, and even for the smallest batch; take a smaller network or data.image_size"
    in_parts = f"trainer.accumulation_steps={math.ceil(batch_size / fits)}"
    return f"{said}, but enough for {fits}: batch_size={fits * parts}, or the same batch in parts: {in_parts}"
