"""Hydra's and OmegaConf's exceptions in one sentence each."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import yaml
from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException
from yaml import MarkedYAMLError

from cnntrain.config.check import given_faults
from cnntrain.config.configs import find_config
from cnntrain.config.overrides import no_such_config
from cnntrain.errors import ConfigError, did_you_mean

TOLD = (HydraException, OmegaConfBaseException, MarkedYAMLError)
IN_FILE = re.compile(r"In '([^']+)'")


def explained(error: Exception, schema: type | None = None, dirs: Sequence[Path] = ()) -> ConfigError:
    """The same fault as a sentence that names key or file.

    Args:
        schema, dirs: with them, a value of the wrong type is looked for in the YAML file, of which OmegaConf
            tells no more than the name.
    """
    said = sentence(error)
    file = re.search(r" \(in (\S+)/(\S+)\.yaml\)$", said)
    path = find_config(file[1], file[2], dirs) if file else None
    if file is None or path is None or schema is None:
        return ConfigError(said.replace("'$VALUE' of type '$VALUE_TYPE'", "of a key"))
    text = path.read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    if not isinstance(values, dict):
        held = "nothing" if values is None else "a list" if isinstance(values, list) else "one value"
        return ConfigError(f"{path}: a configuration is lines of key: value, such as epochs: 3, but this file holds {held}")
    prefix = "" if "@package _global_" in text else f"{file[1]}."
    faults = [f"{fault}{file[0]}" for fault in given_faults(values, schema, prefix)]
    return ConfigError([said, *faults] if said.startswith("no option") or not faults else faults)


def not_text(dirs: Sequence[Path]) -> ConfigError:
    """Which of the user's YAML files are none; Hydra's own error does not name them."""
    faults = []
    for path in (path for folder in dirs for path in sorted(folder.rglob("*.yaml"))):
        try:
            path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            faults.append(f"{path}: not UTF-8 text; save it as UTF-8, or take it away")
    return ConfigError(faults)


def sentence(error: BaseException) -> str:
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    files = [match[1] for each in chain if (match := IN_FILE.search(str(each))) and "/" in match[1]]
    file = f" (in {files[0]}.yaml)" if files and not files[0].startswith("hydra/") else ""
    for each in chain:
        if isinstance(each, MissingConfigException) and each.missing_cfg_file:
            return missing_config(each, file)
        if isinstance(each, MarkedYAMLError):
            return no_yaml(each)
    of_config = [each for each in reversed(chain) if isinstance(each, OmegaConfBaseException)]
    if of_config:  # the innermost that knows its key
        return bad_key(next((each for each in of_config if each.full_key), of_config[0])) + file
    return " ".join(str(error).split())


def missing_config(error: MissingConfigException, file: str) -> str:
    """A group choice that names no file."""
    group, _, name = str(error.missing_cfg_file).removesuffix(".yaml").rpartition("/")
    if not group:
        return f"{name}.yaml: no such config{file}"
    if not error.options:
        return f"{group}={name}: there is no such config{file}"
    return no_such_config(group, name, error.options) + file


def bad_key(error: OmegaConfBaseException) -> str:
    """An unknown key, or a value of the wrong type, in a YAML file."""
    text = str(error).splitlines()[0]
    in_text = re.search(r"full_key: (\S+)", str(error))
    key = str(error.full_key or error.key or (in_text[1] if in_text else ""))
    if isinstance(error, (ConfigKeyError, ConfigAttributeError)) and error.parent_node is not None:
        names = [str(name) for name in error.parent_node]
        word = key.rpartition(".")[2]
        head = key[: len(key) - len(word)]
        near = get_close_matches(word, names, 1)
        return f"no option {key}; " + (f"did you mean {head}{near[0]}?" if near else did_you_mean(word, names))
    return f"{key}: {text}" if key else text


def no_yaml(error: MarkedYAMLError) -> str:
    mark = error.problem_mark
    place = f"{Path(mark.name).name}, line {mark.line + 1}" if mark is not None else "a YAML file"
    return f"{place}: not YAML ({error.problem or error.context})"
