"""A command line turned into a plan: words read, jobs composed and checked; nothing is written yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from cnntrain.config.command import Command, Job
from cnntrain.config.configs import command_groups, conf_dir, default_choices
from cnntrain.config.flags import Flags
from cnntrain.config.hydra_setup import VERSION_BASE
from cnntrain.config.overrides import is_group, word_of
from cnntrain.config.points import Points
from cnntrain.config.resuming import Stored, read_run, run_to_resume
from cnntrain.config.safety import word_fault
from cnntrain.config.schema import TrainConfig
from cnntrain.config.words import parse_words
from cnntrain.errors import ConfigError

RUN_DIR, SWEEP_DIR = "hydra.run.dir", "hydra.sweep.dir"


@dataclass
class Plan:
    """A checked command line.

    Args:
        jobs: what will run, in Hydra's order.
        words: the overrides to hand to Hydra, without folders.
        sweep: whether Hydra runs many.
        given: the folder that the user named.
        stored: the run that is resumed.
        config: the configuration as Hydra holds it, of the last job.
    """

    jobs: list[Job]
    words: list[str]
    sweep: bool
    given: Path | None
    stored: Stored | None
    config: DictConfig | None


def make_plan(command: Command, flags: Flags, dirs: Sequence[Path], argv: Sequence[str], *, only_shows: bool = False) -> Plan:
    """
    Args:
        only_shows: nothing will run, so only keys must be right, not their values.

    Raises:
        ConfigError: all faults of all words, of all jobs of the sweep.
    """
    packaged = conf_dir()
    groups = command_groups(command.config_name, dirs, packaged)
    with hydra.initialize_config_dir(config_dir=str(packaged), **VERSION_BASE):
        parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
        parsed, faults = parse_words(flags.words, parser, groups, sweep=flags.multirun)
        refused = {override.key_or_group: fault for override in parsed if (fault := word_fault(override.key_or_group))}
        allowed = [override for override in parsed if override.key_or_group not in refused]
        of_hydra = [override for override in allowed if override.is_hydra_override()]
        sweep = flags.multirun or any(o.key_or_group == "hydra.mode" and str(o.value()).upper() == "MULTIRUN" for o in of_hydra)
        given, of_folder = named_folder(of_hydra, command, sweep=sweep)
        chosen = default_choices(command.config_name, dirs, packaged)
        tasks = parser.parse_overrides([normal(o, groups, chosen) for o in allowed if not o.is_hydra_override()])
        faults += [*refused.values(), *of_folder, *([] if sweep else many_values(tasks))]
        faults += [] if sweep or only_shows else only_for_sweeps(of_hydra)
        stored = resumed(command, tasks, given, sweep=sweep)
        hydra_words = [word_of(override) for override in of_hydra if override.key_or_group not in (RUN_DIR, SWEEP_DIR)]
        points = Points(command, parser, groups, hydra_words, (*command.name.split(), *argv), sweep, stored)
        readable = [override for override in tasks if sweep or not override.is_sweep_override()]
        try:
            jobs, of_jobs = points.jobs(readable, only_keys=only_shows)
        except ConfigError as error:  # YAML files that do not fit together leave nothing to check the rest against
            raise ConfigError(faults + error.faults) from error
        params = points.sweeper.get("params") if sweep else None
        if params:  # known only after composing
            of_yaml = parser.parse_overrides([f"{key}={value}" for key, value in params.items()])
            jobs, of_jobs = points.jobs([*of_yaml, *readable], only_keys=only_shows)
        faults += intervals(points.sweeper, tasks) if sweep else []
    if faults + of_jobs:
        raise ConfigError(faults + of_jobs)
    words = [f"++{word_of(o)}" if o.key_or_group in points.added and word_of(o)[0] not in "+~" else word_of(o) for o in tasks]
    return Plan(jobs, [*hydra_words, *words], sweep, given, stored, points.config)


def normal(override: Override, groups: Mapping[str, Sequence[str]], chosen: Mapping[str, Any]) -> str:
    """The word without the need to know about `+`: groups get one where Hydra wants it, keys may always have one."""
    line = word_of(override).lstrip("+")
    if override.is_delete():
        return word_of(override)
    if is_group(override, groups):
        return line if override.key_or_group in chosen else f"+{line}"
    return f"++{line}" if override.is_add() or override.is_force_add() else line


def many_values(overrides: Sequence[Override]) -> list[str]:
    """Sweeps that nobody asked for."""
    return [
        f"{word_of(override)} holds several values: add -m to run each, or put a text with commas in quotes inside the shell's"
        for override in overrides
        if override.is_sweep_override()
    ]


def only_for_sweeps(of_hydra: Sequence[Override]) -> list[str]:
    """Words to Hydra's launchers and sweepers where neither runs."""
    plain = (RUN_DIR, SWEEP_DIR, "hydra.mode")
    return [f"{o.key_or_group} has no effect outside a sweep; add -m, or leave it out" for o in of_hydra if o.key_or_group not in plain]


def named_folder(of_hydra: Sequence[Override], command: Command, *, sweep: bool) -> tuple[Path | None, list[str]]:
    """The run or sweep folder that the user named, and what is wrong with naming it."""
    given = {override.key_or_group: override for override in of_hydra if override.key_or_group in (RUN_DIR, SWEEP_DIR)}
    right, wrong = (SWEEP_DIR, RUN_DIR) if sweep else (RUN_DIR, SWEEP_DIR)
    faults = []
    if given and not command.makes_folder:
        faults.append(f"{next(iter(given))} has no effect: cnntrain {command.name} makes no run folder; use out=DIR")
    elif wrong in given:
        faults.append(f"{wrong} has no effect {'in' if sweep else 'outside'} a sweep; did you mean {right}={given[wrong].value()}?")
    if right not in given:
        return None, faults
    value = given[right].value()
    if given[right].is_sweep_override() or not str(value):
        return None, [*faults, f"{word_of(given[right])}: one folder is needed"]
    return Path(str(value)).expanduser(), faults


def resumed(command: Command, tasks: Sequence[Override], given: Path | None, *, sweep: bool) -> Stored | None:
    """The run that the command line goes on with.

    Raises:
        ConfigError: there is no such run, or other words do not go with it.
    """
    run = run_to_resume(tasks, sweep=sweep) if command.schema is TrainConfig else None
    if run is None:
        return None
    branches = any(override.key_or_group == "branch" and override.value() is True for override in tasks)
    if given is not None and not branches:
        raise ConfigError(f"{RUN_DIR} does not go with resume: the run goes on in its own folder, {run}")
    return read_run(run, command.schema)


def intervals(sweeper: Mapping[str, Any], tasks: Sequence[Override]) -> list[str]:
    """Intervals that no sweeper will search."""
    if not str(sweeper.get("_target_")).endswith(".BasicSweeper"):
        return []
    return [
        f"{word_of(override)}: an interval needs a sweeper that searches; give values, such as {override.key_or_group}=1,2"
        for override in tasks
        if override.is_interval_sweep()
    ]
