"""What a command is to the configuration room, and what a job is to a command."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnntrain.config.schema import AnyConfig

# keys that are about one call, not about the run
OF_THIS_CALL = ("resume", "resume_exact", "allow_changed_data", "branch", "dry_run")


@dataclass(frozen=True)
class Job:
    """One configuration to run: the whole command line, or one point of a sweep.

    Args:
        config: typed, resolved, free of faults.
        stored: the same as plain data.
        overrides: the job's words of the command line, one value each, as Hydra reads them.
        swept: those of them that differ between the jobs of a sweep.
        argv: the command line as it was typed, without the program's name.
        choices: config group -> name, such as {"model": "resnet20"}.
        folder: where the job writes; None before a folder is claimed, for a dry run and for commands without folders.
        number: the job's number in a sweep, from 0; None outside one.
        changed: keys whose value differs from that of the run that is resumed.
        against: what --against makes of the same words.
    """

    config: AnyConfig
    stored: dict[str, Any]
    overrides: tuple[str, ...]
    argv: tuple[str, ...]
    choices: dict[str, str]
    swept: tuple[str, ...] = ()
    folder: Path | None = None
    number: int | None = None
    changed: tuple[str, ...] = ()
    against: "Job | None" = None

    @property
    def where(self) -> str:
        """The end of a sentence about this job: ` (in optimizer.lr=0.1 model=plain20)`, or nothing outside a sweep."""
        return f" (in {' '.join(self.swept)})" if self.swept else ""


@dataclass(frozen=True)
class Command:
    """A command that runs jobs.

    Args:
        name: the word, or two words, that the user types.
        config_name: the primary file in conf/, without .yaml.
        schema: the dataclass of its configuration.
        check: told all jobs before any folder is made; raises UserError.
        job: runs one; returns the objective for sweepers that search.
        makes_folder: whether a job has a folder; then `claim` is needed.
        claim: (name, stamp, sweep, given by the user or None) -> a new folder that nobody else has; raises UserError.
        unfinished: (job, folder that the user named or None) -> the run that resume=auto goes on with, or None.
        finish: (sweep folder, objective); called after a sweep, an interrupted one too.
        keys_for: a group of other commands -> the key that its word sets here, so that the words of train may be typed again.
        only_tells: a single job reads and prints, so that nothing of Hydra's is needed around it; it takes --against.
    """

    name: str
    config_name: str
    schema: type
    check: Callable[[list[Job]], None]
    job: Callable[[Job], float | None]
    makes_folder: bool
    claim: Callable[[str, str, bool, Path | None], Path] | None = None
    unfinished: Callable[[Job, Path | None], Path | None] | None = None
    finish: Callable[[Path, str], None] | None = None
    keys_for: Mapping[str, str] = field(default_factory=dict)
    only_tells: bool = False
