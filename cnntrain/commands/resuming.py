"""`resume=RUN`: the newest whole checkpoint, laid back into a run that was built anew."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from cnntrain.commands.building import Parts, total_steps
from cnntrain.commands.origin import data_record
from cnntrain.engine.schedule import Schedule, build_schedule
from cnntrain.engine.state import Progress
from cnntrain.errors import CheckpointError
from cnntrain.measures import CLASSIFICATION
from cnntrain.report.console import say
from cnntrain.runs.checkpoint import Checkpoint, load, newest
from cnntrain.runs.summary import read_run


def resume(run: Path, parts: Parts, progress: Progress) -> dict[str, Any] | None:
    """Weights, optimizer and counters as the newest checkpoint has them.

    Randomness is keyed by (seed, epoch, index) and (seed, step), so there is none to restore.

    Returns:
        The configuration that the checkpoint was trained with, or None where the run has no checkpoint yet.

    Raises:
        CheckpointError: no checkpoint of the run is whole, or it does not go with the configuration or the data.
    """
    folder, broken = newest(run)
    for fault in broken:
        say(f"not whole, passed over: {fault}")
    if folder is None:
        if broken:
            raise CheckpointError(f"resume={run}: none of its {len(broken)} checkpoints is whole; start anew without resume")
        say(f"{run} has no checkpoint yet; it starts from the beginning")
        return None
    checkpoint = load(folder)
    trained = dict(checkpoint.config["config"])
    faults = misfits(checkpoint, trained, parts)
    if faults:
        raise CheckpointError(f"resume={run}: {fault}; change it back, or start anew without resume" for fault in faults)
    restore(run, checkpoint, parts)
    for name, value in checkpoint.state.items():
        if name not in ("scaler", "ema"):
            setattr(progress, name, value)
    if parts.config.epochs is not None and parts.config.epochs < progress.epoch:
        raise CheckpointError(
            f"resume={run}: epochs={parts.config.epochs} is less than the {progress.epoch} that are done; leave epochs out to go on "
            f"to {trained['epochs']}, or give more"
        )
    say(f"resumed from {folder.name}: {progress.epoch} epochs, {progress.step} steps done")
    if progress.step != progress.epoch * len(parts.train):
        say("its last epoch was cut short; training goes on with the next one")
    if (read_run(run) or {}).get("data") not in (None, data_record(parts.data)):
        say("the images have changed since; what follows is not what the run would have become")
    return trained


def misfits(checkpoint: Checkpoint, trained: dict[str, Any], parts: Parts) -> list[str]:
    """What a run cannot go on with: all but these may change."""
    classes, classes_now = checkpoint.config["kept"]["classes"], list(parts.data.train.classes)
    if classes != classes_now:
        differ = sorted(set(classes) ^ set(classes_now))[:5]
        return [f"the data has other classes now than the run was trained with ({', '.join(differ)})"]
    task, task_now = checkpoint.config["kept"].get("task", {"name": CLASSIFICATION})["name"], parts.task.name
    if task != task_now:
        return [f"the data asks for {task_now} now, but the run was trained for {task}"]
    faults = []
    was, now = trained["optimizer"]["type"], parts.config.optimizer["type"]
    if was != now:
        faults.append(f"optimizer.type is {now}, but the run was trained with {was}, whose state does not fit")
    steps, steps_now = checkpoint.config["steps_per_epoch"], len(parts.train)
    if steps != steps_now:
        faults.append(
            f"an epoch is of {steps_now} x {parts.config.batch_size} images now, but was of {steps} x {trained['batch_size']}: "
            "batch_size or the number of images changed"
        )
    return faults


def restore(run: Path, checkpoint: Checkpoint, parts: Parts) -> None:
    """
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
        # load_state_dict would bring back the old weight decay and momentum: what the configuration says counts
        stored.update({name: value for name, value in own.items() if name != "params"})
    try:
        parts.model.load_state_dict(checkpoint.model)
        optimizer.load_state_dict(state)
    except (RuntimeError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[-1].strip()
        said = f"resume={run}: the state of its optimizer does not fit ({reason}); start anew without resume"
        raise CheckpointError(said) from error
    restore_average(checkpoint, parts)
    scaler = checkpoint.state["scaler"]
    if scaler and parts.step.scaler.is_enabled():  # empty where the run did not compute in fp16
        parts.step.scaler.load_state_dict(scaler)


def restore_average(checkpoint: Checkpoint, parts: Parts) -> None:
    if parts.average is not None and checkpoint.average is not None:
        parts.average.load(checkpoint.average, checkpoint.state["ema"])
    elif parts.average is not None:
        parts.average.start_from(parts.model)
        say(f"trainer.ema: the run had no average of its weights; it starts at {checkpoint.folder.name}")
    elif checkpoint.average is not None:
        say("trainer.ema=null: the average that the run had of its weights ends here")


def shape_in(weights: Mapping[str, Tensor], name: str) -> tuple[int, ...] | None:
    return tuple(weights[name].shape) if name in weights else None


def say_lr(trained: dict[str, Any], before: Schedule, now: Schedule, progress: Progress, parts: Parts) -> None:
    """What a changed length or schedule does to the lr at this point."""
    was, becomes = before(progress.step), now(progress.step)
    if was != becomes:
        epochs = "" if trained["epochs"] == parts.config.epochs else f"epochs {trained['epochs']} -> {parts.config.epochs}: "
        said = f"lr at step {progress.step} is {becomes:.4g}, where the run as it was would have had {was:.4g}"
        say(f"{epochs}{said}")


def schedule_of(config: dict[str, Any], *, steps_per_epoch: int) -> Schedule:
    """The schedule of a stored configuration."""
    return build_schedule(
        config["schedule"],
        peak=config["optimizer"]["lr"],
        total_steps=total_steps(config["epochs"], config["trainer"]["max_steps"], steps_per_epoch),
        steps_per_epoch=steps_per_epoch,
    )
