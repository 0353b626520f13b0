"""Tab completion: command words and flags are answered here, groups and keys by Hydra, which sees no command word."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from cnntrain.config.flags import AGAINST, CFG, NEED, OURS, PLAIN, SHORT

USAGE_ERROR = 2
# A word that ends in = . or / goes on; all others get a space. bash breaks words at =, so what stands before it is cut off.
SCRIPTS = {
    "bash": """\
_cnntrain_complete() {
    local line="${COMP_LINE:0:COMP_POINT}" reply cut=""
    local typed="${line##*[[:space:]]}"
    [[ $typed == *=* && $COMP_WORDBREAKS == *=* ]] && cut="${typed%"${typed##*=}"}"
    COMPREPLY=()
    while IFS= read -r reply; do
        [[ -n $reply && $reply == "$typed"* ]] || continue
        [[ -d ${reply#*=} && $reply != */ && $reply == *[=/]* ]] && reply+="/"
        [[ $reply == *[=./] ]] || reply+=" "
        COMPREPLY+=("${reply#"$cut"}")
    done < <(COMP_LINE="$line" "$1" -sc query=bash 2>/dev/null)
}
complete -o nospace -o default -F _cnntrain_complete cnntrain
""",
    "zsh": """\
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -u }
_cnntrain_complete() {
    local -a replies whole
    replies=("${(@f)$(COMP_LINE="${(j: :)words[1,CURRENT-1]} $PREFIX" ${words[1]} -sc query=zsh 2>/dev/null)}")
    replies=(${replies:#})
    (( $#replies )) || { _files; return }
    whole=(${replies:#*[=./]})
    compadd -Q -- $whole
    compadd -Q -S '' -- ${replies:|whole}
}
compdef _cnntrain_complete cnntrain
""",
    "fish": """\
function _cnntrain_complete
    set -lx COMP_LINE (commandline -cp)
    set -l parts (commandline -opc)
    $parts[1] -sc query=fish 2>/dev/null
end
complete -c cnntrain -e
complete -c cnntrain -f -a '(_cnntrain_complete)'
complete -c cnntrain -l import -r -F
complete -c cnntrain -l config-dir -r -F
""",
}
REMOVAL = {
    "bash": "complete -r cnntrain; unset -f _cnntrain_complete\n",
    "zsh": "compdef -d cnntrain; unfunction _cnntrain_complete\n",
    "fish": "complete -c cnntrain -e; functions -e _cnntrain_complete\n",
}


def complete(words: Sequence[str], plain: Mapping[str, Sequence[str] | None], load: Callable[[str], Any]) -> int:
    """Answers `-sc install=SHELL`, `-sc uninstall=SHELL`, and the shell's own `-sc query=SHELL`.

    Args:
        plain: command -> the words it takes; None for a Command that takes key=value words.
        load: command -> its Command.
    """
    verb, _, shell = (words[0] if words else "").partition("=")
    if verb not in ("install", "uninstall", "query") or shell not in SCRIPTS:
        print("cnntrain: -sc takes install=bash, install=zsh or install=fish (or uninstall=...)", file=sys.stderr)
        return USAGE_ERROR
    if verb == "query":
        for reply in replies(os.environ.get("COMP_LINE", ""), plain, load):
            print(reply)
        return 0
    print((SCRIPTS if verb == "install" else REMOVAL)[shell], end="")
    return 0


def replies(line: str, plain: Mapping[str, Sequence[str] | None], load: Callable[[str], Any]) -> list[str]:
    """What can stand in place of the line's last word."""
    typed = line.split()[1:]
    last = "" if not typed or line[-1:].isspace() else typed.pop()
    command = next((name for name in plain if typed[: len(name.split())] == name.split()), None)
    if command is None:
        if last.startswith("-"):
            return matching(last, ("--help", "--version") if not typed else ())
        return matching(last, {name.split()[len(typed)] for name in plain if name.split()[: len(typed)] == typed})
    before = typed[len(command.split()) :]
    flag = SHORT.get(before[-1], before[-1]) if before else ""
    if flag in NEED:
        return matching(last, CFG if flag == "--cfg" else ())
    if last.startswith("-"):
        own = (AGAINST,) if command == "explain" else ()
        return matching(last, (*PLAIN, *own, "--info", *(name for name in NEED if name.startswith("--"))))
    if (takes := plain[command]) is not None:
        return matching(last, takes)
    return by_hydra(load(command), before, last)


def matching(start: str, words: set[str] | Sequence[str]) -> list[str]:
    return sorted(word for word in words if word.startswith(start))


def by_hydra(command: Any, before: Sequence[str], last: str) -> list[str]:
    """Groups, names, keys and paths, by Hydra's own completion; nothing where the line is not in order yet."""
    from contextlib import redirect_stdout
    from io import StringIO

    from cnntrain.config.compose import call_hydra
    from cnntrain.config.configs import user_dirs
    from cnntrain.config.hydra_setup import ready
    from cnntrain.config.task import Task

    keys, dirs = without_flags(before)
    os.environ["COMP_LINE"] = " ".join(["cnntrain", *keys, last])
    output = StringIO()
    with suppress(Exception), redirect_stdout(output), ready(command, user_dirs(dirs)):
        call_hydra(command, ["-sc", "query=fish"], Task(command, [], None, []))  # fish's answer has one reply a line
    shown = [reply for reply in output.getvalue().splitlines() if not reply.startswith("hydra") or last.startswith("hydra")]
    return [reply for reply in shown if reply.strip()]


def without_flags(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The key=value words, and the folders of --config-dir."""
    keys, dirs, queue = [], [], list(words)
    while queue:
        name, equals, value = queue.pop(0).partition("=")
        if not name.startswith("-"):
            keys.append(f"{name}{equals}{value}")
        elif SHORT.get(name, name) in NEED:
            value = value or (queue.pop(0) if queue else "")
            if OURS.get(name) == "config_dirs":
                dirs.append(os.path.expanduser(value))
    return keys, dirs
