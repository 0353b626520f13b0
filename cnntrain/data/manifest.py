"""Manifests: a table with a row for each image, its path and its label. No torch."""

import os
import posixpath
import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnntrain.config.schema import DataConfig
from cnntrain.data.divide import divide, finished
from cnntrain.data.findings import Finding, Gathered, finding, shown
from cnntrain.data.images import ImageSet, Names
from cnntrain.data.layout import hardly_differing, imbalance, names, nearest, not_measured
from cnntrain.data.manifest_labels import class_names, label_fault, parts_of, targets_of, task_of
from cnntrain.data.manifest_table import ManifestFault, Table, read_table
from cnntrain.data.names import ODD
from cnntrain.data.scan import Scan
from cnntrain.errors import MOST_FAULTS_SHOWN

DEFAULTS = DataConfig()  # its columns for split and group may be missing; another name was asked for


@dataclass(frozen=True)
class Rows:
    """A manifest, and those of its rows that can be used.

    Args:
        columns: names of the label columns.
        labels: their cells, a list for each row.
        splits, groups: a cell for each row, or None where there is no such column.
        places: row -> path relative to the root, size and time of its file.
    """

    table: Table
    root: Path
    task: str
    columns: list[str]
    separator: str
    labels: list[tuple[str, ...]]
    splits: list[str] | None
    groups: list[str] | None
    places: dict[int, tuple[bytes, int, int]]

    def of_split(self, split: str) -> list[int]:
        """Rows of a split, sorted by path; all of them where no column says the split."""
        found = [row for row in self.places if self.splits is None or self.splits[row] == split]
        return sorted(found, key=self.places.__getitem__)

    def classes(self, rows: Sequence[int]) -> list[str]:
        return class_names((self.labels[row] for row in rows), task=self.task, columns=self.columns, separator=self.separator)

    def images(self, split: str, rows: Sequence[int], classes: Sequence[str]) -> ImageSet:
        """
        Raises:
            ManifestFault: see targets_of.
        """
        labels = [self.labels[row] for row in rows]
        targets = targets_of(labels, task=self.task, classes=classes, columns=self.columns, separator=self.separator)
        places = [self.places[row] for row in rows]
        images = ImageSet(
            split=split,
            directory=Path(os.path.abspath(self.root)),
            classes=tuple(classes),
            files=Names(b"".join(place[0] for place in places), np.cumsum([len(place[0]) for place in places], dtype=np.int64)),
            targets=targets,
            sizes=np.array([place[1] for place in places], np.int64),
            mtimes=np.array([place[2] for place in places], np.int64),
            task=self.task,
        )
        return images.take(np.flatnonzero(targets >= 0)) if self.task == "classification" and (targets < 0).any() else images

    def group_numbers(self, rows: Sequence[int]) -> np.ndarray | None:
        """(M,) int64 number of each row's group; a row that names none is alone."""
        if self.groups is None:
            return None
        alone = len(self.groups)
        number_of = {name: number for number, name in enumerate(dict.fromkeys(self.groups))}
        numbers = [number_of[self.groups[row]] if self.groups[row].strip() else alone + row for row in rows]
        return np.unique(np.array(numbers, np.int64), return_inverse=True)[1]

    def count(self) -> int:
        """All rows of the manifest."""
        return len(self.table.lines) + len(self.table.faults)


def scan_manifest(data: DataConfig, *, seed: int) -> Scan:
    """The training and validation images of data.file; without a column for the split, or with folds, parted by the seed.

    Nothing is raised: what is wrong is among the findings (see Scan.usable).
    """
    file = Path(data.file or "").expanduser()
    try:
        rows, findings = read_rows(file, data)
        train_rows = rows.of_split(data.train_split)
        val_rows = [] if rows.splits is None else rows.of_split(data.val_split)
        classes = rows.classes(train_rows)
        train, val = rows.images(data.train_split, train_rows, classes), rows.images(data.val_split, val_rows, classes)
    except ManifestFault as fault:
        return Scan({}, [finding("manifest", file, str(fault))], {})
    findings += other_splits(rows, (data.train_split, data.val_split), file)
    findings += too_few(rows, train, file, data.train_split)
    findings += imbalance(train, file) if rows.task == "classification" else []
    findings += [] if rows.task == "regression" or len(rows.columns) > 1 else hardly_differing(classes, file, path_of=lambda _: file)
    left_out = {data.train_split: rows.count() - len(train) - len(val), data.val_split: 0}
    if len(val_rows) and data.folds is None:
        findings += unknown_classes(rows, val_rows, classes, file)
        findings += [] if rows.task == "regression" else not_measured(val, file)
        findings += parted_groups(rows, train_rows, val_rows, data.group_column)
        return finished((train, val, []), findings, left_out, data, seed)
    left_out[data.train_split] += len(val)
    where = f"rows of {data.val_split} in column {data.split_column} of {file}" if rows.splits else f"column {data.split_column} in {file}"
    groups = rows.group_numbers(train_rows)
    unused = f"split {data.val_split} of {file}" if val_rows else ""
    divided = divide(train, data, seed, missing=where, place=file, groups=groups, unused=unused)
    return finished(divided, findings, left_out, data, seed)


