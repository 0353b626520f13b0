"""RUN/config.yaml: a run's configuration as plain data, written whole and read as a stranger's file would be."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from cnntrain.config.schema import TrainConfig
from cnntrain.errors import ConfigError

FILE = "config.yaml"
LARGEST_BYTES = 1 << 20


class PlainLoader(yaml.SafeLoader):
    """YAML without anchors and aliases, which can make a small file fill the memory."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "an alias, which cnntrain never writes", self.peek_event().start_mark)
        return super().compose_node(parent, index)


def as_yaml(config: TrainConfig) -> str:
    """What RUN/config.yaml holds."""
    return yaml.safe_dump(plain(asdict(config)), sort_keys=False)


def plain(value: Any) -> Any:
    """Tuples as lists: safe YAML has no tuples."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def read_stored(run: str) -> dict[str, Any]:
    """The configuration of a run folder, as plain data; its keys are not checked yet.

    Raises:
        ConfigError: there is none, or it is not what cnntrain writes.
    """
    path = Path(run).expanduser() / FILE
    if not path.is_file():
        raise ConfigError(f"resume={run}: {no_run(Path(run).expanduser())}")
    if path.stat().st_size > LARGEST_BYTES:
        raise ConfigError(f"{path} is larger than 1 MiB; it is not a configuration that cnntrain wrote")
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), PlainLoader)  # a SafeLoader: plain data only
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is no plain YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path} holds no configuration; resume takes a run folder made by cnntrain train")
    faults = [f"{path}: {key} holds ${{...}}; a stored configuration is plain data" for key in with_interpolation(found)]
    if faults:
        raise ConfigError(faults)
    return found


def no_run(folder: Path) -> str:
    """Why a folder is no run, and what to type."""
    above = next((parent for parent in folder.parents if (parent / FILE).is_file()), None)
    if above is not None:
        return f"this is inside a run; did you mean resume={above}?"
    example = "resume takes a run folder such as outputs/cnntrain/20261122T093015Z"
    return f"it has no {FILE}; {example}" if folder.is_dir() else f"no such folder; {example}"


def with_interpolation(value: Any, key: str = "") -> list[str]:
    """Dotted keys of the texts that OmegaConf would resolve."""
    if isinstance(value, str):
        return [key] if "${" in value else []
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for name, entry in entries for found in with_interpolation(entry, f"{key}.{name}".lstrip("."))]
