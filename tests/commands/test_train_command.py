"""`cnntrain train` from its words to its folder."""

import json
from pathlib import Path

import pytest
import yaml
from tiny_runs import Run, Trained, only_run, press_ctrl_c_when, same_weights, tree, weights, write_pictures

from cnntrain.cli import main
from cnntrain.commands.data_sets import choose_epochs
from cnntrain.config.schema import TrainConfig

SEQUENCE = ["step", "epoch", "step", "epoch", "end"]


def lines(run: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_a_run_leaves_its_folder_and_names_what_to_do_next(train: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert train() == 0
    run = only_run()
    assert {"config.yaml", "run.json", "metrics.jsonl", "summary.json", "train.log", "tensorboard", "checkpoints"} <= set(tree(run))
    assert (run / "checkpoints" / "last").resolve().name == "step_00000006"  # 24 images, batches of 8, 2 epochs
    last_line = capsys.readouterr().out.splitlines()[-1]
    assert str(run) in last_line
    assert f"cnntrain eval checkpoint={run}" in last_line
    assert f"tensorboard --logdir {run}" in last_line


def test_the_summary_has_the_fixed_words(trained: Trained) -> None:
    run = trained()
    summary = json.loads((run / "summary.json").read_text())
    assert summary["status"] == "done"
    assert set(summary["best"]) == {"epoch", "step", "val/top1", "val/loss"}
    assert set(summary["last"]) == {"epoch", "step", "val/top1", "val/loss", "train/top1", "train/loss"}
    assert summary["seconds"] > 0
    assert summary["images_per_second"] > 0


def test_the_history_tells_steps_epochs_and_the_end_in_order(train: Run) -> None:
    train("trainer.log_every_steps=3")
    found = lines(only_run())
    assert [line["event"] for line in found] == SEQUENCE
    assert [line["step"] for line in found] == [3, 3, 6, 6, 6]
    assert {"train/loss", "lr", "grad_norm", "images_per_second"} <= set(found[0])


def test_the_same_seed_gives_the_same_weights_and_another_does_not(train: Run) -> None:
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        assert train(f"name={name}", f"seed={seed}") == 0
    assert same_weights(only_run("one"), only_run("two"))
    assert not same_weights(only_run("one"), only_run("three"))


def test_the_number_of_loader_processes_changes_no_bit(train: Run) -> None:
    for workers in (0, 1, 2):
        assert train(f"name=w{workers}", f"data.num_workers={workers}", "transforms=photos", "epochs=2") == 0
    assert same_weights(only_run("w0"), only_run("w1"))
    assert same_weights(only_run("w0"), only_run("w2"))


def test_a_run_that_was_interrupted_goes_on_to_the_same_bits(train: Run, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("epochs=12", "model.head.dropout=0.3", "transforms=photos", "trainer.log_every_steps=1")
    assert train("name=whole", *words) == 0
    press_ctrl_c_when(lambda: any(Path("outputs/parts").glob("*/checkpoints/last")))
    assert train("name=parts", *words) == 130
    run = only_run("parts")
    said = capsys.readouterr().err
    assert f"go on with: cnntrain train resume={run}" in said
    assert json.loads((run / "summary.json").read_text())["status"] == "interrupted"
    assert main(["train", f"resume={run}"]) == 0
    assert same_weights(only_run("whole"), run)
    steps = [line["step"] for line in lines(run) if line["event"] == "step"]
    assert steps == list(range(1, 37))  # each once, in order


def test_a_finished_run_says_so_when_resumed(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained()
    before = {path: (run / path).stat().st_mtime_ns for path in tree(run) if (run / path).is_file() and path not in ("train.log", ".lock")}
    assert main(["train", f"resume={run}"]) == 0
    assert "finished already: all 2 epochs done" in capsys.readouterr().err
    assert before == {path: (run / path).stat().st_mtime_ns for path in before}


def test_a_resume_that_cannot_be_leaves_the_run_as_it_was(trained: Trained, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained()
    before = (run / "summary.json").read_bytes(), (run / "metrics.jsonl").read_bytes()
    (pictures / "train" / "a").rename(pictures / "train" / "z")
    (pictures / "val" / "a").rename(pictures / "val" / "z")
    assert main(["train", f"resume={run}", "epochs=4"]) == 2
    assert "the data has other classes now" in capsys.readouterr().err
    assert before == ((run / "summary.json").read_bytes(), (run / "metrics.jsonl").read_bytes())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["optimizer=adamw"], "optimizer.type is adamw, but the run was trained with sgd"),
        (["batch_size=4"], "an epoch is of 6 x 4 images now, but was of 3 x 8: batch_size or the number of images changed"),
    ],
)
def test_what_the_state_cannot_follow_is_refused(
    words: list[str], sentence: str, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained()
    assert main(["train", f"resume={run}", "epochs=4", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_a_changed_weight_decay_counts_when_resumed(trained: Trained) -> None:
    run = trained()
    assert main(["train", f"resume={run}", "epochs=4", "optimizer.weight_decay=0.25"]) == 0
    groups = json.loads((run / "checkpoints" / "last" / "optimizer.json").read_text())
    assert "0.25" in json.dumps(groups)


def test_a_run_stopped_before_its_first_epoch_can_be_started_again(train: Run, capsys: pytest.CaptureFixture[str]) -> None:
    press_ctrl_c_when(lambda: any(Path("outputs/early").glob("*/run.json")))
    assert train("name=early", "epochs=200", "trainer.log_every_steps=1") in (130,)
    run = only_run("early")
    assert (run / "config.yaml").is_file()
    assert f"resume={run}" in capsys.readouterr().err
    assert main(["train", f"resume={run}", "epochs=2"]) in (0, 2)  # 2: it had got further than two epochs


def test_resume_works_from_another_folder(trained: Trained, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained().absolute()
    (here / "other").mkdir()
    monkeypatch.chdir(here / "other")
    assert main(["train", f"resume={run}", "epochs=3"]) == 0
    assert (run / "checkpoints" / "last").resolve().name == "step_00000009"


def test_steps_behind_the_last_epoch_are_refused(train: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert train("trainer.max_steps=7") == 2
    assert "trainer.max_steps=7 has no effect: epochs=2 of 3 steps end before" in capsys.readouterr().err


def test_one_image_at_a_time_is_refused_where_batch_norm_would_see_one_number(train: Run, capsys: pytest.CaptureFixture[str]) -> None:
    stages = "model.stages=[{block: conv, out_channels: 8, kernel_size: 8, padding: 0}]"
    assert train(stages, "batch_size=1") == 2
    assert "take batch_size=2 or more, or model.norm=group" in capsys.readouterr().err


def test_another_net_is_refused_when_resumed(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained()
    assert main(["train", f"resume={run}", "epochs=4", "model.stages.0.out_channels=16"]) == 2
    # a convolution's weight, BatchNorm's weight, bias, mean and variance, and the head's weight
    assert "its checkpoint is of another model (6 weights differ, such as stages.0.blocks.0.conv.weight)" in capsys.readouterr().err


def test_fewer_epochs_than_are_done_are_refused(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained()
    assert main(["train", f"resume={run}", "epochs=1"]) == 2
    assert "epochs=1 is less than the 2 that are done" in capsys.readouterr().err


def test_more_epochs_take_the_schedule_of_the_new_length(train: Run, capsys: pytest.CaptureFixture[str]) -> None:
    train("schedule=linear", "optimizer.lr=0.1")
    run = only_run()
    assert main(["train", f"resume={run}", "epochs=4"]) == 0
    # a line over 6 steps is 0 at step 6; over 12 it is half of 0.1
    assert "epochs 2 -> 4: lr at step 6 is 0.05, where the run as it was would have had 0" in capsys.readouterr().err
    assert json.loads((run / "summary.json").read_text())["last"]["epoch"] == 4


def test_a_dry_run_writes_nothing(train: Run, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(here)
    assert train("dry_run=true") == 0
    assert tree(here) == before
    assert "nothing was written" in capsys.readouterr().out


def test_a_dry_run_of_the_digits_unpacks_nothing(here: Path) -> None:
    assert main(["train", "dry_run=true"]) == 0
    assert tree(here) == []


def test_a_loss_that_is_no_number_ends_with_79_and_names_the_way_on(train: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert train("optimizer.lr=1e38", "schedule=constant", "optimizer.momentum=0", "optimizer.nesterov=false") == 79
    assert "try a lower optimizer.lr" in capsys.readouterr().err
    assert json.loads((only_run() / "summary.json").read_text())["status"] == "diverged"


def test_without_a_val_folder_a_stratified_share_of_train_is_set_apart_and_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pictures(here / "pictures" / "train", {"a": 10, "b": 20})
    words = ["train", "data=folder", "data.root=pictures", "data.image_size=8", "model=simple_cnn", "transforms=plain", "epochs=1"]
    assert main(words) == 0
    said = capsys.readouterr().err
    assert "24 training and 6 validation images" in said  # a fifth of each class
    run = only_run()
    assert main(["eval", f"checkpoint={run}"]) == 0
    assert json.loads((run / "eval-val.json").read_text())["count"] == 6


def test_gray_pictures_give_a_net_of_one_channel(here: Path) -> None:
    write_pictures(here / "pictures" / "train", {"a": 6, "b": 6}, mode="L")
    write_pictures(here / "pictures" / "val", {"a": 2, "b": 2}, mode="L")
    assert main(["train", "data=folder", "data.root=pictures", "data.image_size=8", "model=simple_cnn", "epochs=1"]) == 0
    first = weights(only_run())["stages.0.blocks.0.conv.weight"]
    assert first.shape[1] == 1


def test_steps_alone_set_the_epochs(train: Run) -> None:
    assert train("epochs=null", "trainer.max_steps=4") == 0
    assert json.loads((only_run() / "summary.json").read_text())["last"]["step"] == 4
    # 24 images in batches of 8 are 3 steps an epoch, so that 4 steps begin a second one
    assert yaml.safe_load((only_run() / "config.yaml").read_text())["epochs"] == 2


@pytest.mark.parametrize(("steps_per_epoch", "epochs"), [(3, 200), (62, 41), (1875, 20)])
def test_epochs_are_chosen_for_2500_steps_within_bounds(steps_per_epoch: int, epochs: int) -> None:
    assert choose_epochs(TrainConfig(), steps_per_epoch=steps_per_epoch) == epochs
