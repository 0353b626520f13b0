"""What a look at a data set finds: each thing once, with its kind, its verdict and the file. No torch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Verdict = Literal["refuse", "note", "skip"]

# kind -> (verdict, what it means). refuse: no training on this; skip: one file is left out as unreadable; note: said aloud.
# The words are read by scripts (format=json): add new ones, never rename.
KINDS: dict[str, tuple[Verdict, str]] = {
    "no_folder": ("refuse", "the folder is not there"),
    "no_class_folders": ("refuse", "a split without any class folder"),
    "flat_layout": ("refuse", "images lie directly in the split, not in class folders"),
    "wrapped_layout": ("refuse", "one folder too many, as zip files make it"),
    "empty_split": ("refuse", "class folders without a single image"),
    "one_class": ("refuse", "one class only"),
    "class_unreadable": ("refuse", "a class whose every file is unreadable"),
    "class_only_in_val": ("refuse", "a class that training does not know"),
    "unreadable_folder": ("refuse", "a folder that may not be listed"),
    "same_folder": ("refuse", "training and validation are one and the same folder"),
    "manifest": ("refuse", "a manifest that cannot be read, or lacks a column"),
    "manifest_row": ("refuse", "a row of the manifest that names no image, or no label"),
    "known_set": ("refuse", "a known data set that is not there, or damaged"),
    "shards": ("refuse", "shards that are not there, cannot be read, or do not name their classes"),
    "no_split": ("refuse", "no way to cut the images into the parts that were asked for"),
    "no_val_folder": ("note", "no validation folder: a share of train is set apart"),
    "empty_class": ("note", "a class folder without images, left out"),
    "class_only_in_train": ("note", "a class that is not measured, as val has no image of it"),
    "class_names_differ_in_case": ("note", "two class names that differ in upper and lower case only"),
    "imbalance": ("note", "a class far larger than another"),
    "stray_file": ("note", "a file that is no image or lies outside the class folders, left out"),
    "junk": ("note", "left behind by a system or a tool, left out"),
    "link_loop": ("note", "a link to a folder that is read already or lies around it, left out"),
    "shard_sample": ("note", "files in a shard that are no image with its class, left out"),
    "odd_name": ("note", "a name with control characters, or bytes that are no UTF-8"),
    "wrong_extension": ("note", "the content is of another format than the name says; read by its content"),
    "animation": ("note", "several frames; the first one is used"),
    "duplicate": ("note", "the same picture twice in one split and class"),
    "near_duplicate": ("note", "nearly the same picture twice in one split and class"),
    "leakage": ("note", "the same picture, or nearly, in train and val"),
    "conflicting_labels": ("note", "the same picture in two classes, or with two labels"),
    "parted_group": ("note", "a group of the manifest, such as a patient, with images in train and in val"),
    "extreme_aspect": ("note", "more than 20 times as long as it is wide, or as wide as it is long"),
    "rotated": ("note", "turned upright by its EXIF orientation"),
    "transparency": ("note", "transparent parts are laid on white"),
    "high_depth": ("note", "more than 8 bits a channel, scaled to 8"),
    "folds": ("note", "train is cut into folds, one of which validates"),
    "limit": ("note", "only a part of the images is used, as data.limit says"),
    "task": ("note", "what the labels were taken for"),
    "repeated_row": ("note", "a row that the manifest has already, used once"),
    "other_split": ("note", "rows of another split, left out"),
    "empty_file": ("skip", "no bytes"),
    "truncated": ("skip", "the file ends too early"),
    "not_an_image": ("skip", "no picture of a known format"),
    "broken": ("skip", "the decoder gives up"),
    "too_large": ("skip", "more pixels than may be decoded"),
    "float_range": ("skip", "floating-point pixels of unknown range"),
    "integer_range": ("skip", "whole-number pixels of unknown range"),
    "not_readable": ("skip", "the system refuses to open it"),
    "not_a_file": ("skip", "a pipe, socket, device or broken link"),
}
ORDER: tuple[Verdict, ...] = ("refuse", "skip", "note")
# nothing to mend: a strict mode lets them pass
HANDLED = frozenset(("rotated", "transparency", "high_depth", "no_val_folder", "folds", "limit", "task", "other_split"))
# how several of a kind are told in one line
SEVERAL = {
    "empty_class": "class folders without images left out",
    "class_only_in_train": "classes without validation images are not measured",
    "class_names_differ_in_case": "class names differ in upper and lower case only",
    "stray_file": "stray files left out",
    "junk": "files and folders of systems and tools left out",
    "link_loop": "links to folders that are read already, or lie around them, left out",
    "odd_name": "names with control characters, or bytes that are no UTF-8",
    "wrong_extension": "images are of another format than their names say, and are read by their content",
    "not_a_file": "pipes, sockets, devices or broken links left out",
    "repeated_row": "rows that the manifest has twice, used once",
    "animation": "images have several frames, the first of which is used",
    "duplicate": "times the same picture lies in one class twice",
    "near_duplicate": "times nearly the same picture lies in one class twice",
    "leakage": "pictures, or nearly the same ones, lie in train and in val",
    "conflicting_labels": "pictures have two labels",
    "parted_group": "groups have images in train and in val",
    "extreme_aspect": "images are more than 20 times as long as they are wide, or as wide as they are long",
}
MOST_KEPT = 1000  # findings of one kind in one split; the others are counted
MOST_NAMED = 3


@dataclass(frozen=True)
class Finding:
    """One thing found.

    Args:
        kind: a key of KINDS.
        path: the file or folder, as the user would type it, with the very characters of its name: `shown` makes it printable.
        detail: a printable sentence in the user's words, with what to do about it where there is something to do.
        verdict: as KINDS says, unless a strict mode made it stronger.
        count: how many it stands for: more than one where a kind was found too often to name each.
    """

    kind: str
    path: str
    detail: str
    verdict: Verdict
    count: int = 1

    def plain(self) -> dict[str, str]:
        """{verdict, kind, path, detail}."""
        return {"verdict": self.verdict, "kind": self.kind, "path": self.path, "detail": self.detail}


def finding(kind: str, path: object, detail: str) -> Finding:
    return Finding(kind, str(path), detail, KINDS[kind][0])


class Gathered:
    """Findings of one look, of each kind the first MOST_KEPT; the others are counted.

    Args:
        directory: the folder that the counted ones are told of.
    """

    def __init__(self, directory: object):
        self.directory = str(directory)
        self.counts: dict[str, int] = {}
        self.kept: list[Finding] = []

    def add(self, kind: str, path: object, detail: str) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self.counts[kind] <= MOST_KEPT:
            self.kept.append(finding(kind, path, detail))

    def all(self) -> list[Finding]:
        """The kept ones, and one finding for the rest of each kind."""
        rest = {kind: count - MOST_KEPT for kind, count in self.counts.items() if count > MOST_KEPT}
        more = [Finding(kind, self.directory, f"and {count:,} more", KINDS[kind][0], count) for kind, count in rest.items()]
        return self.kept + more


def strictly(findings: Iterable[Finding]) -> list[Finding]:
    """Every note on something to mend, and every skipped file, becomes a refusal."""
    return [f if f.kind in HANDLED else replace(f, verdict="refuse") for f in findings]


def verdict_of(findings: Iterable[Finding]) -> str:
    """The gravest verdict among them: refuse, skip, note, or ok where there is none."""
    found = {f.verdict for f in findings}
    return next((verdict for verdict in ORDER if verdict in found), "ok")


def told(findings: Iterable[Finding]) -> list[str]:
    """One line for each kind: the detail of a single finding; of several their number and the first paths."""
    kinds: dict[str, list[Finding]] = {}
    for each in findings:
        kinds.setdefault(each.kind, []).append(each)
    return [group[0].detail if len(group) == 1 else several(kind, group) for kind, group in kinds.items()]


def several(kind: str, group: Sequence[Finding]) -> str:
    total = sum(each.count for each in group)
    first = ", ".join(shown(each.path) for each in group[:MOST_NAMED])
    what = SEVERAL.get(kind) or f"times {KINDS[kind][1]}"
    return f"{total:,} {what}; first: {first}" if total > MOST_NAMED else f"{total:,} {what}: {first}"


def refusals(findings: Sequence[Finding]) -> list[str]:
    """What to tell where training is refused: each refusal, and in one sentence all that only a strict mode refuses."""
    refused = [each for each in findings if each.verdict == "refuse"]
    sentences = [each.detail for each in refused if KINDS[each.kind][0] == "refuse"]
    noted = [each for each in refused if KINDS[each.kind][0] != "refuse"]
    if noted:
        sentences.append(f"data.strict=true refuses what was found: {'; '.join(told(noted))}; mend it, or take data.strict=false")
    return sentences


def shown(name: object) -> str:
    """A name as plain characters on one line: what steers a terminal or turns the line around, and bytes that are no UTF-8, as escapes."""
    return "".join(c if c.isprintable() else escaped(c) for c in str(name))


def escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"  # a byte, as os.fsdecode gives it
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
