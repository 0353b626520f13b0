"""Python files that the user names with --import: run before anything is checked, so that what they register counts."""

import importlib.util
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path

from cnntrain.errors import ConfigError


def import_files(files: Iterable[str]) -> None:
    """
    Raises:
        ConfigError: a file that is missing, that fails, or whose name is taken.
    """
    for name in files:
        import_file(Path(name).expanduser().resolve(), name)


def import_file(path: Path, typed: str) -> None:
    """Runs one file as the module of its name; a second call for the same file does nothing."""
    if not path.is_file() or path.suffix != ".py":
        raise ConfigError(f"--import {typed}: {'not a .py file' if path.is_file() else 'no such file'}")
    known = sys.modules.get(path.stem)
    if known is not None and getattr(known, "__file__", None) == str(path):
        return
    if known is not None or importlib.util.find_spec(path.stem) is not None:
        found = importlib.util.find_spec(path.stem) if known is None else known.__spec__
        if found is None or found.origin != str(path):
            raise ConfigError(f"--import {typed}: Python has another module of that name; rename the file, such as my_{path.name}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None, path
    assert spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[path.stem]
        text = error.msg if isinstance(error, SyntaxError) else error
        raise ConfigError(f"--import {typed}: {place(error, path)}{type(error).__name__}: {text}") from error
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # worker processes that start anew find the module by its name


def place(error: Exception, path: Path) -> str:
    """`line 3: ` where the user's file led to the error."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: "
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"line {lines[-1]}: " if lines else ""
