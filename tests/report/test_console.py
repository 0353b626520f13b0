"""The terminal: live for a person, plain for a file, never a reason to stop."""

import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cnntrain.engine.events import EpochDone, Event, Measured, RunEnded, RunStarted, StepDone, ValidationStepDone
from cnntrain.report import screen as screens
from cnntrain.report.console import ConsoleListener, close_logging, say, setup_logging
from cnntrain.report.pace import Pace
from cnntrain.report.screen import Outlet, Screen, printable


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _quiet_logger() -> Iterator[None]:
    yield
    close_logging()


def run_of(num_epochs: int, steps_per_epoch: int) -> Iterator[tuple[float, Event]]:
    """(seconds since the last, event) of a small run: a step takes 1 s, a validation batch 2 s."""
    yield 0.0, RunStarted(0, 0, num_epochs, num_epochs * steps_per_epoch, steps_per_epoch, 1)
    for epoch in range(1, num_epochs + 1):
        for step in range((epoch - 1) * steps_per_epoch + 1, epoch * steps_per_epoch + 1):
            yield 1.0, StepDone(step, epoch, 8)
        yield 0.0, Measured(step, epoch, {"train/loss": 0.5, "lr": 0.1, "images_per_second": 1234.5})
        yield 2.0, ValidationStepDone(epoch, 1)
        metrics = {"train/loss": 0.5, "train/top1": 0.9, "val/loss": 0.25, "val/top1": 0.98312, "lr": 0.1, "images_per_second": 8.0}
        yield 0.0, EpochDone(step, epoch, metrics, epoch == 1, steps_per_epoch + 2.0)
    yield 0.0, RunEnded(step, num_epochs, "done", f"all {num_epochs} epochs done", 75.0, 8.0)


def play(screen: Screen, num_epochs: int = 2, steps_per_epoch: int = 4) -> None:
    clock = Clock()
    listener = ConsoleListener(screen, clock=clock)
    for seconds, event in run_of(num_epochs, steps_per_epoch):
        clock.now += seconds
        listener(event)


def test_plain_is_one_line_an_epoch() -> None:
    stream = io.StringIO()
    play(Screen(stream))
    assert stream.getvalue().splitlines() == [
        "epoch 1/2  train/loss 0.5000  train/top1 90.00 %  val/loss 0.2500  val/top1 98.31 %  8 images/s  6.0 s  best",
        "epoch 2/2  train/loss 0.5000  train/top1 90.00 %  val/loss 0.2500  val/top1 98.31 %  8 images/s  6.0 s",
        "done: all 2 epochs done (1:15, 8 images/s)",
    ]


def test_each_task_has_its_own_figures_in_the_lines() -> None:
    metrics = {"train/loss": 0.5, "train/mae": 30.0, "val/loss": 0.25, "val/mae": 21.5, "val/rmse": 25.0, "val/r2": 0.75, "lr": 0.1}
    plain, live = io.StringIO(), io.StringIO()
    for screen in (Screen(plain), Screen(live, force_terminal=True, force_interactive=True, width=160, _environ={"TERM": "xterm"})):
        listener = ConsoleListener(screen)
        for event in (RunStarted(0, 0, 1, 4, 4, 1), EpochDone(4, 1, metrics, True, 6.0)):
            listener(event)
        listener.close()
    assert plain.getvalue().startswith(
        "epoch 1/1  train/loss 0.5000  train/mae 30.00  val/loss 0.2500  val/mae 21.50  val/rmse 25.00  val/r2 0.7500"
    )
    assert "epoch 1/1  train/loss 0.5000  val/loss 0.2500  val/mae 21.50  6.0 s  best" in live.getvalue()
    assert "loss 0.5000  val/mae 21.50" in live.getvalue()


def test_long_epochs_speak_every_ten_seconds() -> None:
    stream = io.StringIO()
    play(Screen(stream), num_epochs=1, steps_per_epoch=25)
    lines = stream.getvalue().splitlines()
    # the first batch of validation is guessed at a third of a step: (25 - 10) * 1 s + 0.3 s
    assert lines[0] == "epoch 1/1  step 10/25  15.3 s left"
    assert lines[1] == "epoch 1/1  step 20/25  5.3 s left"
    assert lines[2].startswith("epoch 1/1  train/loss 0.5000")
    assert len(lines) == 4


def test_a_terminal_gets_a_live_line_with_time_left_and_speed() -> None:
    stream = io.StringIO()
    play(Screen(stream, force_terminal=True, force_interactive=True, width=160, _environ={"TERM": "xterm"}))
    text = stream.getvalue()
    assert "\x1b[" in text
    # after epoch 1: 4 steps of 1 s and one batch of 2 s are left
    assert "epoch 2/2" in text
    assert "step 4/8  loss 0.5000  val/top1 98.31 %  8 images/s  6.0 s left" in text
    assert "step 2/8" in text
    assert text.count("6.0 s  best") == 1


