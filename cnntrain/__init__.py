"""cnntrain: train convolutional networks that are described in YAML."""

from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "register"]


def __getattr__(name: str) -> Any:
    if name == "register":  # lazy: `cnntrain --help` pays for nothing else
        from cnntrain.config.components.registry import register

        return register
    raise AttributeError(f"module 'cnntrain' has no attribute {name!r}")
