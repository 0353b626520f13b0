"""The jobs of a command line: each point of the sweep composed and checked, the expensive steps once."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from cnntrain.config.check import faults_of
from cnntrain.config.command import Command, Job
from cnntrain.config.configs import conf_dir
from cnntrain.config.explain import TOLD, explained, not_text
from cnntrain.config.hydra_setup import UserConfigs
from cnntrain.config.overrides import apply, group_faults, is_group, word_of
from cnntrain.config.resuming import Stored
from cnntrain.config.safety import hydra_faults, target_faults
from cnntrain.config.schema import AnyConfig
from cnntrain.config.stored import plain
from cnntrain.errors import ConfigError


@dataclass
class Composed:
    """One choice of groups, with everything else laid on top."""

    config: DictConfig
    hydra: DictConfig
    choices: dict[str, str]
    faults: list[str]
    missing: list[str]


@dataclass
class Faults:
    """Sentences and the first job that each is true of."""

    first: dict[str, str] = field(default_factory=dict)
    count: dict[str, int] = field(default_factory=dict)

    def add(self, sentences: Sequence[str], where: str) -> None:
        for sentence in dict.fromkeys(sentences):
            self.first.setdefault(sentence, where)
            self.count[sentence] = self.count.get(sentence, 0) + 1

    def told(self, num_jobs: int) -> list[str]:
        """Each once; with its job where it is not true of all."""
        return [sentence + (where if self.count[sentence] < num_jobs else "") for sentence, where in self.first.items()]


@dataclass
class Points:
    """Turns overrides into jobs.

    Args:
        parser: Hydra's parser, with the loader that globs need.
        groups: group -> names, for the command.
        hydra_words: the overrides of Hydra's own part, without folders.
        stored: the run that is resumed; its configuration lies under the overrides.
    """

    command: Command
    parser: OverridesParser
    groups: Mapping[str, Sequence[str]]
    hydra_words: list[str]
    argv: tuple[str, ...]
    sweep: bool = False
    stored: Stored | None = None
    config: DictConfig | None = None  # the last one composed
    sweeper: DictConfig = field(default_factory=lambda: DictConfig({}))  # Hydra's part about it
    added: set[str] = field(default_factory=set)  # keys that no YAML lists, though their component takes them

    def jobs(self, overrides: Sequence[Override], *, only_keys: bool = False) -> tuple[list[Job], list[str]]:
        """All jobs without fault, and all faults; with only_keys, values and rules are not looked at."""
        axes = [self.values(override) for override in in_order(overrides)]
        swept = [len(axis) > 1 for axis in axes]
        slow = [many and not all(self.is_plain(value) for value in axis) for axis, many in zip(axes, swept, strict=True)]
        faults, jobs, number = Faults(), [], 0
        composed: dict[tuple[str, ...], Composed] = {}
        for number, point in enumerate(itertools.product(*axes), 1):
            words = tuple(word_of(value) for value, many in zip(point, swept, strict=True) if many)
            where = f" (in {' '.join(words)})" if words else ""
            key = tuple(word_of(value) for value, is_slow in zip(point, slow, strict=True) if is_slow)
            base = composed.get(key)
            if base is None:
                base = composed[key] = self.compose(point)
            plain = [value for value, many, is_slow in zip(point, swept, slow, strict=True) if many and not is_slow]
            bad = [*base.faults, *self.set_values(base.config, plain)]
            if only_keys:
                faults.add(bad, where)
                continue
            job, worse = self.job(base, point, words, number - 1 if self.sweep else None)
            faults.add(bad + worse, where)
            if job is not None:
                jobs.append(job)
        return jobs, faults.told(number)

    def values(self, override: Override) -> list[Override]:
        """The values of a sweep one by one; of an interval its two ends."""
        if not override.is_sweep_override():
            return [override]
        key, value = override.get_key_element(), override.value()
        if isinstance(value, IntervalSweep):
            return self.parser.parse_overrides([f"{key}={end}" for end in (value.start, value.end)])
        return self.parser.parse_overrides([f"{key}={text}" for text in override.sweep_string_iterator()])

    def is_plain(self, override: Override) -> bool:
        """Whether it can be set over another value of the same key, without composing again."""
        return not is_group(override, self.groups) and not override.is_delete() and not isinstance(override.value(), dict | list)

    def compose(self, overrides: Sequence[Override]) -> Composed:
        """Group choices composed by Hydra, then the values one by one.

        Raises:
            ConfigError: the YAML files themselves do not fit together, or ask Hydra to run code.
        """
        chosen = [override for override in overrides if is_group(override, self.groups)]
        faults = [fault for override in chosen for fault in group_faults(override, self.groups)]
        good = [word_of(override) for override in chosen if not group_faults(override, self.groups)]
        try:
            whole = hydra.compose(self.command.config_name, overrides=[*good, *self.hydra_words], return_hydra_config=True)
        except TOLD as error:
            told = explained(error, self.command.schema, [*UserConfigs.dirs, conf_dir()])
            raise ConfigError([*faults, *told.faults]) from error
        except UnicodeDecodeError as error:
            raise ConfigError([*faults, *not_text(UserConfigs.dirs).faults]) from error
        of_hydra = whole.hydra
        unsafe = hydra_faults(of_hydra)
        if unsafe:
            raise ConfigError([*faults, *unsafe])
        with read_write(whole), open_dict(whole):
            del whole["hydra"]
        if self.stored is not None:
            whole = self.stored.under(whole, [override.key_or_group for override in chosen], self.command.schema)
        choices = {key: str(name) for key, name in of_hydra.runtime.choices.items() if not key.startswith("hydra") and name is not None}
        faults += self.set_values(whole, [override for override in overrides if not is_group(override, self.groups)])
        self.config, self.sweeper = whole, of_hydra.sweeper
        return Composed(whole, of_hydra, choices, faults, sorted(OmegaConf.missing_keys(whole)))

    def set_values(self, config: DictConfig, overrides: Sequence[Override]) -> list[str]:
        faults: list[str] = []
        for override in overrides:
            try:
                if apply(config, override, self.command.schema, self.groups):
                    self.added.add(override.key_or_group)
            except ConfigError as error:
                faults += error.faults
        return faults

    def job(self, base: Composed, point: Sequence[Override], swept: tuple[str, ...], number: int | None) -> tuple[Job | None, list[str]]:
        """The job of one point, or why there is none."""
        if base.missing:  # where there is another fault, a key may be missing only because its name has a typo
            return None, [] if base.faults else [f"{key} is required: add {key}=..." for key in base.missing]
        words = tuple(word_of(override) for override in point)
        typed, stored, faults = checked(base.config, rules=not base.faults)
        if typed is None or base.faults:
            return None, faults
        changed = () if self.stored is None else self.stored.changed(stored)
        return Job(typed, stored, words, self.argv, base.choices, swept, number=number, changed=changed), []


def checked(config: DictConfig, *, rules: bool = True) -> tuple[AnyConfig | None, dict[str, Any], list[str]]:
    """The configuration typed and as plain data, and its faults; None where there are any."""
    try:
        typed = OmegaConf.to_object(config)
    except TOLD as error:
        return None, {}, explained(error).faults
    assert isinstance(typed, AnyConfig), type(typed)
    stored = plain(asdict(typed))
    faults = target_faults(stored) + faults_of(typed, rules=rules)
    return (None, {}, faults) if faults else (typed, stored, [])


def in_order(overrides: Sequence[Override]) -> list[Override]:
    """The last word about a key counts, at the place of its first, as in Hydra's sweeper."""
    last: dict[str, Override] = {}
    for override in overrides:
        last[override.get_key_element()] = override
    return list(last.values())
