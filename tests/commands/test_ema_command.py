"""trainer.ema from the command line: measured, kept, evaluated, resumed."""

import json

import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import Run, Trained, only_run, weights

from cnntrain.cli import main

EMA = "trainer.ema={decay: 0.9}"


def averaged(name: str) -> dict[str, torch.Tensor]:
    return load_file(only_run(name) / "checkpoints" / "last" / "ema.safetensors")


def test_the_average_changes_no_weight_and_is_what_is_measured_and_evaluated(train: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert train("name=plain") == 0
    assert train("name=ema", EMA) == 0
    plain, run = only_run("plain"), only_run("ema")
    for name, value in weights(plain).items():
        assert torch.equal(value, weights(run)[name]), name
    assert not torch.equal(averaged("ema")["head.linear.weight"], weights(run)["head.linear.weight"])
    measured = {of: json.loads((of / "summary.json").read_text())["last"]["val/loss"] for of in (plain, run)}
    assert main(["eval", f"checkpoint={run}/checkpoints/last", "out=own"]) == 0
    assert main(["eval", f"checkpoint={run}/checkpoints/last", "ema=false", "out=trained"]) == 0
    assert "(averaged weights)" in capsys.readouterr().out
    found = [json.loads((run.parents[2] / out / "eval-val.json").read_text()) for out in ("own", "trained")]
    assert [each["ema"] for each in found] == [True, False]
    assert [each["loss"] for each in found] == [measured[run], measured[plain]]


def test_an_average_that_is_not_there_cannot_be_evaluated(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained()
    assert main(["eval", f"checkpoint={run}", "ema=true"]) == 2
    assert "has no averaged weights (its run had trainer.ema=null); leave ema out" in capsys.readouterr().err


def test_the_average_goes_on_bit_by_bit_and_starts_at_the_weights_where_there_was_none(
    train: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    constant = ("schedule=constant", EMA)
    assert train("name=whole", "epochs=3", *constant) == 0
    assert train("name=parts", "epochs=1", *constant) == 0
    assert main(["train", f"resume={only_run('parts')}", "epochs=3"]) == 0
    for name, value in averaged("whole").items():
        assert torch.equal(value, averaged("parts")[name]), name
    assert train("name=later", "epochs=1") == 0
    assert main(["train", f"resume={only_run('later')}", "epochs=2", EMA]) == 0
    assert "trainer.ema: the run had no average of its weights; it starts at step_00000003" in capsys.readouterr().err
    assert main(["train", f"resume={only_run('later')}", "epochs=3", "trainer.ema=null"]) == 0
    assert "trainer.ema=null: the average that the run had of its weights ends here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("trainer.ema={decay: 1}", "trainer.ema.decay=1 must be a number >= 0 and <= 0.999999"),
        ("trainer.ema={warmup: false}", "trainer.ema.decay is missing"),
        ("trainer.ema=true", "trainer.ema=true must be a mapping such as {decay: ..., warmup: ...}"),
    ],
)
def test_a_wrong_ema_is_told_in_one_sentence(word: str, sentence: str, train: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(word) == 2
    assert sentence in capsys.readouterr().err
