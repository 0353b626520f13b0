"""What the machine seems to have, without importing torch: good enough for a default, never for a result."""

import os
import platform
import sys

DEVICE_FILES = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # NVIDIA's driver, the same inside WSL, AMD's ROCm
ON_ACCELERATOR = ("cuda", "mps")


def has_accelerator() -> bool:
    """Whether a GPU seems usable: a driver's device file (Linux) that CUDA_VISIBLE_DEVICES does not hide, or Apple silicon."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in ("", "-1"):
        return False
    return any(os.path.exists(path) for path in DEVICE_FILES)


def by_device(on_cpu: object, on_gpu: object, device: str = "auto") -> object:
    """The value for the device at hand: `${by_device:64,128,${trainer.device}}` in YAML."""
    accelerated = has_accelerator() if device == "auto" else device in ON_ACCELERATOR
    return on_gpu if accelerated else on_cpu