def scan_manifest_for_eval(data: DataConfig, *, split: str, classes: Sequence[str]) -> Scan:
    """The rows of a split, or all where no column says the split; labels are places in the training's class list.

    Args:
        data: of the training, with the file and root to evaluate, and its task.
    """
    file = Path(data.file or "").expanduser()
    try:
        rows, findings = read_rows(file, data)
        chosen = rows.of_split(split)
        if rows.splits is not None and not chosen and rows.places:
            there = ", ".join(sorted(set(rows.splits))[:20])
            raise ManifestFault(f"data.file: {file} has no rows of split {split}; there are: {shown(there)}; type split=NAME")
        images = rows.images(split, chosen, classes)
    except ManifestFault as fault:
        return Scan({}, [finding("manifest", file, str(fault))], {})
    findings += unknown_classes(rows, chosen, classes, file)
    findings += [] if rows.task == "regression" else not_measured(images, file)
    return Scan({split: images}, findings, {split: rows.count() - len(images)})


def read_rows(file: Path, data: DataConfig) -> tuple[Rows, list[Finding]]:
    """
    Raises:
        ManifestFault: the manifest as a whole cannot be used.
    """
    columns = [data.label_column] if isinstance(data.label_column, str) else list(data.label_column)
    wanted = {"split": data.split_column, "group": data.group_column}
    asked = [name for name in wanted.values() if name not in (DEFAULTS.split_column, DEFAULTS.group_column)]
    needed = list(dict.fromkeys([data.path_column, *columns, *asked]))
    table = read_table(file, needed, [name for name in wanted.values() if name not in needed], data.label_separator)
    if not table.lines and not table.faults:
        raise ManifestFault(f"data.file: {file} has no rows, only names of columns")
    cells = [table.columns[name] for name in columns]
    task, guess = task_of(cells, asked=data.task, columns=columns, separator=data.label_separator)
    gathered = Gathered(file)
    if guess:
        gathered.add("task", file, guess)
    for line, said in table.faults:
        gathered.add("manifest_row", f"{file}:{line}", f"data.file: {shown(file)} {table.word} {line}: {said}")
    found = {name: table.columns.get(column) for name, column in wanted.items()}
    splits = None if found["split"] is None else [cell.strip() for cell in found["split"]]
    root = Path(data.root).expanduser()
    labels = list(zip(*cells, strict=True))
    rows = Rows(table, root, task, columns, data.label_separator, labels, splits, found["group"], {})
    find_files(rows, table.columns[data.path_column], data, gathered)
    return rows, gathered.all()


def find_files(rows: Rows, paths: Sequence[str], data: DataConfig, gathered: Gathered) -> None:
    """Fill in the places of the rows without fault; tell the others with their lines."""
    first: dict[bytes, int] = {}
    num_missing = 0
    absolute_root = os.path.abspath(rows.root)
    for row, path in enumerate(paths):
        fault = label_fault(rows.labels[row], task=rows.task, asked=data.task, columns=rows.columns)
        if fault is None and rows.splits is not None and not rows.splits[row]:
            fault = f"nothing in column {shown(data.split_column)}"
        inside = inside_root(path, absolute_root)
        if inside is None:
            fault = (
                f"{shown(path)} lies outside of data.root={rows.root}; set data.root to a folder that holds all images"
                if path
                else "no path"
            )
        place, status = os.path.join(absolute_root, inside or ""), None
        if inside is not None:
            status, missing = status_of(place)
            num_missing += status is None
            fault = fault if status is not None else f"{missing} {shown(os.path.join(rows.root, inside))}"
        if fault is None and inside is not None and status is not None:
            name = os.fsencode(inside)
            if not (inside.isascii() and inside.isprintable()) and ODD.search(inside):
                gathered.add("odd_name", place, f"{shown(place)} has an odd name; it is used all the same")
            fault = repeated(rows, row, first.setdefault(name, row), os.path.join(rows.root, inside), gathered)
            if fault is None:
                rows.places[row] = (name, status.st_size, status.st_mtime_ns)
        if fault:
            gathered.add("manifest_row", f"{rows.table.file}:{rows.table.lines[row]}", f"data.file: {rows.table.where(row)}: {fault}")
    if num_missing and num_missing == len(paths):
        said = f"none of the {len(paths):,} files is there, such as {shown(os.path.join(rows.root, paths[0]))} ({rows.table.where(0)})"
        raise ManifestFault(f"data.file: {said}; paths start from data.root={rows.root}; type data.root=DIR")


