"""Tensors and optimizer states as plain bytes and plain data: nothing here can run code when it is read."""

import math
from collections.abc import Mapping
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from cnntrain.errors import CheckpointError


def to_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous copies on the CPU, each with memory of its own; any shape, values and dtypes kept bit by bit."""
    return {
        name: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format).contiguous() for name, tensor in tensors.items()
    }


def pack(tensors: Mapping[str, Tensor]) -> bytes:
    """Named tensors as safetensors; tensors that share memory are written once each."""
    return safetensors.torch.save(to_cpu(tensors))


def unpack(data: bytes) -> dict[str, Tensor]:
    """The tensors of `pack`, on the CPU.

    Raises:
        CheckpointError: the bytes are no safetensors file.
    """
    try:
        return safetensors.torch.load(data)
    except Exception as error:  # its errors are of several kinds, one of them its own
        raise CheckpointError(f"the tensors cannot be read: {error}") from error


def first_non_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """The name of the first tensor that holds a NaN or an infinity."""
    for name, tensor in tensors.items():
        if (tensor.is_floating_point() or tensor.is_complex()) and not bool(torch.isfinite(tensor).all()):
            return name
    return None


def optimizer_to_plain(state_dict: Mapping[str, Any]) -> tuple[dict[str, Tensor], Any]:
    """An optimizer's state_dict as (tensors by place, structure that JSON keeps exactly).

    In the structure a dict is {"dict": [[key, value], ...]} (its keys may be whole numbers), a tuple {"tuple": [...]},
    a tensor {"tensor": place}, a number without a JSON word {"float": "nan"}.

    Raises:
        TypeError: it holds something else than tensors, numbers, strings, None, dicts, lists and tuples.
    """
    tensors: dict[str, Tensor] = {}

    def plain(value: Any, place: str) -> Any:
        if isinstance(value, Tensor):
            tensors[place] = value
            return {"tensor": place}
        if isinstance(value, Mapping):
            assert all(type(key) in (int, str) for key in value), list(value)
            return {"dict": [[key, plain(part, f"{place}/{key}")] for key, part in value.items()]}
        if isinstance(value, list | tuple):
            parts = [plain(part, f"{place}/{index}") for index, part in enumerate(value)]
            return {"tuple": parts} if isinstance(value, tuple) else parts
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {"float": str(float(value))}
        if value is None or isinstance(value, bool | int | str):
            return value
        raise TypeError(f"the optimizer's {place} is a {type(value).__name__}, which no checkpoint can hold")

    return tensors, plain(state_dict, "optimizer")


def optimizer_from_plain(tensors: Mapping[str, Tensor], structure: Any) -> dict[str, Any]:
    """The state_dict again, for Optimizer.load_state_dict.

    Raises:
        CheckpointError: the structure is not one of `optimizer_to_plain`.
    """

    def restore(value: Any) -> Any:
        if isinstance(value, list):
            return [restore(part) for part in value]
        if not isinstance(value, dict):
            return value
        ((kind, content),) = value.items()
        if kind == "dict":
            return {key: restore(part) for key, part in content}
        if kind == "tuple":
            return tuple(restore(part) for part in content)
        return tensors[content] if kind == "tensor" else {"float": float}[kind](content)

    try:
        state_dict = restore(structure)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"optimizer.json cannot be read: {error}") from error
    if not isinstance(state_dict, dict):
        raise CheckpointError("optimizer.json cannot be read: it is no optimizer's state")
    return state_dict
