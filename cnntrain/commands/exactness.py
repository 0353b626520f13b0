"""Whether a resumed run ends with the bits of one that was never stopped, and if not, why."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import torch

from cnntrain import __version__
from cnntrain.commands.building import Parts

LIBRARIES = ("torch", "torchvision", "numpy", "pillow")
# keys that change no bit of weights, optimizer or average: how images are fed, what is written and when
HARMLESS = (
    "name",
    "data.root",  # the images themselves are compared
    "data.train_dir",
    "data.val_dir",
    "data.worker_timeout",
    "data.num_workers",
    "data.cache",
    "data.cache_budget_mib",
    "trainer.log_every_steps",
    "trainer.checkpoint_every",
    "trainer.keep_newest",
    "trainer.keep_every_epochs",
)
UNKNOWN = "the run's checkpoint is of an older form, which does not say what it was computed with"


def fingerprint(parts: Parts) -> dict[str, Any]:
    """All that the last bits hang on beside configuration and data, as plain data."""
    arithmetic = parts.arithmetic
    on_cpu = arithmetic.device.type == "cpu"
    return {
        "device": "cpu" if on_cpu else torch.cuda.get_device_name(arithmetic.device) if arithmetic.device.type == "cuda" else "mps",
        "threads": torch.get_num_threads() if on_cpu else None,
        "precision": arithmetic.precision,
        "channels_last": arithmetic.channels_last,
        "batch_size": parts.config.batch_size,
        "repeats": on_cpu or parts.config.trainer.deterministic,
        "cnntrain": __version__,
        **{library: version(library) for library in LIBRARIES},
    }


def differences(before: Mapping[str, Any] | None, now: Mapping[str, Any], changed: Sequence[str]) -> list[str]:
    """What keeps a run from being continued exactly, in words.

    Args:
        before, now: fingerprints.
        changed: keys whose value differs from the run's.
    """
    found = [key for key in changed if key not in HARMLESS]
    if before is None:
        return [*found, UNKNOWN]
    keys = [key for key in now if key not in ("repeats", *found)]
    found += [f"{key} {before.get(key)} -> {now[key]}" for key in keys if before.get(key) != now[key]]
    if not now["repeats"]:
        found.append("a GPU repeats itself only with trainer.deterministic=true")
    return found
