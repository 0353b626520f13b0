"""What to type next: after a run, after a run that ended early, for a run that is finished."""

import os
import shlex
from pathlib import Path

from cnntrain.config.command import Job
from cnntrain.config.schema import TrainConfig
from cnntrain.engine.memory import is_out_of_memory
from cnntrain.errors import CannotGoOn, CnntrainError, Diverged, UserError
from cnntrain.runs.folder import follow


def as_told(error: BaseException, config: TrainConfig, run: Path, job: Job) -> BaseException:
    """The error in the user's words, with the way to go on; a bug of ours stays what it is."""
    if is_out_of_memory(error):
        return CannotGoOn(out_of_memory(config))
    if isinstance(error, RuntimeError) and "DataLoader worker" in str(error) and not str(error).startswith("Caught "):
        # torch raises a dead loader process wherever the main one happens to be
        error = CannotGoOn("a loader process was killed, or the memory it shares is full; try data.num_workers=0")
    if isinstance(error, CnntrainError) and not isinstance(error, UserError):
        return type(error)([*error.faults, *way_on(run, job, diverged=isinstance(error, Diverged))])
    return error


def imports_of(job: Job) -> list[str]:
    """The --import words of the command line: without them a user's own components are not known."""
    found: list[str] = []
    for place, word in enumerate(job.argv):
        if word == "--import":
            found += job.argv[place : place + 2]
        elif word.startswith("--import="):
            found.append(word)
    return found


def command(*words: str) -> str:
    return " ".join([words[0], *map(shlex.quote, words[1:])])


def way_on(run: Path, job: Job, *, diverged: bool) -> list[str]:
    """Where a run that ended early can be taken up again."""
    resume_words = command("cnntrain train", f"resume={run}", *imports_of(job))
    if diverged:
        lr = job.config.optimizer["lr"] if isinstance(job.config, TrainConfig) else 0
        resume_words += f" optimizer.lr={min(lr / 10, 0.01):g}"  # with the same lr it would diverge again
    last = run / "checkpoints" / "last"
    if not os.path.lexists(last):
        return [f"nothing was trained yet; start it again in its folder: {resume_words}"]
    return [f"saved: {last} ({follow(last).name}); go on with: {resume_words}"]


def out_of_memory(config: TrainConfig) -> str:
    half = max(1, config.batch_size // 2)
    return (
        f"the device has too little memory for batch_size={config.batch_size}; try batch_size={half}, or the same batch in two "
        f"parts: trainer.accumulation_steps={2 * config.trainer.accumulation_steps}"
    )


def more_of(config: TrainConfig) -> str:
    """What to type to train a finished run longer."""
    trainer = config.trainer
    assert config.epochs is not None
    if trainer.max_steps is not None:
        return f"to go on, give it more steps: trainer.max_steps={2 * trainer.max_steps} epochs={2 * config.epochs}"
    ends = {"trainer.time_budget": trainer.time_budget, "trainer.early_stopping_patience": trainer.early_stopping_patience}
    others = "".join(f" {key}=null" for key, value in ends.items() if value is not None)
    return f"to go on, give it more epochs: epochs={2 * config.epochs}{others}"


def shown(folder: Path) -> Path:
    """The folder as a person would type it: relative to the working directory where it lies inside."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder
