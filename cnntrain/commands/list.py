"""`cnntrain list [KIND]`: what there is, what it means and what it takes."""

import sys
from collections.abc import Sequence
from pathlib import Path

from cnntrain.config.components.installed import load_installed
from cnntrain.config.components.parameters import REQUIRED, Component, show
from cnntrain.config.components.registry import components
from cnntrain.config.configs import all_groups, conf_dir, find_config, first_comment, user_dirs
from cnntrain.config.flags import parse_flags
from cnntrain.config.help import entry
from cnntrain.config.userfiles import import_files
from cnntrain.errors import CnntrainError, ConfigError, did_you_mean

COMPONENTS = {
    "blocks": ("block", "kinds of blocks, {block: NAME, ...} in model.stages"),
    "stems": ("stem", "kinds of stems, model.stem.type"),
    "heads": ("head", "kinds of heads, model.head.type"),
    "transforms": ("transform", "steps of transforms.train and transforms.eval"),
    "mixes": ("mix", "changes of a whole training batch, in transforms.mix"),
    "optimizers": ("optimizer", "optimizer.type; optimizer=NAME takes it with its defaults"),
    "schedules": ("schedule", "schedule.type; schedule=NAME takes it with its defaults"),
}
FILES = {
    "models": ("model", "whole networks: model=NAME"),
    "recipes": ("recipe", "whole trainings: recipe=NAME"),
}
KINDS = {kind: meaning for kind, (_, meaning) in {**FILES, **COMPONENTS}.items()}


def run(words: Sequence[str]) -> int:
    """Prints one kind, or all kinds with their names."""
    try:
        flags = parse_flags(words)
        dirs = user_dirs(flags.config_dirs)
        import_files(flags.imports)
        load_installed()
        if "--help" in flags.plain:
            print("usage: cnntrain list [KIND] [--config-dir DIR] [--import FILE.py]\n\nkinds")
            print("\n".join(line for kind, meaning in KINDS.items() for line in entry(kind, meaning)))
            return 0
        unknown = [f"no list of {word}; {did_you_mean(word, KINDS)}" for word in flags.words if word not in KINDS]
        if unknown:
            raise ConfigError(unknown)
    except CnntrainError as error:
        for line in error.lines():
            print(f"cnntrain: {line}", file=sys.stderr)
        return error.exit_code
    folders = [*dirs, conf_dir()]
    lines = [line for word in flags.words for line in one_kind(word, folders)] if flags.words else all_kinds(folders)
    print("\n".join(lines))
    return 0


def all_kinds(folders: Sequence[Path]) -> list[str]:
    """Each kind with its meaning and names."""
    lines = []
    for kind, meaning in KINDS.items():
        lines += entry(kind, meaning)
        lines += entry("", ", ".join(names_of(kind, folders)) or "none")
    return [*lines, "", "cnntrain list KIND tells what each is and takes"]


def names_of(kind: str, folders: Sequence[Path]) -> list[str]:
    if kind in FILES:
        return all_groups(folders).get(FILES[kind][0], [])
    return list(components(COMPONENTS[kind][0]))


def one_kind(kind: str, folders: Sequence[Path]) -> list[str]:
    """Each name with its meaning; a component with its parameters."""
    if kind in COMPONENTS:
        found = components(COMPONENTS[kind][0])
        return [line for name, component in found.items() for line in component_lines(name, component)]
    lines = []
    for name in names_of(kind, folders):
        path = find_config(FILES[kind][0], name, folders)
        assert path is not None, name
        lines += entry(name, first_comment(path))
    return lines or [f"no {kind} yet; put one into DIR/{FILES[kind][0]}/NAME.yaml and add --config-dir DIR"]


def component_lines(name: str, component: Component) -> list[str]:
    lines = entry(name, component.meaning)
    for key, parameter in component.parameters.items():
        default = "required" if parameter.default is REQUIRED else f"default {show(parameter.default)}"
        lines += entry(f"  {key}", f"{parameter.meaning} [{parameter.wants}; {default}]".lstrip())
    return lines
