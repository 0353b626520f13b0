"""From words as people type them to overrides that Hydra can parse."""

import os
import re
from collections.abc import Mapping, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from cnntrain.errors import did_you_mean

FUNCTIONS = "choice|range|interval|glob|shuffle|sort|tag|int|float|str|bool|json_str|extend_list"
HYDRA_SYNTAX = re.compile(rf"[\[{{'\"$]|(?:{FUNCTIONS})\(")
INDEX = re.compile(r"\[(\d+)\]")


def parse_words(
    words: Sequence[str], parser: OverridesParser, groups: Mapping[str, Sequence[str]], *, sweep: bool
) -> tuple[list[Override], list[str]]:
    """All overrides that can be read, and a fault for each word that cannot."""
    overrides, faults = [], []
    for word in words:
        if "=" not in word and not word.startswith("~"):
            faults.append(no_value(word, groups))
            continue
        try:
            overrides.append(parser.parse_override(readable(word, parser, sweep=sweep)))
        except HydraException as error:
            reason = str(error).splitlines()[0].rstrip(".")
            faults.append(f"{word}: cannot be read ({reason}); put a text in quotes inside the shell's: 'key=\"text\"'")
    return overrides, faults


def readable(word: str, parser: OverridesParser, *, sweep: bool = False) -> str:
    """The word, with indices as model.stages.1 and with quotes round a value that Hydra could not parse.

    epoch=3.pt, ~/photos and `my data (1)` are ordinary file names, but syntax errors to Hydra. Hydra's
    own syntax stays as it is.
    """
    key, equals, value = word.partition("=")
    word = INDEX.sub(r".\1", key) + equals + value
    if parses(word, parser) or not equals or HYDRA_SYNTAX.match(value):
        return word
    values = value.split(",") if sweep else [value]
    key = INDEX.sub(r".\1", key)
    return f"{key}=" + ",".join(one if parses(f"{key}={one}", parser) else quoted(expanded(one)) for one in values)


def parses(word: str, parser: OverridesParser) -> bool:
    try:
        parser.parse_override(word)
    except HydraException:
        return False
    return True


def quoted(text: str) -> str:
    """A text as Hydra's grammar writes one: quotes, and backslashes before quotes, are escaped."""
    inner = re.sub(r'(\\*)"', lambda match: match[1] * 2 + '\\"', text)
    ending = len(inner) - len(inner.rstrip("\\"))
    return f'"{inner}{inner[len(inner) - ending :] if ending else ""}"'


def expanded(text: str) -> str:
    """~/photos with the home folder in place of ~, which the shell leaves alone behind a `=`."""
    return os.path.expanduser(text) if text.startswith("~/") else text


def no_value(word: str, groups: Mapping[str, Sequence[str]]) -> str:
    """The fault of a word without `=`."""
    group = next((group for group, names in groups.items() if word in names), None)
    if group is not None:
        return f"{word} is no key=value; did you mean {group}={word}?"
    if word in groups:
        return f"{word} needs a value: {word}=NAME; {did_you_mean('', groups[word])}"
    return f"{word} is no key=value, such as epochs=10"
