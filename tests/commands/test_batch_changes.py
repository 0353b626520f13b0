"""Runs whose steps change whole batches: they resume and repeat bit by bit."""

from pathlib import Path

import pytest
from tiny_runs import Run, only_run, press_ctrl_c_when, same_weights

from cnntrain.cli import main

MIX = "transforms.mix=[{type: mixup, alpha: 0.4},{type: cutmix, p: 0.8}]"


@pytest.mark.parametrize("words", [(MIX,)], ids=["mixing"])
def test_an_interrupted_run_goes_on_to_the_same_bits(words: tuple[str, ...], train: Run) -> None:
    every = ("epochs=20", "transforms=photos", *words)
    assert train("name=whole", *every) == 0
    press_ctrl_c_when(lambda: any(Path("outputs/parts").glob("*/checkpoints/last")))
    assert train("name=parts", *every) == 130
    assert main(["train", f"resume={only_run('parts')}"]) == 0
    assert same_weights(only_run("whole"), only_run("parts"))


def test_mixing_changes_the_weights_and_repeats(train: Run) -> None:
    words = ("epochs=1", "trainer.label_smoothing=0.2", "trainer.accumulation_steps=2")
    for name, more in (("plain", ()), ("mixed", (MIX,)), ("again", (MIX,))):
        assert train(f"name={name}", *words, *more) == 0
    assert same_weights(only_run("mixed"), only_run("again"))
    assert not same_weights(only_run("plain"), only_run("mixed"))


def test_mixing_is_named_by_its_place(train: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert train("transforms.mix=[{type: mixup}]", "transforms.mix.0.alfa=2") == 2
    assert "no option transforms.mix.0.alfa; did you mean transforms.mix.0.alpha?" in capsys.readouterr().err
    assert train("transforms.mix=[{type: mixup}]", "batch_size=1", "model.norm=group") == 2
    assert "transforms.mix has no effect with batch_size=1" in capsys.readouterr().err
