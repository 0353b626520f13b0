"""`resume=RUN`: the newest whole checkpoint, laid back into a run that was built anew."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnntrain.commands.building import Parts, total_steps
from cnntrain.commands.data_changes import differences as data_differences
from cnntrain.commands.exactness import differences, fingerprint
from cnntrain.commands.foreign import of_this_program
from cnntrain.commands.kept import read_kept
from cnntrain.commands.origin import data_record
from cnntrain.commands.position import restore, restore_bad_files
from cnntrain.config.command import Job
from cnntrain.engine.meter import Meter
from cnntrain.engine.schedule import Schedule, build_schedule
from cnntrain.engine.state import Progress
from cnntrain.errors import CheckpointError
from cnntrain.measures import CLASSIFICATION
from cnntrain.report.console import say
from cnntrain.runs.checkpoint import CHECKPOINTS, Checkpoint, load, newest, recover
from cnntrain.runs.durable import told_plainly
from cnntrain.runs.folder import follow, link
from cnntrain.runs.summary import read_run

METRICS = "metrics.jsonl"


@dataclass(frozen=True)
class Resumed:
    """What a run goes on from.

    Args:
        checkpoint: the one it was restored from.
        trained: the configuration that the checkpoint was trained with.
        state: where the run stood.
    """

    checkpoint: Checkpoint
    trained: dict[str, Any]
    state: dict[str, Any]


@of_this_program
def resume(source: Path, job: Job, parts: Parts, progress: Progress) -> Resumed | None:
    """Weights, optimizer and counters as the newest checkpoint has them.

    Randomness is keyed by (seed, epoch, index) and (seed, step), so there is none to restore.

    Returns:
        None where the run has no checkpoint yet.

    Raises:
        CheckpointError: no checkpoint of the run is whole, or it does not go with the configuration or the data.
    """
    run, config = source, parts.config
    checkpoint = newest_whole(run, alone=not config.branch)
    if checkpoint is None and config.branch:
        raise CheckpointError(f"resume={run}: it has no checkpoint yet to branch from; leave out resume and branch to start anew")
    if checkpoint is None:
        say(f"{run} has no checkpoint yet; it starts from the beginning")
        return None
    read_kept(checkpoint.config, checkpoint.folder)
    trained, state = dict(checkpoint.config["config"]), checkpoint.state
    faults = misfits(checkpoint, trained, parts)
    if faults:
        raise CheckpointError(f"resume={run}: {fault}; change it back, or start anew without resume" for fault in faults)
    differ = [*same_data(run, parts), *differences(checkpoint.config.get("made_with"), fingerprint(parts), job.changed)]
    if config.resume_exact and differ:
        raise CheckpointError(
            f"resume_exact=true: this would be no exact continuation: {'; '.join(differ)}; leave resume_exact out to go on"
        )
    restore(str(run), checkpoint, parts)
    restore_bad_files(state, parts)
    progress.load_state_dict(state)
    if progress.batch:
        for meter in ("lately", "whole"):
            Meter(parts.task).load_state_dict(state["meters"][meter])
    if parts.config.epochs is not None and parts.config.epochs < progress.epoch + (progress.batch > 0):
        begun = f"the {progress.epoch} that are done" if not progress.batch else f"the {progress.epoch + 1} that are begun"
        raise CheckpointError(
            f"resume={run}: epochs={parts.config.epochs} is less than {begun}; leave epochs out to go on "
            f"to {trained['epochs']}, or give more"
        )
    say(f"resumed from {checkpoint.folder.name}: {where(progress, len(parts.train))}")
    if not progress.batch and progress.step != progress.epoch * len(parts.train):
        say("its last epoch was cut short; training goes on with the next one")
    say(f"not an exact continuation: {'; '.join(differ)}" if differ else "exact continuation")
    return Resumed(checkpoint, trained, state)


def same_data(run: Path, parts: Parts) -> list[str]:
    """What differs in the images, where that is allowed.

    Raises:
        CheckpointError: they differ.
    """
    before, now = (read_run(run) or {}).get("data"), data_record(parts.data)
    if before is None or (
        all(before.get(key) == now[key] for key in ("classes", "channels"))
        and all(before.get(split, {}).get("digest") == now[split]["digest"] for split in ("train", "val"))
    ):
        return []
    told = data_differences(run, parts.data)
    if parts.config.allow_changed_data:
        return ["the images have changed"]
    said = f"the images have changed since the run began{': ' if told else ''}{told}"
    raise CheckpointError(f"resume={run}: {said}; change them back, or add allow_changed_data=true")


def newest_whole(run: Path, *, alone: bool) -> Checkpoint | None:
    """Of the highest step; each newer one that is not whole is told by name.

    Args:
        alone: nobody else writes the run, so what a crash left may be put in order.

    Raises:
        CheckpointError: there are some, but none is whole.
    """
    if alone:
        recover(run)
    folder, broken = newest(run)
    for fault in broken:
        say(f"not whole, passed over: {fault}")
    if folder is None and broken:
        raise CheckpointError(f"resume={run}: none of its {len(broken)} checkpoints is whole; start anew without resume")
    return None if folder is None else load(folder)


def where(progress: Progress, steps_per_epoch: int) -> str:
    """2 epochs and 3 of 8 batches done, step 19."""
    epochs = f"{progress.epoch} epoch{'s' * (progress.epoch != 1)}"
    if not progress.batch:
        return f"{epochs} done, step {progress.step}"
    if progress.batch == steps_per_epoch:
        return f"{epochs} done and the next one trained but not validated, step {progress.step}"
    return f"{epochs} and {progress.batch} of {steps_per_epoch} batches done, step {progress.step}"


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
    if steps != steps_now and not (parts.config.allow_changed_data and trained["batch_size"] == parts.config.batch_size):
        faults.append(
            f"an epoch is of {steps_now} x {parts.config.batch_size} images now, but was of {steps} x {trained['batch_size']}: "
            "batch_size or the number of images changed"
        )
    return faults


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


def adopt(source: Path, run: Path, resumed: Resumed) -> None:
    """What a branch takes over of its run: the checkpoint it starts from, the best one and the history up to it.

    Raises:
        DiskFull, CannotGoOn: it cannot be written.
    """
    parent = run / CHECKPOINTS
    best = source / CHECKPOINTS / "best"
    folders = {"last": resumed.checkpoint.folder, **({"best": follow(best)} if os.path.lexists(best) else {})}
    with told_plainly(parent):
        parent.mkdir()
        for name, folder in folders.items():
            if not (parent / folder.name).exists():
                shutil.copytree(folder, parent / folder.name)
            link(parent, name, folder.name)
        if (source / METRICS).is_file():
            shutil.copyfile(source / METRICS, run / METRICS)
