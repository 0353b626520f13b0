"""What a configuration may not ask of Hydra: to run code, or to move where things are read and written."""

from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

# Hydra's own sweepers and launchers, those of installed plugins, and the samplers of the Optuna sweeper
TRUSTED = ("hydra._internal.core_plugins.", "hydra_plugins.", "optuna.samplers.")
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
        if key.endswith("._target_") and not str(value).startswith(TRUSTED):
            faults.append(f"{key}={value}: only installed sweepers and launchers are run, chosen such as hydra/launcher=joblib")
    return faults


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
