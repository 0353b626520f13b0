"""TensorBoard's files of a run, which show each step once however often the run was stopped."""

from pathlib import Path
from typing import Any

from cnntrain.config.schema import TrainConfig
from cnntrain.engine.events import EpochDone, Event, Measured
from cnntrain.engine.state import Progress
from cnntrain.report.tensorboard import TensorBoardListener

NEEDED = {"step": {"step", "epoch"}, "epoch": {"step", "epoch", "is_best", "seconds"}}


def board_of(run: Path, config: TrainConfig, progress: Progress, lines: list[dict[str, Any]]) -> TensorBoardListener:
    """TensorBoard's files; a resumed run tells them its last step again, since a kill may have come between two listeners.

    Args:
        lines: of the history, up to where the run stands; a branch tells them all.
    """
    if config.resume is None:
        return TensorBoardListener(run)
    told = [line for line in lines if line.get("event") in ("step", "epoch")]
    told = [line for line in told if NEEDED[line["event"]] <= line.keys()]  # a stranger's line may lack some
    again = told if config.branch else [line for line in told if line["step"] == progress.step]
    epoch = again[0]["epoch"] if again else progress.epoch + 1
    before = [line for line in told if line["event"] == "step" and line["epoch"] == epoch and line not in again]
    board = TensorBoardListener(run, purge_step=progress.step - 1, measured={name for line in before for name in line})
    for line in again:
        board(event_of(line))
    return board


def event_of(line: dict[str, Any]) -> Event:
    """The event that a line of the history was written from."""
    words = ("event", "step", "epoch", "is_best", "seconds")
    metrics = {name: float("nan") if value is None else value for name, value in line.items() if name not in words}
    if line["event"] == "step":
        return Measured(line["step"], line["epoch"], metrics)
    return EpochDone(line["step"], line["epoch"], metrics, line["is_best"], line["seconds"])
