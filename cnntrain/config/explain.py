"""Hydra's and OmegaConf's exceptions in one sentence each."""

import re
from difflib import get_close_matches
from pathlib import Path

from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException
from yaml import MarkedYAMLError

from cnntrain.config.overrides import no_such_config
from cnntrain.errors import ConfigError, did_you_mean

TOLD = (HydraException, OmegaConfBaseException, MarkedYAMLError)
IN_FILE = re.compile(r"In '([^']+)'")


def explained(error: Exception) -> ConfigError:
    """The same fault as a sentence that names key or file."""
    return ConfigError(sentence(error))


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
    for each in reversed(chain):
        if isinstance(each, OmegaConfBaseException):
            return bad_key(each) + file
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
    key = str(error.full_key or error.key or "")
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
