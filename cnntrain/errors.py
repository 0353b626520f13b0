"""One tree of errors: what the user can mend (exit code 2), and what ended a run (3, 74, 75, 79, 130)."""

from collections.abc import Iterable
from difflib import get_close_matches

MOST_FAULTS_SHOWN = 4


class CnntrainError(Exception):
    """Everything that is told in plain sentences instead of a traceback.

    Args:
        faults: one sentence, or several; each names the key or file, what it got, what it wants.
    """

    exit_code = 1
    status = "failed"  # of the run that it ends

    def __init__(self, faults: str | Iterable[str]):
        self.faults = [faults] if isinstance(faults, str) else list(dict.fromkeys(faults))
        super().__init__("\n".join(self.faults))

    def lines(self) -> list[str]:
        """The first four faults, then `and N more`."""
        more = len(self.faults) - MOST_FAULTS_SHOWN
        return self.faults[:MOST_FAULTS_SHOWN] + ([f"and {more} more"] if more > 0 else [])


class UserError(CnntrainError):
    """The user can mend this: configuration, data, checkpoint."""

    exit_code = 2


class ConfigError(UserError):
    """A key, a value or a combination of settings that cannot work."""


class ShapeError(ConfigError):
    """A layer that does not fit its input."""


class DataError(UserError):
    """A folder or file that cannot be used."""


class CheckpointError(UserError):
    """A run folder or checkpoint that cannot be read."""


class CannotGoOn(CnntrainError):
    """The run met something it cannot pass: memory, device, workers."""

    exit_code = 3


class DiskFull(CnntrainError):
    """Nothing more can be written."""

    exit_code = 74


class StoppedAndSaved(CnntrainError):
    """SIGTERM: everything is saved, `resume` goes on."""

    exit_code = 75
    status = "stopped"


class Diverged(CnntrainError):
    """The loss is no longer a finite number."""

    exit_code = 79
    status = "diverged"


class Interrupted(CnntrainError):
    """Ctrl-C: the last checkpoint is named."""

    exit_code = 130
    status = "interrupted"


def did_you_mean(word: str, names: Iterable[object], *, head: str = "") -> str:
    """`did you mean HEADname?` for a close name, else `there are: a, b, c`."""
    known = [str(name) for name in names]
    near = get_close_matches(word, known, 1)
    if near:
        return f"did you mean {head}{near[0]}?"
    return "there are: " + ", ".join(known) if known else "there are none"


def printable(text: object) -> str:
    """The text with control characters as escapes: a class may be called `\\x1b[2J`, and a file name may hold any byte."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in str(text))
