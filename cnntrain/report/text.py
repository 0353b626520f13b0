"""A table as plain text, for TensorBoard and files."""

import io

from rich.console import Console
from rich.table import Table

WIDTH = 140  # characters


def as_text(table: Table) -> str:
    """The table as it would stand on a wide terminal without colours."""
    page = io.StringIO()
    Console(file=page, width=WIDTH, color_system=None, force_terminal=False).print(table)
    return page.getvalue()
