"""What TensorBoard gets, read back from its own files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cnntrain.engine.events import EpochDone, Measured, RunEnded, RunStarted, StepDone
from cnntrain.report.plots import confusion_figure
from cnntrain.report.tensorboard import TensorBoardListener


def read_back(run: Path) -> Any:
    found = EventAccumulator(str(run / "tensorboard"), size_guidance={"tensors": 0, "scalars": 0, "images": 0})
    found.Reload()
    return found


def scalars(run: Path, name: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in read_back(run).Scalars(name)]


def epoch_done(step: int, epoch: int, **metrics: float) -> EpochDone:
    return EpochDone(step, epoch, {name.replace("_", "/", 1): value for name, value in metrics.items()}, True, 1.0)


def test_metrics_keep_their_names_and_epoch_means_do_not_mix_with_step_means(tmp_path: Path) -> None:
    listener = TensorBoardListener(tmp_path)
    listener(RunStarted(0, 0, 2, 4, 2, 1))
    listener(StepDone(1, 1, 8))
    listener(Measured(2, 1, {"train/loss": 0.5, "lr": 0.25, "images_per_second": 8.0, "grad_norm": 1.5}))
    listener(epoch_done(2, 1, train_loss=0.75, train_top1=0.5, val_loss=1.0, val_top1=0.25))
    listener(epoch_done(4, 2, train_loss=0.125, val_loss=2.0))
    listener(RunEnded(4, 2, "done", "all 2 epochs done", 1.0, 8.0))
    listener.close()
    listener.close()
    assert set(read_back(tmp_path).Tags()["scalars"]) == {
        "train/loss",
        "train/top1",
        "val/loss",
        "val/top1",
        "lr",
        "images_per_second",
        "grad_norm",
    }
    assert scalars(tmp_path, "train/loss") == [(2, 0.5), (4, 0.125)]
    assert scalars(tmp_path, "val/loss") == [(2, 1.0), (4, 2.0)]


def test_resume_hides_what_came_after_its_step(tmp_path: Path) -> None:
    first = TensorBoardListener(tmp_path)
    for step in (1, 2, 3, 4):
        first(epoch_done(step, step, val_loss=float(step)))
    first.close()
    second = TensorBoardListener(tmp_path, purge_step=2)
    second(epoch_done(3, 3, val_loss=30.0))
    second.close()
    assert scalars(tmp_path, "val/loss") == [(1, 1.0), (2, 2.0), (3, 30.0)]


def test_text_pictures_and_hparams_lie_in_the_one_folder(tmp_path: Path) -> None:
    listener = TensorBoardListener(tmp_path)
    listener.text("config", "optimizer:\n  lr: 0.1")
    listener.pictures("samples", np.zeros((5, 1, 8, 8), dtype=np.uint8))
    listener.mistakes(
        "misclassified", np.zeros((2, 3, 8, 8), dtype=np.uint8), ["true", "predicted"], [["c|t", "dog"], ["\x1b[2J", "cat"]], 7
    )
    listener.mistakes("none", np.zeros((0, 3, 8, 8), dtype=np.uint8), ["true"], [], 7)
    listener.figure("confusion", lambda: confusion_figure([[3, 1], [0, 2]], ["a", "b"]), 7)
    listener.figure("too large", lambda: None, 7)
    listener.hparams({"optimizer.lr": 0.1, "model": "resnet20", "size": [8, 8], "none": None}, ["val/mae", "train/loss"])
    listener.close()
    found = read_back(tmp_path)
    assert {path.is_file() for path in (tmp_path / "tensorboard").iterdir()} == {True}
    assert set(found.Tags()["images"]) == {"samples", "misclassified", "confusion"}
    sample = found.Images("samples")[0]
    assert (sample.width, sample.height) == (5 * 64 + 4 * 2, 64)
    config, wrong = (found.Tensors(f"{name}/text_summary")[0].tensor_proto.string_val[0].decode() for name in ("config", "misclassified"))
    assert config == "    optimizer:\n      lr: 0.1"
    assert wrong.splitlines() == ["| image | true | predicted |", "|---|---|---|", "| 1 | c\\|t | dog |", "| 2 | \\x1b[2J | cat |"]
    assert set(found.summary_metadata) >= {"_hparams_/experiment", "_hparams_/session_start_info", "_hparams_/session_end_info"}


def test_a_full_disk_is_told_once_and_the_run_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listener = TensorBoardListener(tmp_path)
    assert listener.file is not None
    listener.file.close()
    listener.file.records._writer = open("/dev/full", "wb")  # noqa: SIM115 (the listener closes it)
    for step in range(3):
        listener(Measured(step, 1, {"train/loss": 0.5, "lr": 0.1}))
        listener(epoch_done(step, 1, val_loss=1.0))
        listener.text("a", "b")
    listener.close()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("No space left on device") == err.count("the run goes on without them") == 1
    assert len(err.splitlines()) == 1


def test_a_picture_that_cannot_be_drawn_does_not_end_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listener = TensorBoardListener(tmp_path)
    listener.pictures("samples", np.zeros((0, 1, 8, 8), dtype=np.float32))
    listener.close()
    assert "the run goes on without them" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_does_not_end_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tensorboard").write_text("a file in the way")
    listener = TensorBoardListener(tmp_path)
    listener(epoch_done(1, 1, val_loss=1.0))
    listener.close()
    assert "cannot be written" in capsys.readouterr().err
