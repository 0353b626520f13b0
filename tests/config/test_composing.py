"""What a good command line comes to."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cnntrain.config.command import Job
from cnntrain.config.schema import EvalConfig, TrainConfig
from cnntrain.errors import Diverged

if TYPE_CHECKING:
    from tests.config.conftest import Recorder

YamlFile = Callable[[str, str], str]


def only(jobs: list[Job]) -> tuple[Job, TrainConfig]:
    (job,) = jobs
    assert isinstance(job.config, TrainConfig)
    return job, job.config


def test_the_bare_command_trains_the_digits(cnntrain: "Recorder") -> None:
    assert cnntrain() == 0
    job, config = only(cnntrain.ran)
    assert (config.data.name, config.data.image_size, config.model.name, config.name) == ("digits", 8, "simple_cnn", "cnntrain")
    assert job.folder is not None
    assert job.folder.is_dir()
    assert job.folder.parent == Path("outputs/cnntrain").absolute()
    assert job.number is None
    assert job.choices["data"] == "digits"
    assert list(job.folder.iterdir()) == []  # Hydra leaves nothing of its own


def test_the_job_is_the_one_that_was_checked(cnntrain: "Recorder") -> None:
    words = ["optimizer=adamw", "+optimizer.lr=0.5", "model.stages[1].groups=2", "~optimizer.eps", "name=a.b", "data.val_split='x y'"]
    assert cnntrain(*words) == 0
    (checked, same), (ran, config) = only(cnntrain.checked), only(cnntrain.ran)
    assert same == config
    assert checked.stored == ran.stored
    assert checked.choices == ran.choices
    assert config.optimizer["lr"] == 0.5
    assert config.model.stages[1]["groups"] == 2
    assert "eps" not in config.optimizer
    assert ran.argv == ("train", *words)
    assert ran.stored["optimizer"]["type"] == "adamw"


def test_a_folder_of_photos_brings_what_suits_it(cnntrain: "Recorder") -> None:
    _, config = only(cnntrain.plan("data=folder", "trainer.device=cpu"))
    assert (config.data.name, config.data.image_size, config.epochs) == ("folder", 64, None)
    assert config.model.name != "simple_cnn"


def test_image_size_follows_the_chosen_device(cnntrain: "Recorder") -> None:
    assert only(cnntrain.plan("data=folder", "trainer.device=cuda"))[1].data.image_size == 128


def test_the_command_line_beats_a_recipe_and_a_recipe_the_data(cnntrain: "Recorder", yaml_file: YamlFile) -> None:
    folder = yaml_file(
        "recipe/mine.yaml",
        "# @package _global_\ndefaults:\n  - override /data: folder\n  - override /model: resnet20\nepochs: 7\nbatch_size: 16\n",
    )
    _, config = only(cnntrain.plan("recipe=mine", "--config-dir", folder, "batch_size=48"))
    assert (config.data.name, config.model.name, config.epochs, config.batch_size) == ("folder", "resnet20", 7, 48)
    _, config = only(cnntrain.plan("recipe=mine", "--config-dir", folder, "model=resnet9", "data=digits"))
    assert (config.model.name, config.data.name) == ("resnet9", "digits")


def test_a_users_file_beats_the_packaged_one(cnntrain: "Recorder", yaml_file: YamlFile, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = yaml_file("optimizer/sgd.yaml", "type: sgd\nlr: 0.125\n")
    assert only(cnntrain.plan("--config-dir", folder))[1].optimizer["lr"] == 0.125
    monkeypatch.setenv("CNNTRAIN_CONFIG_DIR", folder)
    assert only(cnntrain.plan())[1].optimizer["lr"] == 0.125


def test_a_group_of_the_users_own_needs_no_plus(cnntrain: "Recorder", yaml_file: YamlFile) -> None:
    folder = yaml_file("size/big.yaml", "# @package _global_\nbatch_size: 256\n")
    assert cnntrain("--config-dir", folder, "size=big") == 0
    assert only(cnntrain.ran)[1].batch_size == 256


def test_a_whole_part_may_be_written_on_the_command_line(cnntrain: "Recorder") -> None:
    assert cnntrain("model.stages=[{block:conv,out_channels:4}]", "model.head={dropout:0.5}") == 0
    _, config = only(cnntrain.ran)
    assert config.model.stages == [{"block": "conv", "out_channels": 4}]
    assert config.model.head["dropout"] == 0.5


def test_a_folder_given_by_hand_reaches_the_claim(cnntrain: "Recorder") -> None:
    assert cnntrain("hydra.run.dir=my run=1") == 0
    assert cnntrain.claims == [("cnntrain", False, Path("my run=1"))]
    assert only(cnntrain.ran)[0].folder == Path("my run=1").absolute()


def test_a_dry_run_writes_nothing(cnntrain: "Recorder") -> None:
    assert cnntrain("dry_run=true") == 0
    assert only(cnntrain.ran)[0].folder is None
    assert list(cnntrain.folder.iterdir()) == []


def test_eval_writes_nothing_by_itself(cnntrain: "Recorder") -> None:
    assert cnntrain("checkpoint=a/epoch=3.pt", name="eval") == 0
    assert isinstance(cnntrain.ran[0].config, EvalConfig)
    assert cnntrain.ran[0].config.checkpoint == "a/epoch=3.pt"
    assert list(cnntrain.folder.iterdir()) == []


def test_an_error_of_the_job_ends_with_its_own_code(cnntrain: "Recorder") -> None:
    def diverges(job: object) -> float:
        raise Diverged("loss is nan")

    cnntrain.act = diverges
    assert cnntrain() == 79
    assert cnntrain.said() == ["loss is nan"]


def test_the_process_is_left_as_it_was(cnntrain: "Recorder", monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(os.environ)
    assert cnntrain() == 0
    assert dict(os.environ) == before
    assert cnntrain.folder == Path.cwd()


def test_cfg_prints_and_runs_nothing(cnntrain: "Recorder") -> None:
    assert cnntrain("--cfg", "job", "optimizer.lr=0.5", "-p", "optimizer", "epochs=0") == 0
    assert "lr: 0.5\n" in cnntrain.capture.readouterr().out
    assert not cnntrain.ran
    assert list(cnntrain.folder.iterdir()) == []


def test_cfg_resolves_when_asked(cnntrain: "Recorder") -> None:
    words = ["--cfg", "job", "data=folder", "trainer.device=cpu", "-p", "data"]
    assert cnntrain(*words) == 0
    assert "image_size: ${by_device:" in cnntrain.capture.readouterr().out
    assert cnntrain(*words, "--resolve") == 0
    assert "image_size: 64" in cnntrain.capture.readouterr().out


def test_cfg_hydra_is_hydras_own(cnntrain: "Recorder") -> None:
    assert cnntrain("--cfg", "hydra", "-p", "hydra.run") == 0
    assert "dir: ." in cnntrain.capture.readouterr().out
    assert not cnntrain.ran


def test_a_component_of_ones_own_by_import(cnntrain: "Recorder", tmp_path: Path) -> None:
    file = tmp_path / "my_schedules_for_test.py"
    file.write_text(
        "import cnntrain\n\n"
        "@cnntrain.register('schedule', 'zigzag')\n"
        "def zigzag(step: int, total: int, *, teeth: int = 3) -> float:\n    return 1.0\n"
    )
    assert cnntrain("--import", str(file), "schedule={type:zigzag,teeth:4}", "schedule.teeth=5") == 2  # one_cycle's keys are still there
    assert "schedule.peak_at: schedule zigzag takes no peak_at" in cnntrain.said()[0]
    drop = [
        "~schedule.peak_at",
        "~schedule.start",
        "~schedule.final",
        "~schedule.shape",
        "~schedule.warmup_epochs",
        "~schedule.warmup_start",
    ]
    (job,) = cnntrain.plan("--import", str(file), "schedule.type=zigzag", "schedule.teeth=5", *drop)
    assert job.stored["schedule"] == {"type": "zigzag", "teeth": 5}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = 1\ny = z\n", "line 2: NameError: name 'z' is not defined"),
        ("def f(:\n", "line 1: SyntaxError: invalid syntax"),
        ("import cnntrain\ncnntrain.register('block', 'conv')(dict)\n", "line 2: ValueError: block 'conv' is already registered"),
    ],
)
def test_a_faulty_file_is_told_with_its_line(cnntrain: "Recorder", tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / f"faulty_{len(text)}.py"
    file.write_text(text)
    (told,) = cnntrain.told("--import", str(file))
    assert told.startswith(f"--import {file}: {sentence}")


def test_a_file_that_is_missing_or_hides_a_module(cnntrain: "Recorder", tmp_path: Path) -> None:
    assert cnntrain.told("--import", "gone.py") == ["--import gone.py: no such file"]
    (tmp_path / "json.py").write_text("")
    assert "rename the file, such as my_json.py" in cnntrain.told("--import", "json.py")[0]


def test_words_to_a_launcher_are_refused_where_none_runs(cnntrain: "Recorder") -> None:
    assert cnntrain.told("hydra.sweeper.max_batch_size=2") == [
        "hydra.sweeper.max_batch_size has no effect outside a sweep; add -m, or leave it out"
    ]
