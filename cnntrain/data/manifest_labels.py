"""What the labels of a manifest mean: a class, several classes, or numbers. No torch."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from cnntrain.data.findings import shown
from cnntrain.data.manifest_table import ManifestFault

MOST_NUMBERED_CLASSES = 20  # different whole numbers that auto takes for classes
LARGEST_NUMBER = float(np.finfo(np.float32).max)
MOST_TARGETS = 2**30  # float32 numbers in one table of targets: 4 GiB


def task_of(cells: Sequence[Sequence[str]], *, asked: str, columns: Sequence[str], separator: str) -> tuple[str, str]:
    """The task, and where it was guessed the sentence that says so.

    Text is a class; text with the separator is several classes; up to 20 different whole numbers are classes. Other numbers may be
    either, and are not guessed at.

    Args:
        cells: the labels, a list for each column.

    Raises:
        ManifestFault: the labels may be either.
    """
    if asked != "auto":
        if asked == "classification" and len(columns) > 1:
            raise ManifestFault(f"data.task=classification takes one data.label_column, not {len(columns)}")
        return asked, ""
    if len(columns) > 1:
        if {cell.strip() for column in cells for cell in column} <= {"0", "1"}:
            raise ManifestFault(
                f"data.label_column names {len(columns)} columns of 0 and 1; type data.task=multilabel where each is a class that is "
                "there or not, or data.task=regression where they are numbers"
            )
        return "regression", f"data.task=auto: the {len(columns)} label columns are numbers to estimate (regression)"
    different = {cell.strip() for cell in cells[0]}
    if separator and any(separator in cell for cell in different):
        return "multilabel", f"data.task=auto: labels hold several classes with {separator} between them (multilabel)"
    numbers = [number(cell) for cell in different if cell]
    if not numbers or any(each is None for each in numbers):
        broken = any(each is not None and not each.is_integer() for each in numbers)  # 1.5 is seldom the name of a class
        odd = next((cell for cell in cells[0] if cell.strip() and number(cell) is None), "")
        told = f"data.task=auto: column {shown(columns[0])} holds numbers and {shown(odd)}, and is taken for classes"
        return "classification", f"{told}; mend the cell and type data.task=regression if it is meant as numbers" if broken else ""
    whole = all(cell.lstrip("+-").isdecimal() for cell in different if cell)
    if whole and len(different) <= MOST_NUMBERED_CLASSES:
        told = f"data.task=auto: the {len(different)} different whole numbers in column {shown(columns[0])} are taken for classes"
        return "classification", told + "; data.task=regression takes them for numbers"
    what = f"{len(different):,} different numbers" if whole else "numbers that are not whole"
    sentence = f"data.task=auto: column {shown(columns[0])} has {what}, which may be classes or not"
    raise ManifestFault(f"{sentence}; type data.task=regression, or data.task=classification")


def number(cell: str) -> float | None:
    """A finite number that fits float32, or None."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) <= LARGEST_NUMBER else None


def parts_of(cell: str, separator: str) -> list[str]:
    """The classes in one cell of a multi-label column."""
    return [part.strip() for part in (cell.split(separator) if separator else [cell]) if part.strip()]


def label_fault(row: Sequence[str], *, task: str, asked: str, columns: Sequence[str]) -> str | None:
    """What is wrong with the label cells of one row."""
    for name, cell in zip(columns, row, strict=True):
        if task == "regression" or len(columns) > 1:
            if not cell.strip():
                return f"no number in column {shown(name)}"
            if task == "regression" and number(cell) is None:
                return f"{shown(cell)} in column {shown(name)} is no finite number"
            if task == "multilabel" and cell.strip() not in ("0", "1"):
                return f"{shown(cell)} in column {shown(name)} is neither 0 nor 1"
        elif not cell.strip():
            if task == "multilabel" and asked == "multilabel":
                continue  # none of the classes
            hint = "; data.task=multilabel takes it for none of the classes" if task == "multilabel" else ""
            return f"no label{hint}"
    return None


def class_names(rows: Iterable[Sequence[str]], *, task: str, columns: Sequence[str], separator: str) -> list[str]:
    """Names of the classes in these rows, sorted; the columns where each is a target of its own."""
    if task == "regression" or len(columns) > 1:
        return list(columns)
    if task == "multilabel":
        return sorted({part for row in rows for part in parts_of(row[0], separator)})
    return sorted({row[0].strip() for row in rows})


def targets_of(rows: Sequence[Sequence[str]], *, task: str, classes: Sequence[str], columns: Sequence[str], separator: str) -> np.ndarray:
    """(N,) int64 labels; for several classes (N, K) float32 of 0 and 1; for numbers (N, D) float32.

    A class that is not among `classes` is left out: a label is -1 then.

    Raises:
        ManifestFault: more targets than fit the memory.
    """
    place_of = {name: place for place, name in enumerate(classes)}
    if task == "classification":
        return np.array([place_of.get(row[0].strip(), -1) for row in rows], np.int64)
    if len(rows) * len(classes) > MOST_TARGETS:
        raise ManifestFault(
            f"data.file: {len(rows):,} rows of {len(classes):,} targets take more than 4 GiB; give fewer rows, or fewer classes"
        )
    if task == "regression" or len(columns) > 1:
        return np.array([[float(cell) for cell in row] for row in rows], np.float32).reshape(len(rows), len(columns))
    targets = np.zeros((len(rows), len(classes)), np.float32)
    for index, row in enumerate(rows):
        for part in parts_of(row[0], separator):
            if part in place_of:
                targets[index, place_of[part]] = 1
    return targets
