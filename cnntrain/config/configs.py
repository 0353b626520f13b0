"""The folders of YAML files: where they lie, which groups and names they hold. No Hydra."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from cnntrain.errors import ConfigError

ENVIRONMENT = "CNNTRAIN_CONFIG_DIR"
MOST_NODES = 10_000


def conf_dir() -> Path:
    """The package's own conf: inside it in a wheel, beside it in a checkout or an editable install."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def user_dirs(given: Iterable[str]) -> list[Path]:
    """The folders of --config-dir, then those of CNNTRAIN_CONFIG_DIR; an earlier one wins.

    Raises:
        ConfigError: one is no folder.
    """
    named = [("--config-dir ", folder) for folder in given]
    named += [(f"{ENVIRONMENT}=", folder) for folder in os.environ.get(ENVIRONMENT, "").split(os.pathsep) if folder]
    faults = [f"{source}{folder}: no such folder" for source, folder in named if not Path(folder).expanduser().is_dir()]
    if faults:
        raise ConfigError(faults)
    dirs = [Path(folder).expanduser().resolve() for _, folder in named]
    bombs = [str(path) for folder in dirs for path in sorted(folder.rglob("*.yaml")) if is_bomb(path)]
    if bombs:
        raise ConfigError(f"{path} comes to more than {MOST_NODES:,} values by its aliases (*name); write them out" for path in bombs)
    return dirs


def is_bomb(path: Path) -> bool:
    """Whether a few aliases of aliases stand for more than anyone could mean: 166 bytes keep OmegaConf busy for 18 s."""
    try:
        text = path.read_text(encoding="utf-8")
        return "*" in text and nodes_in(yaml.compose(text, yaml.SafeLoader), {}) > MOST_NODES
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return False  # told by who reads it


def nodes_in(node: yaml.Node | None, known: dict[int, int]) -> int:
    """Values in a tree of YAML with its aliases written out; one that holds itself is endless."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in known:
        known[id(node)] = MOST_NODES + 1  # for as long as it is looked into
        parts = node.value if isinstance(node, yaml.SequenceNode) else [part for pair in node.value for part in pair]
        known[id(node)] = 1 + sum(nodes_in(part, known) for part in parts)
    return known[id(node)]


def all_groups(dirs: Sequence[Path]) -> dict[str, list[str]]:
    """Group -> names of its files, sorted; a file in a subfolder is SUBFOLDER/NAME."""
    found: dict[str, set[str]] = {}
    for folder in dirs:
        for path in folder.glob("*/**/*.yaml"):
            group, *rest = path.relative_to(folder).with_suffix("").parts
            found.setdefault(group, set()).add("/".join(rest))
    return {group: sorted(names) for group, names in sorted(found.items())}


def command_groups(config_name: str, dirs: Sequence[Path], packaged: Path) -> dict[str, list[str]]:
    """The groups that a command knows: those of its defaults list, and the user's own."""
    of_package = all_groups([packaged])
    chosen = default_choices(config_name, dirs, packaged)
    groups: dict[str, list[str]] = {group: [] for group in chosen} | all_groups([*dirs, packaged])
    return {group: names for group, names in groups.items() if group in chosen or group not in of_package}


def default_choices(config_name: str, dirs: Sequence[Path], packaged: Path) -> dict[str, str | None]:
    """Group -> the name that the command's defaults list takes."""
    path = next(path for path in (folder / f"{config_name}.yaml" for folder in [*dirs, packaged]) if path.is_file())
    defaults = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("defaults", [])
    entries = [entry for entry in defaults if isinstance(entry, dict)]
    return {key.split()[-1].lstrip("/"): value for entry in entries for key, value in entry.items()}


def find_config(group: str, name: str, dirs: Sequence[Path]) -> Path | None:
    """The file that a choice takes: the first folder's that has one."""
    return next((path for path in (folder / group / f"{name}.yaml" for folder in dirs) if path.is_file()), None)


def first_comment(path: Path) -> str:
    """The first comment line that is not a directive to Hydra."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            text = line.strip()
            if text.startswith("#") and not text.startswith("# @"):
                return text.lstrip("# ").rstrip()
            if text and not text.startswith("#"):
                break
    return ""
