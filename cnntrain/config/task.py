"""The function that Hydra calls for each job of a sweep: the job made typed again, run, and its failure told."""

import os
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from cnntrain.config.command import Command, Job
from cnntrain.config.points import checked
from cnntrain.config.userfiles import import_files
from cnntrain.errors import CnntrainError, ConfigError, Interrupted, StoppedAndSaved, printable


class SweepStopped(KeyboardInterrupt):
    """A job was told to stop, and the sweep with it; Hydra lets it through as it does Ctrl-C."""

    def __init__(self, exit_code: int):
        self.exit_code = exit_code
        super().__init__(exit_code)


class JobFailed(Exception):
    """A job failed in a launcher's process and has told why; Hydra brings this to the parent."""

    def __init__(self, exit_code: int):
        self.exit_code = exit_code
        super().__init__(exit_code)


def tell(error: CnntrainError, where: str = "") -> None:
    """Each line of an error to stderr, behind our name."""
    for line in error.lines():
        print(f"cnntrain: {printable(f'{where}{line}')}", file=sys.stderr)


@dataclass
class Task:
    """What runs a job; its outcome is kept here, so that Hydra has no error to print in its own way.

    Args:
        jobs: the checked jobs of the command line.
        folder: the run or sweep folder; None where nothing is written.
        imports: the user's Python files, for processes that have not run them.
    """

    command: Command
    jobs: list[Job]
    folder: Path | None
    imports: list[str]
    pid: int = field(default_factory=os.getpid)
    failed: dict[int, int] = field(default_factory=dict)  # job number -> exit code

    def __call__(self, config: DictConfig) -> float | None:
        hydra = HydraConfig.get()
        if os.getpid() != self.pid:
            import_files(self.imports)
        number = int(hydra.job.num)
        where = f"run {number}: "
        try:
            job = self.job(config, hydra)
            where = f"run {number}{job.where}: "
            return self.command.job(job)
        except (Interrupted, StoppedAndSaved) as error:
            tell(error, where)
            raise SweepStopped(error.exit_code) from error
        except CnntrainError as error:
            tell(error, where)
            code = error.exit_code
        except Exception as error:
            traceback.print_exc()
            tell(CnntrainError(f"{type(error).__name__}: {error}"), where)
            code = 1
        self.failed[number] = code
        if os.getpid() != self.pid:
            raise JobFailed(code)
        return float("nan")  # to a sweeper that searches, a failed trial

    def job(self, config: DictConfig, hydra: Any) -> Job:
        """The job as Hydra composed it.

        Raises:
            ConfigError: a sweeper chose a value that cannot be.
        """
        typed, stored, faults = checked(config)
        if typed is None:
            raise ConfigError(faults)
        words = tuple(hydra.overrides.task)
        swept = {word.partition("=")[0] for job in self.jobs for word in job.swept}
        return Job(
            config=typed,
            stored=stored,
            overrides=words,
            argv=self.jobs[0].argv,
            choices={key: str(name) for key, name in hydra.runtime.choices.items() if not key.startswith("hydra") and name is not None},
            swept=tuple(word for word in words if word.partition("=")[0] in swept),
            folder=None if self.folder is None else Path(hydra.runtime.output_dir),
            number=int(hydra.job.num),
        )
