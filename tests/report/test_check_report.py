"""What `data check` prints where a person looks, and where a program reads."""

import io
from typing import Any

from cnntrain.report.check_report import show_check
from cnntrain.report.screen import Screen

DETAIL = "pictures/train/a/a rather long name of a picture.jpg: the same as pictures/val/b/another long name.jpg, with another label"
RESULT: dict[str, Any] = {
    "verdict": "note",
    "counts": {"train": {"used": 1234, "left_out": 0, "bad": 0}},
    "findings": [{"verdict": "note", "kind": "leakage", "path": "x", "detail": DETAIL}] * 7,
}
MEANINGS = {"leakage": ("note", "the same picture in train and val, " + "which says more than it should about what was learnt from it")}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(*, terminal: bool) -> list[str]:
    stream = Terminal() if terminal else io.StringIO()
    show_check(RESULT, MEANINGS, Screen(stream, force_terminal=terminal, width=80 if terminal else None, color_system=None))
    return stream.getvalue().splitlines()


def test_a_terminal_gets_lines_that_fit_and_words_that_are_whole() -> None:
    lines = told(terminal=True)
    assert max(map(len, lines)) <= 80
    assert " ".join(" ".join(lines).split()).count(DETAIL) == 5
    assert "    and 2 more; format=json names all" in lines


def test_a_program_gets_a_line_for_each_finding() -> None:
    lines = told(terminal=False)
    assert lines.count(f"    {DETAIL}") == 5
    assert f"note  leakage (7): {MEANINGS['leakage'][1]}" in lines


def test_what_makes_figures_wrong_comes_first_of_the_notes() -> None:
    kinds = ("junk", "leakage", "truncated")
    verdicts = ("note", "note", "skip")
    findings = [{"verdict": verdict, "kind": kind, "path": "x", "detail": "x"} for verdict, kind in zip(verdicts, kinds, strict=True)]
    stream = io.StringIO()
    result = {"verdict": "skip", "counts": {}, "findings": findings}
    show_check(result, dict.fromkeys(kinds, ("note", "meaning")), Screen(stream))
    headings = [line.split()[1] for line in stream.getvalue().splitlines()[1:] if not line.startswith(" ")]
    assert headings == ["truncated", "leakage", "junk"]
