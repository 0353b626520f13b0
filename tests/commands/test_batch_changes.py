"""Runs whose steps change whole batches: they resume and repeat bit by bit."""

import json
from pathlib import Path

import pytest
from tiny_runs import Run, only_run, press_ctrl_c_when, same_weights

from cnntrain.cli import main

MIX = "transforms.mix=[{type: mixup, alpha: 0.4},{type: cutmix, p: 0.8}]"


GROW = "trainer.progressive_size={start: 0.5, until: 0.7}"


@pytest.mark.parametrize("words", [(MIX, GROW)], ids=["mixing and growing"])
def test_an_interrupted_run_goes_on_to_the_same_bits(words: tuple[str, ...], train: Run) -> None:
    every = ("epochs=6", "transforms=photos", *words)
    assert train("name=whole", *every) == 0
    press_ctrl_c_when(lambda: any(Path("outputs/parts").glob("*/checkpoints/last")))
    assert train("name=parts", *every) == 130
    assert main(["train", f"resume={only_run('parts')}"]) == 0
    assert same_weights(only_run("whole"), only_run("parts"))


def test_mixing_changes_the_weights(train: Run) -> None:
    words = ("epochs=1", "trainer.label_smoothing=0.2", "trainer.accumulation_steps=2")
    for name, more in (("plain", ()), ("mixed", (MIX,))):
        assert train(f"name={name}", *words, *more) == 0
    assert not same_weights(only_run("plain"), only_run("mixed"))


def test_growing_images_are_said_and_evaluated_at_full_size(train: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(GROW, "epochs=3") == 0
    said = capsys.readouterr()
    assert "training images grow from 4x4 to 8x8 pixels, reached after 70% of the training" in said.err
    assert main(["eval", f"checkpoint={only_run()}", "out=results"]) == 0
    last = json.loads((only_run() / "summary.json").read_text())
    found = json.loads(Path("results/eval-val.json").read_text())
    assert found["loss"] == pytest.approx(last["best"]["val/loss"], rel=1e-6)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["trainer.progressive_size={start: 0.5}"], "trainer.progressive_size.until is missing"),
        (["trainer.progressive_size={start: 0.5, until: 1.1}"], "trainer.progressive_size.until=1.1 must be a number > 0 and <= 1"),
        (["trainer.progressive_size={start: 1, until: 1}"], "trainer.progressive_size.start=1 must be a number > 0 and <= 0.99"),
        (["trainer.progressive_size={start: 0.5, untl: 1}"], "takes no untl; did you mean until?"),
        (["trainer.progressive_size=0.5"], "trainer.progressive_size=0.5 must be a mapping such as {start: ..., until: ...}"),
        (
            [GROW, "model=mlp", "model.stages=[]"],
            "at its first size, 4x4 pixels, head.hidden0.linear would have 25,088 weights",
        ),
        (
            [GROW, "model.stages.0.kernel_size=7", "model.stages.0.padding=0"],
            "trainer.progressive_size: at its first size, 4x4 pixels, model.stages[0]",
        ),
    ],
)
def test_growth_that_cannot_be_is_told(words: list[str], sentence: str, train: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(*words) == 2
    assert sentence in capsys.readouterr().err
    assert not Path("outputs").exists()


def test_mixing_is_named_by_its_place(train: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert train("transforms.mix=[{type: mixup}]", "transforms.mix.0.alfa=2") == 2
    assert "no option transforms.mix.0.alfa; did you mean transforms.mix.0.alpha?" in capsys.readouterr().err
    assert train("transforms.mix=[{type: mixup}]", "batch_size=1", "model.norm=group") == 2
    assert "transforms.mix has no effect with batch_size=1" in capsys.readouterr().err


@pytest.mark.parametrize(("task", "labels"), [("multilabel", ["x|y", "x", "y"]), ("regression", ["1.5", "-2", "0.25"])])
def test_other_tasks_are_mixed_too(task: str, labels: list[str], train: Run) -> None:
    files = [str(path.relative_to("pictures")) for path in sorted(Path("pictures").glob("*/*/*.png"))]
    rows = [f"{file},{labels[number % 3]},{file.split('/')[0]}" for number, file in enumerate(files)]
    Path("labels.csv").write_text("\n".join(["path,label,split", *rows]) + "\n")
    mix = "[{type: mixup}]" if task == "regression" else "[{type: mixup},{type: cutmix}]"
    words = ("data=manifest", "data.file=labels.csv", f"data.task={task}", "epochs=1", "trainer.label_smoothing=0")
    for name, more in (("plain", ()), ("mixed", (f"transforms.mix={mix}",))):
        assert train(*words, f"name={name}", *more) == 0
    assert not same_weights(only_run("plain"), only_run("mixed"))
