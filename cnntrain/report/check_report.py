"""What `cnntrain data check` tells: the verdict, how many images are used, and the findings by kind."""

import textwrap
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cnntrain.report.screen import Screen, printable, stderr, stdout
from cnntrain.report.tables import make_table

MOST_NAMED = 5
ORDER = ("refuse", "skip", "note")
FIRST = ("conflicting_labels", "leakage", "parted_group")  # of the notes: what makes figures wrong
VERDICTS = {
    "ok": "ok: nothing to report",
    "note": "note: the images can be trained on; this is what to know",
    "skip": "skip: the images can be trained on; the files below are left out",
    "refuse": "refuse: training does not start on these images; mend what is refused",
}


def show_check(result: Mapping[str, Any], meanings: Mapping[str, tuple[str, str]], screen: Screen | None = None) -> None:
    """From the plain data that format=json prints, and the meanings of the kinds."""
    screen = screen or stdout()
    screen.tell(VERDICTS[result["verdict"]], style="bold")
    if result["counts"]:
        rows = [(split, *(f"{count[name]:,}" for name in ("used", "left_out", "bad"))) for split, count in result["counts"].items()]
        table = make_table("", ("split",), ("used", "left out", "bad"), rows)
        table.title, table.box = None, screen.table_box
        screen.print(table)
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for finding in sorted(result["findings"], key=lambda each: (ORDER.index(each["verdict"]), each["kind"] not in FIRST)):
        kinds.setdefault(finding["kind"], []).append(finding)
    for kind, findings in kinds.items():
        tell_kind(screen, kind, meanings[kind][1], findings)


def tell_kind(screen: Screen, kind: str, meaning: str, findings: Sequence[Mapping[str, Any]]) -> None:
    verdict = findings[0]["verdict"]
    tell_wrapped(screen, f"{verdict}  {kind} ({len(findings):,}): {meaning}", style={"refuse": "red", "skip": "yellow"}.get(verdict, ""))
    for finding in findings[:MOST_NAMED]:
        tell_wrapped(screen, f"    {finding['detail']}")
    if len(findings) > MOST_NAMED:
        screen.tell(f"    and {len(findings) - MOST_NAMED:,} more; format=json names all")


def tell_wrapped(screen: Screen, text: str, style: str = "") -> None:
    """Between words and indented where a person looks; one line each where a program reads."""
    lines = [printable(text)]
    if screen.is_terminal:
        lines = textwrap.wrap(lines[0], screen.width, subsequent_indent=" " * 8, break_long_words=False, break_on_hyphens=False)
    for line in lines:
        screen.tell(line, style)


class ProgressLine(AbstractContextManager["ProgressLine"]):
    """One line on a terminal that shows how far it is, gone at the end; nothing where no person looks."""

    def __init__(self, text: str) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        screen = stderr()
        self.progress = Progress(*columns, console=screen, transient=True, disable=not screen.is_live)
        self.task = self.progress.add_task(text, total=None)

    def __enter__(self) -> "ProgressLine":
        self.progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.progress.stop()

    def __call__(self, done: int, total: int) -> None:
        self.progress.update(self.task, completed=done, total=total)
