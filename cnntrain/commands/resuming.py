"""`resume=RUN`: the newest whole checkpoint, laid back into a run that was built anew."""

from pathlib import Path
from typing import Any

from cnntrain.commands.building import Parts
from cnntrain.engine.schedule import Schedule, build_schedule
from cnntrain.engine.state import Progress
from cnntrain.errors import CheckpointError
from cnntrain.report.console import say
from cnntrain.runs.checkpoint import load, newest


def resume(run: Path, parts: Parts, progress: Progress) -> dict[str, Any] | None:
    """Weights, optimizer and counters as the newest checkpoint has them.

    Randomness is keyed by (seed, epoch, index) and (seed, step), so there is none to restore.

    Returns:
        The configuration that the checkpoint was trained with, or None where the run has no checkpoint yet.

    Raises:
        CheckpointError: no checkpoint of the run is whole, or it is of another network or other classes.
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
    kept = checkpoint.config["kept"]
    if kept["classes"] != list(parts.data.train.classes):
        raise CheckpointError(f"resume={run}: the data has other classes now than the run was trained with; start anew without resume")
    try:
        parts.model.load_state_dict(checkpoint.model)
        parts.step.optimizer.load_state_dict(checkpoint.optimizer)
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise CheckpointError(
            f"resume={run}: its checkpoint is of another model or optimizer ({reason}); start anew without resume"
        ) from error
    state = dict(checkpoint.state)
    parts.step.scaler.load_state_dict(state.pop("scaler"))
    for name, value in state.items():
        setattr(progress, name, value)
    say(f"resumed from {folder.name}: {progress.epoch} epochs, {progress.step} steps done")
    return dict(checkpoint.config["config"])


def say_lr(trained: dict[str, Any], before: Schedule, now: Schedule, progress: Progress, parts: Parts) -> None:
    """What a changed length or schedule does to the lr at this point."""
    was, becomes = before(progress.step), now(progress.step)
    if was != becomes:
        say(
            f"epochs {trained['epochs']} -> {parts.config.epochs}: lr at step {progress.step} is {becomes:.4g}, "
            f"where the run as it was would have had {was:.4g}"
        )


def schedule_of(config: dict[str, Any], *, steps_per_epoch: int) -> Schedule:
    """The schedule of a stored configuration."""
    return build_schedule(
        config["schedule"],
        peak=config["optimizer"]["lr"],
        total_steps=total_steps(config["epochs"], config["trainer"]["max_steps"], steps_per_epoch),
        steps_per_epoch=steps_per_epoch,
    )


def total_steps(epochs: int, max_steps: int | None, steps_per_epoch: int) -> int:
    """Optimizer steps of a whole run."""
    return min(epochs * steps_per_epoch, max_steps or epochs * steps_per_epoch)
