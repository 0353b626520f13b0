"""The command line after the command: our flags, Hydra's flags and key=value words, in any order."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cnntrain.errors import ConfigError, did_you_mean

OURS = {"--config-dir": "config_dirs", "-cd": "config_dirs", "--import": "imports"}
NEED = {"--config-dir": "DIR", "-cd": "DIR", "--import": "FILE.py", "--cfg": "job, hydra or all", "--package": "KEY"}
SHORT = {"-c": "--cfg", "-p": "--package", "-m": "--multirun", "-i": "--info", "-sc": "--shell-completion", "-h": "--help"}
PLAIN = ("--multirun", "--resolve", "--hydra-help", "--shell-completion", "--help")
AGAINST = "--against"  # what follows it makes the other network of `explain`
SHOWS = ("format", "layer", "diagram")  # keys that hold for both networks wherever they stand
CFG = ("job", "hydra", "all")
INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
REFUSED = {
    "--config-path": "it would hide cnntrain's own configs; put yours beside them with --config-dir DIR",
    "--config-name": "a command has one; choose what it holds with key=value, or write a recipe",
    "--experimental-rerun": "it runs code from a file; repeat a run with the overrides in its run.json",
}
REFUSED["--compare"] = "to compare two runs type cnntrain eval checkpoint=RUN against=OTHER_RUN"
REFUSED |= {"-cp": REFUSED["--config-path"], "-cn": REFUSED["--config-name"]}


@dataclass
class Flags:
    """What was typed, sorted.

    Args:
        hydra: flags (and their values) that Hydra answers.
        plain: the switches that are on, in their long form.
        cfg, package: values of --cfg and --package.
        config_dirs, imports: values of --config-dir and --import, in order.
        words: everything that is no flag.
        against: the words behind --against, which change the others; None without it.
    """

    hydra: list[str] = field(default_factory=list)
    plain: set[str] = field(default_factory=set)
    cfg: str | None = None
    package: str | None = None
    config_dirs: list[str] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    against: list[str] | None = None

    @property
    def multirun(self) -> bool:
        return "--multirun" in self.plain

    @property
    def only_shows(self) -> bool:
        """Hydra prints something and nothing runs."""
        return self.cfg is not None or "--info" in self.plain or bool({"--hydra-help", "--shell-completion"} & self.plain)

    def other(self) -> "Flags":
        """The command line that --against makes: a later word about a key wins."""
        return replace(self, words=[*self.words, *(self.against or [])], against=None)


def parse_flags(argv: Sequence[str]) -> Flags:
    """
    Raises:
        ConfigError: all flags that are unknown, refused or without their value.
    """
    flags, faults, queue = Flags(), [], list(argv)
    while queue:
        word = queue.pop(0)
        if not word.startswith("-") or word == "-":
            (flags.words if flags.against is None else flags.against).append(word)
            continue
        name, equals, value = word.partition("=")
        name = name if name in OURS else SHORT.get(name, name)
        if name in REFUSED:
            faults.append(f"{name} is not supported: {REFUSED[name]}")
        elif name in NEED:
            if not equals:
                value = queue.pop(0) if queue and not queue[0].startswith("-") else ""
            faults += take_value(flags, name, value)
        elif word == AGAINST:
            flags.against = []
        elif name == "--info":
            flags.plain.add(name)
            flags.hydra += [name, value or (queue.pop(0) if queue and queue[0] in INFO else "all")]
        elif name in PLAIN and not equals:
            flags.plain.add(name)
            if name not in ("--help", "--multirun"):
                flags.hydra.append(name)
        else:
            faults.append(f"no flag {name}; {did_you_mean(name, [*PLAIN, AGAINST, '--info', *NEED])}")
    if flags.multirun and flags.only_shows:
        faults.append("-m does not go with --cfg, --info and the like: they show one configuration; leave out -m")
    if flags.against is not None:
        flags.words += [word for word in flags.against if word.partition("=")[0] in SHOWS]
        flags.against = [word for word in flags.against if word.partition("=")[0] not in SHOWS]
    if flags.against == []:
        faults.append(f"{AGAINST}: it needs what to change, such as {AGAINST} model=plain20")
    if flags.against is not None and (flags.multirun or flags.only_shows):
        faults.append(f"{AGAINST} shows two networks beside each other; leave out -m, --cfg, --info and the like")
    if faults:
        raise ConfigError(faults)
    return flags


def take_value(flags: Flags, name: str, value: str) -> list[str]:
    """Stores a flag's value; faults if it has none that it can take."""
    if not value or (name == "--cfg" and value not in CFG):
        return [f"{name} {value}".rstrip() + f": it needs {NEED[name]}"]
    if name in OURS:
        getattr(flags, OURS[name]).append(value)
        return []
    setattr(flags, name.removeprefix("--"), value)
    flags.hydra += [name, value]
    return []
