"""`cnntrain COMMAND --help`: every key with type, default and meaning from the schema, every group with its names."""

import shutil
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_type_hints

from cnntrain.config.check import parameters_of
from cnntrain.config.command import Command
from cnntrain.config.components.parameters import REQUIRED, Parameter, show
from cnntrain.config.configs import command_groups, conf_dir, default_choices

NARROWEST, WIDEST = 80, 110  # columns
INDENT = 30
OPEN_DEFAULT = "from its group"


def print_help(command: Command, dirs: Sequence[Path]) -> None:
    print("\n".join(help_lines(command, dirs)))


def help_lines(command: Command, dirs: Sequence[Path]) -> list[str]:
    """As wide as the terminal, from 80 to 110 columns.

    Args:
        dirs: the user's folders of configurations.
    """
    lines = [f"usage: cnntrain {command.name} [options] [key=value ...]", ""]
    chosen = default_choices(command.config_name, dirs, conf_dir())
    groups = command_groups(command.config_name, dirs, conf_dir())
    if groups:
        lines.append("groups: choose a file of each with GROUP=NAME (* is the default)")
        for group, names in groups.items():
            marked = ", ".join(f"{name}*" if name == chosen.get(group) else name for name in names)
            lines += entry(group, marked)
        lines.append("")
    lines.append("keys: set one with KEY=VALUE; a group or recipe may change a default")
    lines.append("      (--cfg job shows what holds)")
    for key, kind, meaning in keys(command.schema):
        lines += entry(key, f"{meaning} [{kind}]")
    lines.append("")
    if groups:
        lines.append("components and what they take: cnntrain list blocks (or stems, heads, ...)")
    lines.append("options: cnntrain --help")
    return lines


def keys(schema: type, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Dotted key, `type; default`, meaning; of the closed and the open parts."""
    closed, hints = parameters_of(schema), get_type_hints(schema)
    for each in fields(schema):
        hint = hints[each.name]
        if is_dataclass(hint):
            assert isinstance(hint, type)
            yield from keys(hint, f"{prefix}{each.name}.")
        elif each.name in closed:
            parameter = closed[each.name]
            yield f"{prefix}{each.name}", kind(parameter), parameter.meaning
        else:
            yield f"{prefix}{each.name}", OPEN_DEFAULT, each.metadata["meaning"]


def kind(parameter: Parameter) -> str:
    default = "required" if parameter.default is REQUIRED else f"default {show(parameter.default)}"
    return f"{parameter.wants}; {default}"


def entry(name: str, text: str) -> list[str]:
    """A name and its text beside it, wrapped; below it where the name is long."""
    width = min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST)
    body = textwrap.wrap(text, width - INDENT, break_long_words=False, break_on_hyphens=False) or [""]
    head = f"  {name:<{INDENT - 3}} "
    if len(head) > INDENT:
        return [head.rstrip(), *(" " * INDENT + line for line in body)]
    return [(head + body[0]).rstrip(), *(" " * INDENT + line for line in body[1:])]
