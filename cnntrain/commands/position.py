"""Where a run stands between two steps, as a checkpoint's state.json keeps it, and how it is laid back."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from cnntrain.commands.building import Parts
from cnntrain.data.loaders import Loader
from cnntrain.data.quarantine import Bad
from cnntrain.engine.trainer import Trainer
from cnntrain.errors import CheckpointError
from cnntrain.report.console import say
from cnntrain.runs.checkpoint import Checkpoint


def state_of(trainer: Trainer, parts: Parts) -> dict[str, Any]:
    """Counters, sums of the open epoch, fp16's loss scale, the count of the average, images known to be unreadable."""
    return {
        **trainer.state_dict(),
        "scaler": parts.step.scaler.state_dict(),
        "ema": None if parts.average is None else parts.average.state_dict(),
        "bad_files": {loader.images.split: bad_files(loader) for loader in (parts.train, parts.val)},
    }


def bad_files(loader: Loader) -> list[list[str]]:
    """[file, kind, detail] of each."""
    return [[loader.images.files[index], bad.kind, bad.detail] for index, bad in sorted(loader.quarantine.bad.items())]


def restore(run: str, checkpoint: Checkpoint, parts: Parts) -> None:
    """Weights, optimizer, average and loss scale; `run` is what the user typed.

    Raises:
        CheckpointError: weights or optimizer state of other shapes.
    """
    model = parts.model.state_dict()
    differ = [name for name in {**model, **checkpoint.model} if shape_in(model, name) != shape_in(checkpoint.model, name)]
    if differ:
        said = f"its checkpoint is of another model ({len(differ)} weights differ, such as {differ[0]})"
        raise CheckpointError(f"resume={run}: {said}; change model back, or start anew without resume")
    optimizer = parts.step.optimizer
    state = checkpoint.optimizer
    for stored, own in zip(state["param_groups"], optimizer.param_groups, strict=False):
        # load_state_dict would bring back the old weight decay and momentum: what the configuration says counts; lr is the step's
        stored.update({name: value for name, value in own.items() if name not in ("params", "lr")})
    try:
        parts.model.load_state_dict(checkpoint.model)
        optimizer.load_state_dict(state)
    except (RuntimeError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[-1].strip()
        said = f"resume={run}: the state of its optimizer does not fit ({reason}); start anew without resume"
        raise CheckpointError(said) from error
    lay_out_as_weights(optimizer)
    restore_average(checkpoint, parts)
    scaler = checkpoint.state["scaler"]
    if scaler and parts.step.scaler.is_enabled():  # empty where the run did not compute in fp16
        parts.step.scaler.load_state_dict(scaler)


def lay_out_as_weights(optimizer: torch.optim.Optimizer) -> None:
    """Moments in the memory format of their weights, as they were: another one is slower, and may round in another order."""
    for weight, moments in optimizer.state.items():
        for name, value in moments.items():
            if not isinstance(value, Tensor | int | float | None):
                raise ValueError(f"the optimizer's {name} is {value!r}")
            if isinstance(value, Tensor) and value.shape == weight.shape:
                moments[name] = torch.empty_like(weight, dtype=value.dtype).copy_(value)


def restore_average(checkpoint: Checkpoint, parts: Parts) -> None:
    if parts.average is not None and checkpoint.average is not None:
        parts.average.load(checkpoint.average, checkpoint.state["ema"])
    elif parts.average is not None:
        parts.average.start_from(parts.model)
        say(f"trainer.ema: the run had no average of its weights; it starts at {checkpoint.folder.name}")
    elif checkpoint.average is not None:
        say("trainer.ema=null: the average that the run had of its weights ends here")


def restore_bad_files(state: dict[str, Any], parts: Parts) -> None:
    """Images that could not be read stay out, so that what stands in for them stays the same."""
    for loader in (parts.train, parts.val):
        found = state.get("bad_files", {}).get(loader.images.split, [])  # checkpoints of form 1 have none
        if found:
            index_of = {file: index for index, file in enumerate(loader.images.files)}
            loader.know({index_of[file]: Bad(kind, detail) for file, kind, detail in found if file in index_of})


def shape_in(weights: Mapping[str, Tensor], name: str) -> tuple[int, ...] | None:
    return tuple(weights[name].shape) if name in weights else None
