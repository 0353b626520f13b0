"""Where and in which arithmetic a network computes; chosen once per run, never asked in the loop."""

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from cnntrain.errors import ConfigError

DEFAULT_THREADS = torch.get_num_threads()
DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Arithmetic:
    """Device, autocast type and memory format of a run.

    Args:
        precision: fp32, bf16 or fp16; what `auto` came to.
    """

    device: torch.device
    precision: str
    channels_last: bool

    def place(self, model: nn.Module) -> nn.Module:
        """The model on the device; its convolution weights in the memory format of the maps."""
        return model.to(self.device).to(memory_format=self.memory_format)

    def images(self, images: Tensor) -> Tensor:
        """(N, C, H, W) float32 on the device, in the memory format."""
        return images.to(self.device, non_blocking=True, memory_format=self.memory_format)

    def targets(self, targets: Tensor) -> Tensor:
        return targets.to(self.device, non_blocking=True)

    def autocast(self) -> torch.autocast:
        dtype = DTYPES[self.precision]
        return torch.autocast(self.device.type, dtype, enabled=dtype is not None)

    @property
    def memory_format(self) -> torch.memory_format:
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def __str__(self) -> str:
        layout = "channels_last" if self.channels_last else "channels_first"
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else self.device.type
        number = torch.get_num_threads()
        threads = f", {number} thread{'s' * (number > 1)}" if self.device.type == "cpu" else ""
        return f"{name}, {self.precision}, {layout}{threads}"


def resolve_arithmetic(device: str, precision: str, *, channels_last: bool, deterministic: bool = False) -> Arithmetic:
    """Turn `auto` into what this machine does fastest and right.

    Raises:
        ConfigError: the device is not there, or cannot do the precision.
    """
    where = torch.device(resolve_device(device))
    if where.type == "cuda":
        tf32 = precision != "fp32" and not deterministic  # who asks for fp32 gets all of its 24 bits
        torch.backends.cuda.matmul.allow_tf32 = tf32
        torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cudnn.benchmark = not deterministic
        # cuBLAS repeats itself only with a workspace of fixed size, and reads this once in a process
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    wanted = deterministic and where.type == "cuda"
    if wanted != torch.are_deterministic_algorithms_enabled():  # setting it imports torch's compiler, 1-3 s
        torch.use_deterministic_algorithms(wanted)
    return Arithmetic(where, resolve_precision(where.type, precision), channels_last)


def resolve_device(device: str) -> str:
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if there[name])
    if not there[device]:
        raise ConfigError(f"trainer.device={device}: this machine has none that torch can use; use trainer.device=auto")
    return device


def resolve_precision(device_type: str, precision: str) -> str:
    if precision == "fp16" and device_type == "cpu":
        raise ConfigError("trainer.precision=fp16 needs a GPU; on a CPU use trainer.precision=auto, bf16 or fp32")
    if precision != "auto":
        return precision
    if device_type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device_type == "cpu":
        return "bf16" if cpu_has_bf16() else "fp32"
    return "fp32"


def cpu_has_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """bf16 convolutions are 1.66x faster than fp32 where the CPU multiplies bf16 itself, and slower where it does not."""
    try:
        flags = cpuinfo.read_text().partition("flags")[2].partition("\n")[0].split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def set_threads(threads: int | None) -> None:
    torch.set_num_threads(threads or DEFAULT_THREADS)  # the next run of a sweep must not inherit this one's
