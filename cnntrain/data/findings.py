"""What a look at a data set finds: each thing once, with its kind, its verdict and the file. No torch."""

from collections.abc import Iterable
from dataclasses import dataclass
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
    "no_val_folder": ("note", "no validation folder: a share of train is set apart"),
    "empty_class": ("note", "a class folder without images, left out"),
    "class_only_in_train": ("note", "a class that is not measured, as val has no image of it"),
    "class_names_differ_in_case": ("note", "two class names that differ in upper and lower case only"),
    "imbalance": ("note", "a class far larger than another"),
    "stray_file": ("note", "a file that is no image or lies outside the class folders, left out"),
    "junk": ("note", "left behind by a system or a tool, left out"),
    "link_loop": ("note", "a link to a folder that is read already or lies around it, left out"),
    "odd_name": ("note", "a name with control characters, or bytes that are no UTF-8"),
    "wrong_extension": ("note", "the content is of another format than the name says; read by its content"),
    "animation": ("note", "several frames; the first one is used"),
    "duplicate": ("note", "the same picture twice in one split and class"),
    "near_duplicate": ("note", "nearly the same picture twice in one split and class"),
    "leakage": ("note", "the same picture, or nearly, in train and val"),
    "conflicting_labels": ("note", "the same picture in two classes"),
    "extreme_aspect": ("note", "more than 20 times as long as it is wide, or as wide as it is long"),
    "rotated": ("note", "turned upright by its EXIF orientation"),
    "transparency": ("note", "transparent parts are laid on white"),
    "high_depth": ("note", "more than 8 bits a channel, scaled to 8"),
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
HANDLED = frozenset(("rotated", "transparency", "high_depth", "no_val_folder"))  # nothing to mend: a strict mode lets them pass


@dataclass(frozen=True)
class Finding:
    """One thing found.

    Args:
        kind: a key of KINDS.
        path: the file or folder, as the user would type it.
        detail: a sentence in the user's words, with what to do about it where there is something to do.
        verdict: as KINDS says, unless a strict mode made it stronger.
    """

    kind: str
    path: str
    detail: str
    verdict: Verdict

    def plain(self) -> dict[str, str]:
        """{verdict, kind, path, detail}."""
        return {"verdict": self.verdict, "kind": self.kind, "path": self.path, "detail": self.detail}


def finding(kind: str, path: object, detail: str) -> Finding:
    return Finding(kind, str(path), detail, KINDS[kind][0])


def strictly(findings: Iterable[Finding]) -> list[Finding]:
    """Every note on something to mend, and every skipped file, becomes a refusal."""
    return [f if f.kind in HANDLED else Finding(f.kind, f.path, f.detail, "refuse") for f in findings]


def verdict_of(findings: Iterable[Finding]) -> str:
    """The gravest verdict among them: refuse, skip, note, or ok where there is none."""
    found = {f.verdict for f in findings}
    return next((verdict for verdict in ORDER if verdict in found), "ok")
