"""A command from its words to its exit code: plan, check, claim a folder, run the job, or let Hydra run those of a sweep."""

import gc
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import hydra
from omegaconf import OmegaConf

from cnntrain.config.command import Command, Job
from cnntrain.config.configs import conf_dir, user_dirs
from cnntrain.config.explain import TOLD, explained
from cnntrain.config.flags import AGAINST, Flags, parse_flags
from cnntrain.config.hydra_setup import STAMP, VERSION_BASE, ready
from cnntrain.config.planning import SWEEP_DIR, Plan, make_plan
from cnntrain.config.resuming import AUTO
from cnntrain.config.schema import TrainConfig
from cnntrain.config.task import JobFailed, SweepStopped, Task, tell
from cnntrain.config.userfiles import import_files
from cnntrain.config.words import quoted
from cnntrain.errors import CnntrainError, ConfigError

INTERRUPTED = 130


def run(command: Command, argv: Sequence[str]) -> int:
    """Runs a command; tells errors on stderr.

    Args:
        argv: the words behind the command.

    Returns:
        The exit code.
    """
    gc.disable()  # composing is short and makes many small objects, none of them garbage yet
    wants_traces = os.environ.get("HYDRA_FULL_ERROR") == "1"
    try:
        return answer(command, argv)
    except KeyboardInterrupt:
        print("cnntrain: interrupted", file=sys.stderr)
        return INTERRUPTED
    except CnntrainError as error:
        if wants_traces:
            traceback.print_exc()
        tell(error)
        return error.exit_code
    except BrokenPipeError:
        raise  # `cnntrain ... | head`: the dispatcher ends quietly
    except Exception:
        traceback.print_exc()
        return 1
    finally:
        gc.enable()


def answer(command: Command, argv: Sequence[str]) -> int:
    """
    Raises:
        CnntrainError: what is wrong with the words, or what ended the job.
    """
    flags = parse_flags(argv)
    flags.words = [own_word(word, command) for word in flags.words]
    dirs = user_dirs(flags.config_dirs)
    import_files(flags.imports)
    if "--help" in flags.plain:
        from cnntrain.config.help import print_help

        print_help(command, dirs)
        return 0
    with ready(command, dirs):
        try:
            plan = make_plan(command, flags, dirs, argv, only_shows=flags.only_shows)
            if flags.against is not None:
                plan.jobs = [compared(command, flags, plan, make_plan(command, flags.other(), dirs, argv))]
            if flags.only_shows:
                return show(command, flags, plan)
            return execute(command, flags, plan)
        except TOLD as error:
            raise explained(error) from error


def own_word(word: str, command: Command) -> str:
    """`data=manifest`, as train has it, where the command knows no groups: `data.name=manifest`."""
    key, equals, value = word.partition("=")
    return f"{command.keys_for[key]}={value}" if equals and key in command.keys_for else word


def compared(command: Command, flags: Flags, plan: Plan, other: Plan) -> Job:
    """The job with the one that it is shown beside.

    Raises:
        ConfigError: the command compares nothing, or there is nothing to compare.
    """
    if not command.only_tells:
        raise ConfigError(f"{AGAINST} belongs to cnntrain explain; cnntrain {command.name} compares by a sweep, such as -m model=a,b")
    if plan.jobs[0].stored == other.jobs[0].stored:
        raise ConfigError(f"{AGAINST} {' '.join(flags.against or [])} changes nothing: both networks are the same")
    return replace(plan.jobs[0], against=other.jobs[0])


def show(command: Command, flags: Flags, plan: Plan) -> int:
    """--cfg job from what is composed already (and of a resumed run Hydra knows nothing); all else is Hydra's."""
    if flags.cfg != "job":
        return call_hydra(command, [*flags.hydra, *plan.words], Task(command, [], None, []))
    config: Any = plan.config
    if flags.package:
        config = OmegaConf.select(config, flags.package)
        if not OmegaConf.is_config(config):
            raise ConfigError(f"--package {flags.package}: there is no such part")
    print(OmegaConf.to_yaml(config, resolve="--resolve" in flags.plain), end="")
    return 0


def execute(command: Command, flags: Flags, plan: Plan) -> int:
    """Claims the folder and runs the jobs.

    Raises:
        CnntrainError: what ended a single run, or what the command's own check found.
    """
    gc.enable()
    command.check(plan.jobs)
    first = plan.jobs[0].config
    writes = command.makes_folder and not (isinstance(first, TrainConfig) and first.dry_run)
    with ExitStack() as stack:
        folder = None
        if writes:
            folder = placed(command, plan)
        if not plan.sweep:  # composed and checked already: Hydra's main would compose it twice more and add nothing
            command.job(replace(plan.jobs[0], folder=None if folder is None else folder.absolute()))
            return 0
        task = Task(command, plan.jobs, folder, [str(Path(file).resolve()) for file in flags.imports])
        # Hydra's sweeper writes a file of its own in any case
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        code = INTERRUPTED
        try:
            code = call_hydra(command, ["--multirun", f"{SWEEP_DIR}={quoted(str(place))}", *plan.words], task)
        except SweepStopped as stop:
            code = stop.exit_code
        except KeyboardInterrupt:
            print("cnntrain: interrupted", file=sys.stderr)
        except JobFailed as failed:
            code = failed.exit_code
        finally:
            (place / "multirun.yaml").unlink(missing_ok=True)
        if folder is not None and command.finish is not None:
            command.finish(folder, first.objective if isinstance(first, TrainConfig) else "")
        return task.failed[min(task.failed)] if task.failed and code == 0 else code


def placed(command: Command, plan: Plan) -> Path:
    """The folder of the run that is gone on with, or a new one; what resume=auto came to is entered into the job."""
    job = plan.jobs[0]
    if isinstance(job.config, TrainConfig) and job.config.resume == AUTO:
        assert command.unfinished is not None, command.name
        run = command.unfinished(job, plan.given)
        plan.jobs[0] = replace(job, config=replace(job.config, resume=None if run is None else str(run)))
        return claimed(command, plan) if run is None else run.absolute()
    if plan.stored is None or (isinstance(job.config, TrainConfig) and job.config.branch):
        return claimed(command, plan)
    return plan.stored.folder


def claimed(command: Command, plan: Plan) -> Path:
    """A folder that nobody else has, absolute: a job may see another working directory."""
    assert command.claim is not None, command.name
    first = plan.jobs[0].config
    return command.claim(first.name if isinstance(first, TrainConfig) else command.name, os.environ[STAMP], plan.sweep, plan.given)


def call_hydra(command: Command, words: Sequence[str], task: Task) -> int:
    """Hydra's own main with a command line of our making."""
    sys.argv = ["cnntrain", *words]
    try:
        hydra.main(config_path=str(conf_dir()), config_name=command.config_name, **VERSION_BASE)(task)()
    except SystemExit as end:  # --hydra-help ends this way
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
