"""The columns of a manifest as texts, from CSV or parquet. No torch."""

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnntrain.data.findings import shown
from cnntrain.errors import did_you_mean

DELIMITERS = (",", ";", "\t")
PARQUET = (".parquet", ".pq")


class ManifestFault(ValueError):
    """The manifest as a whole cannot be used; its text is the sentence to tell."""


@dataclass(frozen=True)
class Table:
    """The rows of a manifest.

    Args:
        file: as the user typed it.
        columns: name -> a text for each row; only the columns that were asked for and are there.
        lines: the line of each row in a CSV file, counted from 1; in parquet its number.
        faults: (line, sentence) of the rows that were left out as they cannot be read.
        word: what a number in `lines` is: line or row.
    """

    file: Path
    columns: dict[str, list[str]]
    lines: list[int]
    faults: list[tuple[int, str]]
    word: str

    def where(self, row: int) -> str:
        return f"{shown(self.file)} {self.word} {self.lines[row]}"


def read_table(file: Path, needed: Sequence[str], optional: Sequence[str], separator: str) -> Table:
    """Read the columns that are asked for.

    Args:
        needed, optional: names of columns; without a needed one there is a fault.
        separator: stands between the items of a parquet cell that is a list.

    Raises:
        ManifestFault: no such file, another format, or a column that is not there.
    """
    if not os.path.isfile(file):
        what = f"{shown(file)} is no file" if os.path.lexists(file) else f"no file {shown(file)}"
        raise ManifestFault(f"data.file: {what}; type data.file=FILE.csv")
    try:
        if file.suffix.lower() in PARQUET:
            return read_parquet(file, needed, optional, separator)
        return read_csv(file, needed, optional)
    except OSError as error:
        raise ManifestFault(f"data.file: cannot read {shown(file)} ({error.strerror or error})") from error


def read_csv(file: Path, needed: Sequence[str], optional: Sequence[str]) -> Table:
    """UTF-8 with or without a byte order mark; comma, semicolon or tab, whichever parts the first line into the needed columns."""
    try:
        with open(file, encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
            stream.seek(0)
            headers = {delimiter: [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])] for delimiter in DELIMITERS}
            delimiter = max(headers, key=lambda d: (len(set(needed) & set(headers[d])), len(headers[d])))
            header = headers[delimiter]
            check_columns(file, header, needed)
            wanted = {name: header.index(name) for name in [*needed, *optional] if name in header}
            columns: dict[str, list[str]] = {name: [] for name in wanted}
            lines, faults = list[int](), list[tuple[int, str]]()
            rows = csv.reader(stream, delimiter=delimiter)
            next(rows)
            for row in rows:
                if len(row) != len(header):
                    if row:  # else an empty line
                        faults.append((rows.line_num, f"{len(row)} fields, but the first line names {len(header)} columns"))
                    continue
                for name, place in wanted.items():
                    columns[name].append(row[place])
                lines.append(rows.line_num)
    except UnicodeDecodeError:
        raise ManifestFault(f"data.file: {not_utf8(file)}") from None
    except csv.Error as error:
        raise ManifestFault(f"data.file: {shown(file)} cannot be read as CSV ({error})") from error
    return Table(file, columns, lines, faults, "line")


def read_parquet(file: Path, needed: Sequence[str], optional: Sequence[str], separator: str) -> Table:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        sentence = f"{shown(file)} is parquet, which needs the package pyarrow; type pip install 'cnntrain[parquet]', or save it as CSV"
        raise ManifestFault(f"data.file: {sentence}") from None
    try:
        header = pyarrow.parquet.read_schema(file).names
        check_columns(file, header, needed)
        table = pyarrow.parquet.read_table(file, columns=[name for name in [*needed, *optional] if name in header])
    except pyarrow.ArrowException as error:
        raise ManifestFault(f"data.file: {shown(file)} cannot be read as parquet ({str(error).splitlines()[0]})") from error
    columns = {name: [as_text(cell, separator) for cell in table.column(name).to_pylist()] for name in table.column_names}
    return Table(file, columns, list(range(1, table.num_rows + 1)), [], "row")


def as_text(cell: Any, separator: str) -> str:
    if cell is None:
        return ""
    return separator.join(map(str, cell)) if isinstance(cell, list) else str(cell)


def check_columns(file: Path, header: Sequence[str], needed: Sequence[str]) -> None:
    """
    Raises:
        ManifestFault: a column is missing, or is there twice.
    """
    if not any(header):
        raise ManifestFault(f"data.file: {shown(file)} is empty; its first line names the columns, such as path,label")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ManifestFault(f"data.file: {shown(file)} has two columns {shown(twice[0])}")
    for name in needed:
        if name not in header:
            near = did_you_mean(name, map(shown, header[:20]))
            raise ManifestFault(
                f"data.file: {shown(file)} has no column {name}; {near} (data.path_column, data.label_column, ... name them)"
            )


def not_utf8(file: Path) -> str:
    """Where the first byte is that is no UTF-8."""
    with open(file, "rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                byte = line[error.start]
                return f"{shown(file)} line {number} is not UTF-8 (byte 0x{byte:02x}); save it as CSV UTF-8"
    return f"{shown(file)} is not UTF-8; save it as CSV UTF-8"
