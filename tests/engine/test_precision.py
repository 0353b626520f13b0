"""What `auto` comes to, and what is refused."""

from pathlib import Path

import pytest
import torch

from cnntrain.engine.precision import cpu_has_bf16, resolve_arithmetic, resolve_device, resolve_precision
from cnntrain.errors import ConfigError


def test_bf16_on_a_cpu_only_where_it_multiplies_bf16(tmp_path: Path) -> None:
    (tmp_path / "with").write_text("processor : 0\nflags : fpu avx512f avx512_bf16 sse\nbugs :\n")
    (tmp_path / "without").write_text("processor : 0\nflags : fpu avx2 sse\nbugs : avx512_bf16\n")
    assert cpu_has_bf16(tmp_path / "with")
    assert not cpu_has_bf16(tmp_path / "without")
    assert not cpu_has_bf16(tmp_path / "absent")


def test_fp16_needs_a_gpu() -> None:
    with pytest.raises(ConfigError, match=r"trainer\.precision=fp16 needs a GPU"):
        resolve_precision("cpu", "fp16")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"trainer\.device=cuda: this machine has none"):
        resolve_device("cuda")


def test_channels_last_is_a_memory_format_not_a_shape() -> None:
    arithmetic = resolve_arithmetic("cpu", "fp32", channels_last=True)
    images = arithmetic.images(torch.zeros(2, 3, 4, 5))
    assert images.shape == (2, 3, 4, 5)
    assert images.stride() == (60, 1, 15, 3)
