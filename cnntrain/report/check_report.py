"""What `cnntrain data check` tells: the verdict, how many images are used, and the findings by kind."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cnntrain.report.screen import Screen, stderr, stdout
from cnntrain.report.tables import make_table

MOST_NAMED = 5
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
    for finding in sorted(result["findings"], key=lambda each: ("refuse", "skip", "note").index(each["verdict"])):
        kinds.setdefault(finding["kind"], []).append(finding)
    for kind, findings in kinds.items():
        tell_kind(screen, kind, meanings[kind][1], findings)


def tell_kind(screen: Screen, kind: str, meaning: str, findings: Sequence[Mapping[str, Any]]) -> None:
    verdict = findings[0]["verdict"]
    screen.tell(f"{verdict}  {kind} ({len(findings):,}): {meaning}", style={"refuse": "red", "skip": "yellow"}.get(verdict, ""))
    for finding in findings[:MOST_NAMED]:
        screen.tell(f"    {finding['detail']}")
    if len(findings) > MOST_NAMED:
        screen.tell(f"    and {len(findings) - MOST_NAMED:,} more; format=json names all")


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
