"""Hydra made ready for one command: versions, search path, resolvers, environment; all put back afterwards."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import hydra
import omegaconf
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from cnntrain.config.command import Command
from cnntrain.config.device import by_device
from cnntrain.config.known_sets import side_of
from cnntrain.config.safety import no_environment

STAMP = "CNNTRAIN_STAMP"


def version_of(module: Any) -> tuple[int, int]:
    major, minor = module.__version__.split(".")[:2]
    return int(major), int(minor)


# 1.3 asks for version_base, 1.4 deprecates it
VERSION_BASE: dict[str, Any] = {"version_base": "1.3"} if version_of(hydra) < (1, 4) else {}


class UserConfigs(SearchPathPlugin):
    """The user's folders stand before the packaged conf, so that a file of the same name wins."""

    dirs: ClassVar[list[Path]] = []

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for folder in reversed(self.dirs):
            search_path.prepend("user", f"file://{folder}", anchor="main")


def add_resolvers() -> None:
    # OmegaConf 2.4 turned the old name register_resolver into the new call, and warns about register_new_resolver
    register: Any = OmegaConf.register_resolver if version_of(omegaconf) >= (2, 4) else OmegaConf.register_new_resolver
    register("by_device", by_device, replace=True)
    register("folder_of", folder_of, replace=True)
    register("root_of", root_of, replace=True)
    register("side_of", side_of, replace=True)
    register("oc.env", no_environment, replace=True)


def folder_of(file: str | None) -> str:
    """The folder that a file lies in: `${folder_of:${data.file}}` in YAML."""
    return str(Path(file or "").parent)


def root_of(file: str | None, shards: str | None) -> str:
    """`${root_of:...}` in YAML: a manifest's own folder; shards need none; a set of folders must be named, which the rules say."""
    return folder_of(file) if file else "." if shards else ""


@cache
def store_schema(name: str, schema: type) -> None:
    """Makes a dataclass known to defaults lists; once, since Hydra 1.4 warns about a second time."""
    ConfigStore.instance().store(name=name, node=schema)


@contextmanager
def ready(command: Command, dirs: Sequence[Path]) -> Iterator[None]:
    """Everything that Hydra needs to know about a command, and the process as it was at the end."""
    store_schema(f"{command.config_name}_schema", command.schema)
    Plugins.instance().register(UserConfigs)
    UserConfigs.dirs = list(dirs)
    argv = sys.argv
    # Hydra would print errors its own way and exit; with this they come to us
    wanted = {"HYDRA_FULL_ERROR": "1", STAMP: os.environ.get(STAMP) or datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        sys.argv = argv
        UserConfigs.dirs = []
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


add_resolvers()  # on import: a launcher's worker process meets it by unpickling the task
