"""Steps whose numbers are not finite, from the command line: named, counted, and an end with 79 only when they go on."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tiny_runs import Run, only_run, weights
from torch import Tensor

import cnntrain
from cnntrain.config.components import registry
from cnntrain.runs.history import read

MIXED: list[bool] = []


@pytest.fixture(autouse=True)
def poison() -> Iterator[None]:
    """A mix that poisons the steps, from 1, that stand in its `batches`; its first call is the check's own try."""
    MIXED.clear()

    @cnntrain.register("mix", "poison")
    def make(batches: str = ""):  # type: ignore[no-untyped-def]
        wanted = {int(word) for word in batches.split("-")}

        def mix(images: Tensor, targets: Tensor, generator: object) -> tuple[Tensor, Tensor]:
            MIXED.append(len(MIXED) in wanted)
            return (images * torch.nan if MIXED[-1] else images), targets

        return mix

    yield
    for table in (registry._builders["mix"], registry._components["mix"]):
        table.pop("poison")


def poisoned(*batches: int) -> str:
    return f"transforms.mix=[{{type: poison, batches: {'-'.join(map(str, batches))!r}}}]"


def test_a_rejected_step_is_named_with_its_images_and_the_run_goes_on(train: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(poisoned(2)) == 0
    run = only_run()
    (line,) = [line for line in read(run / "metrics.jsonl") if line["event"] == "rejected"]
    assert (line["step"], line["epoch"], line["reason"]) == (2, 1, "the loss is nan")
    assert len(line["files"]) == 8
    assert all(Path("pictures/train", file).is_file() for file in line["files"])
    told = f"step 2: the loss is nan, so the step changes nothing; its images: {', '.join(line['files'][:3])} and 5 more"
    assert told in capsys.readouterr().err
    assert told in (run / "train.log").read_text()
    assert json.loads((run / "summary.json").read_text())["rejected_steps"] == 1
    assert all(tensor.isfinite().all() for tensor in weights(run).values())


def test_in_a_row_they_end_the_run_and_the_last_good_checkpoint_is_named(train: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(poisoned(5, 6), "trainer.max_rejected_steps=2", "schedule=constant") == 79
    run = only_run()
    err = " ".join(capsys.readouterr().err.split())
    assert "no finite loss or gradients in 2 steps in a row, up to step 6 (lr 0.1)" in err
    assert "checkpoints/last (step_00000003)" in err
    assert all(tensor.isfinite().all() for tensor in weights(run).values())
