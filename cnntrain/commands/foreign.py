"""What a checkpoint of somebody else may hold in place of what cnntrain writes: told as such, and never gone on with."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from cnntrain.errors import CheckpointError

T = TypeVar("T")
WRONG = (KeyError, TypeError, AttributeError, IndexError, ValueError, OverflowError)


def of_this_program(read: Callable[..., T]) -> Callable[..., T]:
    """Lets a function that reads checkpoints, named by its first argument, meet whatever is in them."""

    @wraps(read)
    def told(source: Any, *rest: Any, **keywords: Any) -> T:
        try:
            return read(source, *rest, **keywords)
        except WRONG as error:
            what = f"{type(error).__name__}: {error}"
            raise CheckpointError(
                f"resume={source}: its checkpoint is not what this cnntrain writes ({what}); start anew without resume"
            ) from error

    return told
