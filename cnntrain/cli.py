"""cnntrain COMMAND [options] [key=value ...]: the first word, or two, picks the command.

Nothing heavy is imported here: help, version and a typo are answered at once.
"""

import os
import sys
from errno import ENOSPC
from importlib import import_module

TYPE_CHECKING = False  # importing typing would cost more than all the rest
if TYPE_CHECKING:
    from typing import Any

# command -> (where it is: a Command that takes key=value words, or a plain function of its words; its meaning)
COMMANDS = {
    "train": ("cnntrain.commands.train:COMMAND", "train a network on a folder of images; -m a=1,2 runs a sweep"),
    "eval": ("cnntrain.commands.eval:COMMAND", "evaluate a checkpoint on a folder of images"),
    "explain": ("cnntrain.commands.explain:COMMAND", "every layer of a network: sizes, costs, formulas; needs no data"),
    "data check": ("cnntrain.commands.data_check:COMMAND", "look at every file: what cannot be read, what is there twice"),
    "data stats": ("cnntrain.commands.data_stats:COMMAND", "classes, sizes and colours; a sheet of the augmentations"),
    "data cache": ("cnntrain.commands.data_cache:run", "what is kept of decoded images; clear removes it"),
    "runs verify": ("cnntrain.commands.runs_verify:run", "read every byte of a run folder and say what is broken"),
    "list": ("cnntrain.commands.list:run", "name what there is: models, blocks, transforms, optimizers, ..."),
}
USAGE = """\
usage: cnntrain COMMAND [options] [key=value ...]

commands
{commands}

options, anywhere behind the command
  --help            every key of the command with its type, default and meaning
  -m, --multirun    run every combination: -m optimizer.lr=0.1,0.01 seed=0,1,2
  --cfg job         print the whole configuration; nothing runs
  --config-dir DIR  your YAML files, before ours (also CNNTRAIN_CONFIG_DIR)
  --import FILE.py  your own blocks, transforms, optimizers, schedules
  --against KEY=VALUE ...   behind explain: another network beside the first
  --info, --package KEY, --resolve, --hydra-help

  cnntrain --version
  eval "$(cnntrain -sc install=bash)"       tab completion; also zsh
  cnntrain -sc install=fish | source
"""
USAGE_ERROR = 2
DISK_FULL = 74


def main(argv: list[str] | None = None) -> int:
    """Runs one command line and returns its exit code."""
    words = sys.argv[1:] if argv is None else argv
    # Before torch is imported: idle OpenMP threads sleep instead of spinning. With one core busy elsewhere the digits
    # trained in 12 s instead of 31 s (2 cores, medians of 2 interleaved runs).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        code = dispatch(words)
        if sys.stdout is not None:  # None where it was closed: `cnntrain ... >&-`
            sys.stdout.flush()
        return code
    except BrokenPipeError:  # `cnntrain ... | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno != ENOSPC:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print("cnntrain: the output cannot be written: the disk is full", file=sys.stderr)
        return DISK_FULL


def dispatch(words: list[str]) -> int:
    if not words or words[0] in ("--help", "-h"):
        print(usage(), end="")
        return 0
    if words[0] in ("--version", "-V"):
        from cnntrain import __version__

        print(f"cnntrain {__version__}")
        return 0
    if words[0] in ("-sc", "--shell-completion"):
        from cnntrain.config.completion import complete

        plain = {name: None if where.endswith(":COMMAND") else module_of(name).KINDS for name, (where, _) in COMMANDS.items()}
        return complete(words[1:], plain, load)
    for length in (2, 1):
        name = " ".join(words[:length])
        if name in COMMANDS and len(words) >= length:
            return start(name, words[length:])
    return no_command(words)


def start(name: str, words: list[str]) -> int:
    """Runs a command that exists."""
    import gc

    gc.disable()  # imports leave no garbage, and looking for it takes a tenth of the time to an answer; `run` turns it on
    target = load(name)
    if COMMANDS[name][0].endswith(":COMMAND"):
        from cnntrain.config.compose import run

        return run(target, words)
    gc.enable()
    return int(target(words))


def load(name: str) -> "Any":
    """The Command or function of a command."""
    return getattr(module_of(name), COMMANDS[name][0].partition(":")[2])


def module_of(name: str) -> "Any":
    return import_module(COMMANDS[name][0].partition(":")[0])


def usage() -> str:
    width = max(map(len, COMMANDS)) + 2
    return USAGE.format(commands="\n".join(f"  {name:<{width}}{meaning}" for name, (_, meaning) in COMMANDS.items()))


def no_command(words: list[str]) -> int:
    """One sentence for a first word that is no command."""
    from cnntrain.errors import did_you_mean

    word = words[0]
    if "=" in word:
        said = f"{word} comes behind a command; did you mean: cnntrain train {' '.join(words)}"
    elif word.startswith("-"):
        said = f"{word} comes behind a command, such as: cnntrain train {' '.join(words)}"
    else:
        said = f"no command {word}; {did_you_mean(word, COMMANDS)}"
    print(f"cnntrain: {said}", file=sys.stderr)
    return USAGE_ERROR
