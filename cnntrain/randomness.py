"""Every random choice is a pure function of whole numbers: (seed, purpose, epoch or step, index).

Nothing is drawn from a running stream, so the same picture gets the same crop for any number of
workers, and a resumed run needs no saved generator state. Works on Python ints and, element by
element, on numpy uint64 arrays.
"""

from typing import Any

MASK = (1 << 64) - 1

# purposes: two uses of the same (seed, epoch, index) must not share their numbers
ORDER, AUGMENT, STEP, INIT, SPLIT, SAMPLE, FOLD, LIMIT, REPLACE, MIX, ALTERNATE, BALANCE, SHARD = range(1, 14)


def mix(x: Any) -> Any:
    """The finaliser of SplitMix64: a bijection on 64 bits that passes BigCrush as a counter generator.

    Source: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators", figure 15 (variant 13).
    """
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def key(seed: Any, *parts: Any) -> Any:
    """A 64-bit key for whole numbers such as (seed, AUGMENT, epoch, index)."""
    k = mix((seed + 0x9E3779B97F4A7C15) & MASK)
    for part in parts:
        k = mix(((k ^ part) + 0x9E3779B97F4A7C15) & MASK)
    return k


def unit(k: Any) -> Any:
    """The key's upper 53 bits as a float in [0, 1)."""
    return (k >> 11) * 2.0**-53