def inside_root(path: str, root: str) -> str | None:
    """The path relative to the root, also of an absolute one inside of it; None where it leads out of the root."""
    if not path or "\0" in path:
        return None
    relative = os.path.relpath(path, root) if os.path.isabs(path) else posixpath.normpath(path)
    return None if relative == "." or relative == ".." or relative.startswith("../") else relative


def status_of(place: str) -> tuple[os.stat_result | None, str]:
    """The status of a file; or None and what there is instead."""
    try:
        status = os.stat(place)
    except OSError as error:
        return None, "no file" if isinstance(error, FileNotFoundError | NotADirectoryError) else f"cannot read ({error.strerror})"
    return (status, "") if stat.S_ISREG(status.st_mode) else (None, "not a file, but a folder, pipe or device:")


def repeated(rows: Rows, row: int, first: int, place: str, gathered: Gathered) -> str | None:
    """What to do with a path that the manifest has already: nothing (None), leave the row out (empty), or a fault."""
    if first == row:
        return None
    where = rows.table.where(row)
    if rows.labels[first] != rows.labels[row]:
        labels = " and ".join(shown(", ".join(rows.labels[each])) for each in (first, row))
        return f"{shown(place)} has other labels than in {rows.table.word} {rows.table.lines[first]} ({labels})"
    if rows.splits is not None and rows.splits[first] != rows.splits[row]:
        said = f"{where}: {shown(place)} is in split {shown(rows.splits[first])} and in {shown(rows.splits[row])}"
        gathered.add("leakage", f"{rows.table.file}:{rows.table.lines[row]}", said)
        return None
    gathered.add("repeated_row", f"{rows.table.file}:{rows.table.lines[row]}", f"{where}: {shown(place)} once more; it is used once")
    return ""


def other_splits(rows: Rows, used: Sequence[str], file: Path) -> list[Finding]:
    counts = Counter(rows.splits[row] for row in rows.places) if rows.splits is not None else Counter[str]()
    others = [f"{name} ({count:,})" for name, count in counts.items() if name not in used]
    return [finding("other_split", file, f"{file}: left out, rows of the splits {names(others)}")] if others else []


def parted_groups(rows: Rows, train_rows: Sequence[int], val_rows: Sequence[int], column: str) -> list[Finding]:
    """Groups with rows in both splits, each with its first row on either side."""
    if rows.groups is None:
        return []
    first = {rows.groups[row]: row for row in sorted(train_rows, reverse=True) if rows.groups[row].strip()}
    gathered = Gathered(rows.table.file)
    for row in sorted(val_rows):
        other = first.pop(rows.groups[row], None)
        if other is not None:
            where = f"{rows.table.word} {rows.table.lines[other]} of train and in {rows.table.word} {rows.table.lines[row]} of val"
            said = f"{shown(rows.table.file)}: {column} {shown(rows.groups[row])} is in {where}: what was learnt of it is measured"
            gathered.add("parted_group", f"{rows.table.file}:{rows.table.lines[row]}", said)
    return gathered.all()


def too_few(rows: Rows, train: ImageSet, file: Path, split: str) -> list[Finding]:
    if not len(train):
        there = f"; there are: {names(sorted(set(rows.splits)))}; type data.train_split=NAME" if rows.splits else ""
        return [finding("empty_split", file, f"data.file: {file} has no usable rows of split {split}{there}")]
    if rows.task == "classification" and len(train.classes) < 2:
        return [finding("one_class", file, f"data.file: one class only in {file} ({names(train.classes)}); two or more are needed")]
    return []


def unknown_classes(rows: Rows, chosen: Sequence[int], classes: Sequence[str], file: Path) -> list[Finding]:
    """Classes of these rows that training does not know, each with its first line."""
    if rows.task == "regression" or len(rows.columns) > 1:
        return []
    known, gathered = set(classes), Gathered(file)
    for row in chosen:
        cell = rows.labels[row][0].strip()
        for name in parts_of(cell, rows.separator) if rows.task == "multilabel" else [cell]:
            if name not in known:
                known.add(name)
                near = f"; {nearest(name, classes)}" if len(gathered.kept) < MOST_FAULTS_SHOWN else ""
                said = f"data.file: {rows.table.where(row)}: class {shown(name)} is not a class that is trained on{near}"
                gathered.add("class_only_in_val", f"{file}:{rows.table.lines[row]}", said)
    return gathered.all()