def test_a_live_display_is_taken_away_when_the_run_breaks() -> None:
    stream = io.StringIO()
    screen = Screen(stream, force_terminal=True, force_interactive=True, width=100, _environ={"TERM": "xterm"})
    with ConsoleListener(screen) as listener:
        listener(RunStarted(0, 0, 1, 10, 10, 1))
        assert listener.progress is not None
        hidden, shown = "\x1b[?25l", "\x1b[?25h"
        assert stream.getvalue().rfind(hidden) > stream.getvalue().rfind(shown)
    assert listener.progress is None
    assert stream.getvalue().rfind(shown) > stream.getvalue().rfind(hidden), "the cursor is back"


@pytest.mark.parametrize(
    "environment",
    [{"TERM": "dumb"}, {"TERM": "unknown"}, {"TERM": "xterm", "TTY_INTERACTIVE": "0"}],
)
def test_terminals_that_cannot_redraw_get_plain_lines(environment: dict[str, str]) -> None:
    stream = io.StringIO()
    play(Screen(stream, force_terminal=True, width=160, _environ=environment))
    assert "\x1b" not in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 3


def test_no_color_keeps_the_display_without_colours() -> None:
    stream = io.StringIO()
    screen = Screen(stream, force_terminal=True, force_interactive=True, width=160, _environ={"TERM": "xterm", "NO_COLOR": "1"})
    play(screen)
    assert screen.no_color
    assert "\x1b[3" not in stream.getvalue()
    assert "step 2/8" in stream.getvalue()


def test_force_color_draws_nothing_into_a_file() -> None:
    stream = io.StringIO()
    play(Screen(stream, _environ={"FORCE_COLOR": "1", "TERM": "xterm"}))
    assert "\x1b" not in stream.getvalue()


def test_pace_leaves_out_the_slow_first_step_and_counts_validation() -> None:
    pace = Pace(0.0, step=0, total_steps=20, steps_per_epoch=10, num_val_batches=3)
    assert pace.left() is None
    pace.stepped(9.0, 1)
    assert pace.left() == 19 * 9.0 + 6 * 3.0  # all that is known is the first step
    for step in range(2, 11):
        pace.stepped(9.0 + step - 1, step)
    pace.validated(20.0)  # 2 s; two of the three batches and an epoch of 10 steps and 3 batches are left
    assert pace.left() == 10 * 1.0 + 5 * 2.0
    pace.paused(500.0)
    pace.stepped(501.0, 11)
    assert pace.left() == 9 * 1.0 + 3 * 2.0


def test_pace_of_a_resumed_run_counts_what_is_left() -> None:
    pace = Pace(0.0, step=10, total_steps=15, steps_per_epoch=10, num_val_batches=0)
    pace.stepped(1.0, 11)
    assert pace.left() == 4.0


def test_notes_reach_the_screen_and_train_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging(tmp_path)
    say("a note with [brackets] and \x1b[2J")
    logging.getLogger("cnntrain.data").warning("3 files left out")
    close_logging()
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "a note with [brackets] and \\x1b[2J\nwarning: 3 files left out\n"
    first, second = (tmp_path / "train.log").read_text().splitlines()
    assert first.endswith("Z INFO a note with [brackets] and \\x1b[2J")
    assert second.endswith("Z WARNING 3 files left out")


def test_epoch_lines_are_in_train_log_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging(tmp_path)
    listener = ConsoleListener()
    for _, event in run_of(1, 2):
        listener(event)
    close_logging()
    log = (tmp_path / "train.log").read_text()
    assert "INFO epoch 1/1  train/loss 0.5000" in log
    assert "INFO done: all 1 epochs done" in log
    assert "epoch 1/1" in capsys.readouterr().err


def test_notes_without_logging_reach_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    say("hello")
    assert capsys.readouterr().err == "hello\n"


def test_a_log_that_fails_says_so_once_and_the_run_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging(tmp_path)
    handler = next(handler for handler in screens.logger.handlers if isinstance(handler, screens.LogFile))
    handler.close()
    handler.stream = open("/dev/full", "w")  # noqa: SIM115 (the handler closes it)
    for _ in range(3):
        say("a note")
    err = capsys.readouterr().err
    assert err.count("a note") == 3
    assert err.count("cannot be written any more") == 1
    assert "Traceback" not in err


@pytest.mark.parametrize("reader", ["head -n 1", "true"])
def test_a_reader_that_leaves_does_not_end_the_run(tmp_path: Path, reader: str) -> None:
    code = (
        "import sys; from cnntrain.report.screen import stdout, stderr\n"
        "for n in range(20000): stdout().tell(f'line {n}')\n"
        "open(sys.argv[1], 'w').write('went on')"
    )
    done = subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -c "$1" "$2" | {reader}; exit ${{PIPESTATUS[0]}}', "x", code, str(tmp_path / "end")],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "end").read_text() == "went on"


def test_a_closed_or_missing_stream_is_silence() -> None:
    closed = io.StringIO()
    closed.close()
    for stream in (closed, None):
        screen = Screen(stream)
        screen.tell("into nothing")
        assert not screen.is_live


def test_characters_that_the_stream_lacks_are_escaped() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    outlet = Outlet(stream)
    outlet.write("café")
    outlet.flush()
    assert raw.getvalue() == b"caf\\xe9"


def test_printable_disarms_control_characters_only() -> None:
    assert printable("a\x1b[31m\nb\x07 é 猫") == "a\\x1b[31m\\nb\\x07 é 猫"
    assert printable(os.fsdecode(b"\xff")) == "\\udcff"
