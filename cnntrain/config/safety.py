"""What a configuration may not ask of Hydra: to run code, or to move where things are read and written."""

import re
from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

# Hydra builds what stands directly at these places, and takes for the first two only plugins that are installed; a name
# such as hydra_plugins.x.os.system deeper down it would look up attribute by attribute, and call
TRUSTED = {
    "hydra.sweeper._target_": re.compile(r"(hydra\._internal\.core_plugins|hydra_plugins)(\.\w+)+"),
    "hydra.launcher._target_": re.compile(r"(hydra\._internal\.core_plugins|hydra_plugins)(\.\w+)+"),
    "hydra.sweeper.sampler._target_": re.compile(r"optuna\.samplers\.[A-Z]\w*"),
}
LOGGING = {"version", "root", "disable_existing_loggers"}


def word_fault(key: str) -> str | None:
    """Why this key may not be set on the command line."""
    if "_target_" in key.split("."):
        return f"{key}: components are named by type, not by _target_; register your own with --import FILE.py"
    if key.startswith("hydra.callbacks"):
        return f"{key}: cnntrain runs no callbacks from a configuration"
    if key.startswith(("hydra.searchpath", "hydra/searchpath")):
        return f"{key} is not supported: it would come behind cnntrain's own configs; use --config-dir DIR"
    if key.startswith(("hydra.job_logging", "hydra/job_logging", "hydra.hydra_logging", "hydra/hydra_logging")):
        return f"{key}: cnntrain sets up its logging itself; leave it out"
    if key.startswith(("hydra.job.chdir", "hydra.output_subdir", "hydra.sweep.subdir")):
        return f"{key} is not supported: cnntrain decides what a run folder holds; leave it out"
    return None


def hydra_faults(hydra: DictConfig) -> list[str]:
    """What YAML files have set in Hydra's own part, after composing; the command line is seen before."""
    faults = []
    if hydra.get("callbacks"):
        faults.append("hydra.callbacks: cnntrain runs no callbacks from a configuration; take them out of your YAML")
    for key in ("job_logging", "hydra_logging"):
        extra = set(hydra[key] or {}) - LOGGING
        if extra or (hydra[key] or {}).get("root"):
            faults.append(f"hydra.{key}: cnntrain sets up its logging itself; take it out of your YAML")
    if hydra.job.chdir or hydra.output_subdir is not None:
        faults.append("hydra.job.chdir and hydra.output_subdir: cnntrain decides what a run folder holds; take them out of your YAML")
    for key, value in settings(OmegaConf.to_container(hydra, resolve=False), "hydra"):
        if key.endswith("._target_") and not (key in TRUSTED and TRUSTED[key].fullmatch(str(value))):
            faults.append(f"{key}={value}: only installed sweepers and launchers are run, chosen such as hydra/launcher=joblib")
    if hydra.sweeper.get("custom_search_space") is not None:
        faults.append("hydra.sweeper.custom_search_space names code to run; write the search space as key=value words")
    if hydra.job.get("env_set") or hydra.job.get("env_copy"):
        faults.append("hydra.job.env_set and env_copy: no configuration changes the environment; set variables in the shell")
    return faults


def no_environment(name: str = "", *_: Any) -> Any:
    """What `${oc.env:NAME}` comes to: a run folder, which people share, would keep the value.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"${{oc.env:{name}}} would be written into the run folder; give it on the command line, as KEY=${name}")


def target_faults(config: Any) -> list[str]:
    """`_target_` anywhere in our own part; nothing reads it, and no one may think that something does."""
    return [
        f"{key}: components are named by type, not by _target_; register your own with --import FILE.py"
        for key, _ in settings(config, "")
        if key.rpartition(".")[2] == "_target_"
    ]


def settings(node: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Dotted key and value of every leaf."""
    if isinstance(node, dict | list):
        for name, child in node.items() if isinstance(node, dict) else enumerate(node):
            yield from settings(child, f"{key}.{name}" if key else str(name))
    else:
        yield key, node
