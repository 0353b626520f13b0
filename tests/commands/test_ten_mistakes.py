"""Ten mistakes: each is answered by one sentence that says what to type, with exit code 2, and nothing is written."""

from pathlib import Path

import pytest
from tiny_runs import TINY, tree, write_pictures

from cnntrain.cli import main

MISTAKES = {
    "wrong folder": (["data.root=pictuers"], r"data\.root"),
    "empty train folder": (["data.root=empty"], r"empty/train.*expected .*<class>/<image>"),
    "lr typo": (["optimizer.lrr=0.1"], r"no option optimizer\.lrr; did you mean optimizer\.lr\?"),
    "stride 0": (["model.stages.0.stride=0"], r"model\.stages\[0\]\.stride=0 must be .*>= 1"),
    "a kernel larger than its padded input": (
        ["model.stages.0.kernel_size=15", "model.stages.0.padding=0"],
        r"model\.stages\[0\].*15.*8",
    ),
    "unknown model": (["model=resnt18"], r"model=resnt18: no such config; did you mean model=resnet18\?"),
    "epochs 0": (["epochs=0"], r"epochs=0 must be a whole number >= 1"),
    "a run folder that exists": (["hydra.run.dir=taken"], r"taken exists; go on with it by resume=taken, or choose another folder"),
    "a run folder that cannot be made": (["hydra.run.dir=file/run"], r"file is a file.*(name=|hydra\.run\.dir=)"),
    "a wrong num_classes": (["num_classes=7"], r"num_classes=7, but the data has 3 classes"),
    "data.root without data=folder": (["data=digits", "data.root=pictures"], r"add data=folder"),
    "groups that do not divide": (["model.stages.0.groups=2"], r"model\.stages\[0\].*groups.*2.*3"),
    "a mean for other channels": (
        ["transforms.eval=[{type: resize},{type: to_tensor},{type: normalize,mean: [0,0],std: [1,1]}]"],
        "2 numbers",
    ),
    "fp16 on a CPU": (["trainer.precision=fp16", "trainer.device=cpu"], r"trainer\.precision=fp16 needs a GPU"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_of_train_is_told_in_a_sentence(mistake: str, pictures: Path, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (here / "empty" / "train").mkdir(parents=True)
    (here / "taken").mkdir()
    (here / "file").write_text("")
    words, sentence = MISTAKES[mistake]
    before = tree(here)
    with_it = [word for word in TINY if not (mistake == "unknown model" and word.startswith("model"))]
    assert main(["train", *with_it, *words]) == 2
    said = capfd.readouterr().err
    import re

    assert re.search(sentence, said), said
    assert "Traceback" not in said
    assert all(line.startswith("cnntrain: ") for line in said.splitlines() if line), said
    assert len(said.splitlines()) <= 6
    assert tree(here) == before


@pytest.mark.parametrize(
    ("checkpoint", "sentence"),
    [
        ("nowhere", "checkpoint=nowhere: no such run folder or checkpoint"),
        ("weights.pt", r"checkpoint=weights.pt is a file; cnntrain's checkpoints are folders"),
        ("pictures", "checkpoint=pictures is no run folder"),
    ],
)
def test_a_checkpoint_that_is_none_is_told(
    checkpoint: str, sentence: str, pictures: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "weights.pt").write_bytes(b"\x80\x02}q\x00.")
    before = tree(here)
    assert main(["eval", f"checkpoint={checkpoint}"]) == 2
    assert sentence in capsys.readouterr().err
    assert tree(here) == before


def test_all_mistakes_are_told_at_once(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *TINY, "epochs=0", "batch_size=-1", "optimizer.lrr=1"]) == 2
    said = capsys.readouterr().err
    assert "epochs=0" in said
    assert "batch_size=-1" in said
    assert "optimizer.lrr" in said


def test_every_run_of_a_sweep_is_checked_before_the_first_starts(pictures: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(here)
    assert main(["train", "-m", *TINY, "seed=0,1", "model.stages.0.kernel_size=3,17", "model.stages.0.padding=0"]) == 2
    assert "17" in capsys.readouterr().err
    assert tree(here) == before


def test_a_class_that_is_only_in_val_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pictures(here / "pictures" / "train", {"a": 4, "b": 4})
    write_pictures(here / "pictures" / "val", {"a": 2, "zebra": 2})
    assert main(["train", *TINY]) == 2
    assert "zebra" in capsys.readouterr().err
