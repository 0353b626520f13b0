"""`resume=RUN`: the run's stored configuration laid under the command line."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from cnntrain.config.check import given_faults
from cnntrain.config.command import OF_THIS_CALL
from cnntrain.config.explain import TOLD, sentence
from cnntrain.config.overrides import word_of
from cnntrain.config.stored import FILE, plain, read_stored
from cnntrain.errors import ConfigError

AUTO = "auto"  # the run is looked for among those of the same name and configuration


@dataclass
class Stored:
    """A run folder and its configuration as plain data.

    Args:
        run: the folder as the user named it.
        values: RUN/config.yaml, without the keys that belong to the call that wrote it.
        before: the same with the schema's defaults for keys that it does not have.
    """

    run: str
    values: dict[str, Any]
    before: dict[str, Any]

    @property
    def folder(self) -> Path:
        return Path(self.run).expanduser()

    def under(self, composed: DictConfig, groups: Sequence[str], schema: type) -> DictConfig:
        """The run's configuration; a group chosen on the command line takes its whole part from the composed one."""
        config = typed(self.run, self.values, schema)
        for group in groups:
            if group in config:
                OmegaConf.update(config, group, composed[group], merge=False)
        OmegaConf.set_struct(config, True)
        return config

    def changed(self, now: dict[str, Any]) -> tuple[str, ...]:
        """Dotted keys whose value is not the run's."""
        old, new = dict(leaves(self.before)), dict(leaves(now))
        keys = [*old, *(key for key in new if key not in old)]
        absent = object()
        return tuple(key for key in keys if old.get(key, absent) != new.get(key, absent) and key not in OF_THIS_CALL)


def read_run(run: str, schema: type) -> Stored:
    """
    Raises:
        ConfigError: there is no configuration, or it is not one of this schema.
    """
    values = {key: value for key, value in read_stored(run).items() if key not in OF_THIS_CALL}
    return Stored(run, values, plain(asdict(OmegaConf.to_object(typed(run, values, schema)))))  # type: ignore[arg-type]


def typed(run: str, values: dict[str, Any], schema: type) -> DictConfig:
    faults = given_faults(values, schema)
    if faults:
        raise ConfigError(f"{Path(run) / FILE}: {fault}" for fault in faults)
    try:
        config = OmegaConf.merge(OmegaConf.structured(schema), values)
    except TOLD as error:
        raise ConfigError(f"{Path(run) / FILE}: {sentence(error)}") from error
    assert isinstance(config, DictConfig)
    return config


def run_to_resume(overrides: Sequence[Override], *, sweep: bool) -> str | None:
    """The run that the command line names; None for a new one, also where it may turn out to be one that exists.

    Raises:
        ConfigError: it is named together with words that do not go with it.
    """
    given = {override.key_or_group: override for override in overrides}
    word = given.get("resume")
    if word is None or word.is_delete() or word.value() is None:
        return None
    faults = []
    if sweep or word.is_sweep_override():
        faults.append("resume goes on with one run; leave out -m")
    recipe = given.get("recipe")
    if recipe is not None and recipe.value() is not None and word.value() != AUTO:
        faults.append(f"{word_of(recipe)} does not go with resume: the run has its settings already; give the keys to change")
    if faults:
        raise ConfigError(faults)
    return None if word.value() == AUTO else str(word.value())


def leaves(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key and value; a list is one value."""
    if isinstance(node, dict) and (node or not key):
        for name, child in node.items():
            yield from leaves(child, f"{key}.{name}" if key else str(name))
    else:
        yield key, node
