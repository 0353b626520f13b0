"""A run that is stopped after every one of its steps, and in each validation, ends with the bits of one that was not."""

import io
import os
import signal
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny_runs import Run, assert_same, only_run, state, tensors, tree
from torch import Tensor

from cnntrain import register
from cnntrain.cli import main
from cnntrain.config.components import registry
from cnntrain.data.mixing import Mixup

EVERYTHING = (
    "transforms=photos",
    "model.head.dropout=0.3",
    "trainer.ema={decay: 0.9}",
    "trainer.progressive_size={start: 0.5, until: 0.7}",
    "optimizer=adamw",
    "optimizer.lr=0.01",
    "trainer.clip_norm=1",
)
SOURCES = {
    "decoded in each epoch": ("data.cache=none", "data.num_workers=0", *EVERYTHING),
    "from memory": ("data.cache=memory", "data.num_workers=0", "transforms=photos"),
    "from disk by two processes": ("data.cache=disk", "data.num_workers=2", "data.sampler=balanced", "transforms=photos"),
    "from shards": (
        "data=webdataset",
        "data.train_shards='shards/train-{0..2}.tar'",
        "data.val_shards=shards/val-0.tar",
        "data.cache=none",
    ),
}


class Stopping(Mixup):
    """Mixup that asks the process to stop, as a scheduler of machines does, in its n-th call of a start."""

    signal_in_call: int | None = None
    signal = signal.SIGTERM

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __call__(self, images: Tensor, targets: Tensor, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        self.calls += 1
        if self.calls == Stopping.signal_in_call:
            os.kill(os.getpid(), Stopping.signal)
        return super().__call__(images, targets, generator)


@pytest.fixture
def stopping() -> Iterator[type[Stopping]]:
    register("mix", "stopping")(Stopping)
    Stopping.signal_in_call, Stopping.signal = None, signal.SIGTERM
    yield Stopping
    registry._builders["mix"].pop("stopping")
    registry._components["mix"].pop("stopping")


@pytest.fixture
def shards(pictures: Path) -> Path:
    """The pictures once more, in tar files of eight."""
    folder = pictures.parent / "shards"
    folder.mkdir()
    for split, per_shard in (("train", 8), ("val", 12)):
        files = sorted((pictures / split).glob("*/*.png"))
        for number in range(len(files) // per_shard):
            with tarfile.open(folder / f"{split}-{number}.tar", "w") as tar:
                for file in files[number::3] if split == "train" else files:
                    key = f"{file.parent.name}{file.stem}"
                    for name, data in ((f"{key}.png", file.read_bytes()), (f"{key}.cls", file.parent.name.encode())):
                        info = tarfile.TarInfo(name)
                        info.size = len(data)
                        tar.addfile(info, io.BytesIO(data))
    return folder


def stopped_after_each_step(name: str, first: int) -> int:
    """Goes on with the run until it is done, one step in each start; returns the number of starts."""
    starts = 1
    Stopping.signal_in_call = 1
    while (code := main(["train", f"resume={only_run(name)}"])) == 75:
        starts += 1
        assert starts < 20, "no step is done in a start"
    assert code == 0
    return starts + first


@pytest.mark.parametrize("source", [next(iter(SOURCES)), *(pytest.param(name, marks=pytest.mark.slow) for name in list(SOURCES)[1:])])
def test_stops_after_every_step_change_no_bit(train: Run, shards: Path, stopping: type[Stopping], source: str) -> None:
    words = (*SOURCES[source], "transforms.mix=[{type: stopping}]", "trainer.log_every_steps=2", "epochs=2")
    assert train("name=whole", *words) == 0
    stopping.signal_in_call = 2  # the first call is for the picture of a batch
    assert train("name=parts", *words) == 75
    assert stopped_after_each_step("parts", 1) == 7  # 2 epochs of 3 steps; the last step's stop comes in its validation
    assert_same(only_run("whole"), only_run("parts"))
    assert [path for path in tree(only_run("parts")) if "/." in path or ".new-" in path or ".old-" in path] == []


def test_a_stop_loses_no_step_and_says_how_to_go_on(train: Run, stopping: type[Stopping], capsys: pytest.CaptureFixture[str]) -> None:
    stopping.signal_in_call, stopping.signal = 3, signal.SIGINT
    assert train("transforms.mix=[{type: stopping}]") == 130
    run = only_run()
    assert state(run)["step"] == 2
    assert f"go on with: cnntrain train resume={run}" in capsys.readouterr().err
    stopping.signal_in_call = None
    assert main(["train", f"resume={run}"]) == 0
    assert "resumed from step_00000002: 0 epochs and 2 of 3 batches done, step 2" in capsys.readouterr().err


def test_a_run_stopped_in_its_validation_validates_without_training_again(
    train: Run, stopping: type[Stopping], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("transforms.mix=[{type: stopping}]", "epochs=1")
    assert train("name=whole", *words) == 0
    stopping.signal_in_call = 4  # the last step of the epoch
    assert train("name=parts", *words) == 75
    parts = only_run("parts")
    assert (state(parts)["step"], state(parts)["epoch"], state(parts)["batch"]) == (3, 0, 3)
    trained = tensors(parts)
    assert main(["train", f"resume={parts}"]) == 0
    assert "the next one trained but not validated" in capsys.readouterr().err
    assert tensors(parts) == trained
    assert_same(only_run("whole"), parts)


def test_checkpoints_come_every_few_steps_and_the_best_and_chosen_ones_stay(train: Run) -> None:
    words = (
        "epochs=6",
        "trainer.checkpoint_every=2",
        "trainer.keep_newest=3",
        "trainer.keep_every_epochs=2",
        "optimizer.lr=1e-30",
        "model.norm=none",
    )
    assert train(*words) == 0
    folder = only_run() / "checkpoints"
    # 18 steps: saved at 2, 3, 4, 6, ... 18; epochs 2, 4 and 6 stay, and the first of equal epochs is the best
    assert sorted(int(path.name[5:]) for path in folder.glob("step_*")) == [3, 6, 12, 15, 16, 18]
    assert (folder / "best").resolve().name == "step_00000003"
    assert (folder / "last").resolve().name == "step_00000018"


def test_null_saves_at_ends_of_epochs_alone(train: Run) -> None:
    assert train("trainer.checkpoint_every=null", "trainer.keep_newest=99") == 0
    assert sorted(path.name for path in (only_run() / "checkpoints").glob("step_*")) == ["step_00000003", "step_00000006"]


@pytest.mark.parametrize("given", ["0", "soon", "5", "-1m", "1.5"])
def test_a_wrong_cadence_is_told(train: Run, given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(f"trainer.checkpoint_every={given}", "dry_run=true") == (0 if given == "5" else 2)
    told = f"trainer.checkpoint_every={given} must be a whole number of steps, or a duration such as 10m >= 1 or null"
    assert (told in capsys.readouterr().err) == (given != "5")


def test_a_step_that_was_told_but_not_saved_is_told_once(train: Run, stopping: type[Stopping]) -> None:
    """As after a kill: the history is ahead of the last checkpoint."""
    words = ("transforms.mix=[{type: stopping}]", "trainer.log_every_steps=1")
    assert train("name=whole", *words) == 0
    stopping.signal_in_call = 3
    assert train("name=parts", *words) == 75
    parts = only_run("parts")
    with open(parts / "metrics.jsonl", "a") as file:
        file.write('{"event": "step", "step": 3, "epoch": 1, "train/loss": 9.0}\n{"event": "epoch", "step": 3, "epoch": 1}\n{"event": "st')
    stopping.signal_in_call = None
    assert main(["train", f"resume={parts}"]) == 0
    assert_same(only_run("whole"), parts)


def test_bad_images_stay_out_when_they_have_been_mended_meanwhile(train: Run, pictures: Path, stopping: type[Stopping]) -> None:
    broken = pictures / "train" / "a" / "3.png"
    whole = broken.read_bytes()
    broken.write_bytes(b"\0" * len(whole))
    words = ("transforms.mix=[{type: stopping}]", "data.cache=none")
    assert train("name=whole", *words) == 0
    stopping.signal_in_call = 4
    assert train("name=parts", *words) == 75
    broken.write_bytes(whole)
    stopping.signal_in_call = None
    assert main(["train", f"resume={only_run('parts')}"]) == 0
    assert tensors(only_run("whole")) == tensors(only_run("parts"))
