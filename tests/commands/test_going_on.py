"""Ways to go on: the same command again, a branch, other settings, other images; what is exact is said, what is not too."""

import json
from pathlib import Path

import pytest
from PIL import Image
from tiny_runs import Run, curves, only_run, press_ctrl_c_when, same_weights, tree

from cnntrain.cli import main


def contents(folder: Path) -> dict[str, bytes]:
    return {path: (folder / path).read_bytes() for path in tree(folder) if (folder / path).is_file() and path != ".lock"}


def interrupted(train: Run, name: str, *words: str) -> Path:
    press_ctrl_c_when(lambda: any(Path("outputs", name).glob("*/checkpoints/last")))
    assert train(f"name={name}", "epochs=40", *words) == 130
    return only_run(name)


def test_the_same_command_goes_on_and_once_done_starts_anew(train: Run, capsys: pytest.CaptureFixture[str]) -> None:
    again = ("name=auto", "epochs=40", "resume=auto")
    run = interrupted(train, "auto", "resume=auto")
    assert "resume=auto: no unfinished run of this configuration in outputs/auto; a new one starts" in capsys.readouterr().err
    assert train(*again, "optimizer.lr=0.01", "dry_run=true") == 0
    assert train(*again) == 0
    said = capsys.readouterr().err
    assert f"resume=auto: goes on with {run}" in said
    assert "exact continuation" in said
    assert only_run("auto") == run
    assert train("name=whole", "epochs=40") == 0
    assert same_weights(only_run("whole"), run)
    assert train("name=auto", "epochs=1", "resume=auto") == 0
    assert "a new one starts" in capsys.readouterr().err
    assert len(list(Path("outputs/auto").iterdir())) == 2


def test_a_branch_leaves_its_run_as_it_was(train: Run, capsys: pytest.CaptureFixture[str]) -> None:
    constant = "schedule=constant"
    assert train("name=trunk", constant) == 0
    assert train("name=whole", "epochs=4", constant) == 0
    trunk = only_run("trunk")
    before = contents(trunk)
    assert main(["train", f"resume={trunk}", "branch=true", "name=none"]) == 2
    assert "is finished already: all 2 epochs done; to go on, give it more epochs: epochs=4" in capsys.readouterr().err
    assert not list(Path("outputs/none").iterdir())
    assert main(["train", f"resume={trunk}", "branch=true", "epochs=4", "name=twig"]) == 0
    assert "changed: name, epochs" in capsys.readouterr().err
    twig = only_run("twig")
    assert contents(trunk) == before
    assert same_weights(twig, only_run("whole"))
    assert curves(twig) == curves(only_run("whole"))
    steps = [line["step"] for line in map(json.loads, (twig / "metrics.jsonl").read_text().splitlines()) if line["event"] == "epoch"]
    assert steps == [3, 6, 9, 12]
    assert json.loads((twig / "run.json").read_text())["branched_from"] == str(trunk)
    assert main(["eval", f"checkpoint={twig}"]) == 0


def test_what_differs_is_named_and_refused_where_it_must_be_exact(train: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert train() == 0
    run = only_run()
    before = contents(run)
    words = ["train", f"resume={run}", "epochs=3"]
    assert main([*words, "optimizer.weight_decay=0.1", "resume_exact=true"]) == 2
    said = capsys.readouterr().err
    assert "resume_exact=true: this would be no exact continuation: epochs; optimizer.weight_decay; leave resume_exact out to go on" in said
    assert contents(run) == before
    state = json.loads((run / "checkpoints" / "last" / "config.json").read_text())
    assert state["made_with"]["threads"] == 1
    assert main([*words, "trainer.threads=2"]) == 0
    assert "not an exact continuation: epochs; trainer.threads; threads 1 -> 2" in capsys.readouterr().err


def test_changed_images_are_refused_by_name_unless_allowed(train: Run, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train() == 0
    run = only_run()
    before = contents(run)
    folder = pictures / "train" / "a"
    for number in range(6):
        (folder / f"{number}.png").rename(folder / f"new{number}.png")
    (pictures / "val" / "b" / "0.png").unlink()
    Image.new("RGB", (8, 8)).save(pictures / "val" / "b" / "1.png")
    words = ["train", f"resume={run}", "epochs=3"]
    assert main(words) == 2
    said = capsys.readouterr().err
    gone = "; ".join(f"train/a/{number}.png is gone" for number in range(5))
    assert f"the images have changed since the run began: {gone} (the first 5 of 14); change them back, or add " in said
    assert contents(run) == before
    assert main([*words, "allow_changed_data=true"]) == 0
    assert "not an exact continuation: the images have changed; epochs" in capsys.readouterr().err
    assert main(["train", f"resume={run}", "epochs=4"]) == 0  # from now on these are its images


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["branch=true"], "branch=true has no effect without resume=RUN"),
        (["resume_exact=true"], "resume_exact=true has no effect without resume=RUN"),
        (["resume=auto", "branch=true"], "branch=true needs the run to start from; give resume=RUN instead of resume=auto"),
        (["-m", "resume=auto", "seed=0,1"], "resume goes on with one run; leave out -m"),
    ],
)
def test_words_without_effect_are_told(train: Run, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(*words) == 2
    assert sentence in capsys.readouterr().err
