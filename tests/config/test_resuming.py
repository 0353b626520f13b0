"""resume=RUN: the stored configuration under the command line's words."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from cnntrain.config.schema import TrainConfig
from cnntrain.config.stored import LARGEST_BYTES, as_yaml, read_stored
from cnntrain.errors import ConfigError

if TYPE_CHECKING:
    from tests.config.conftest import Recorder


@pytest.fixture
def old_run(cnntrain: "Recorder") -> Path:
    """A run of resnet20 with AdamW, none of which is the default."""
    (job,) = cnntrain.plan("model=resnet20", "optimizer=adamw", "epochs=5", "name=old", "model.stages.1.groups=2")
    assert isinstance(job.config, TrainConfig)
    folder = cnntrain.folder / "old"
    folder.mkdir()
    (folder / "config.yaml").write_text(as_yaml(job.config))
    return folder


def test_what_is_written_is_what_is_read(tmp_path: Path, old_run: Path, cnntrain: "Recorder") -> None:
    (job,) = cnntrain.plan(f"resume={old_run}")
    assert isinstance(job.config, TrainConfig)
    (tmp_path / "config.yaml").write_text(as_yaml(replace(job.config, resume=None)))
    assert (tmp_path / "config.yaml").read_text() == (old_run / "config.yaml").read_text()
    assert [path.name for path in tmp_path.glob(".config*")] == []


def test_the_run_goes_on_in_its_own_folder_with_its_own_settings(cnntrain: "Recorder", old_run: Path) -> None:
    assert cnntrain(f"resume={old_run}") == 0
    (job,) = cnntrain.ran
    assert isinstance(job.config, TrainConfig)
    assert job.folder == old_run
    assert cnntrain.claims == []
    assert (job.config.model.name, job.config.epochs, job.config.optimizer["type"], job.config.name) == ("resnet20", 5, "adamw", "old")
    assert job.config.resume == str(old_run)
    assert job.changed == ()


def test_words_of_the_command_line_lie_on_top(cnntrain: "Recorder", old_run: Path) -> None:
    words = [f"resume={old_run}", "epochs=9", "optimizer.betas=[0.8,0.99]", "model.stages.2.groups=4", "~optimizer.eps"]
    assert cnntrain(*words) == 0
    (job,) = cnntrain.ran
    assert isinstance(job.config, TrainConfig)
    assert job.config.epochs == 9
    assert job.config.optimizer["betas"] == [0.8, 0.99]
    assert "eps" not in job.config.optimizer
    assert [stage.get("groups") for stage in job.config.model.stages] == [None, 2, 4]
    assert set(job.changed) == {"epochs", "optimizer.betas", "optimizer.eps", "model.stages"}
    assert cnntrain.checked[0].config == job.config


def test_a_group_takes_its_whole_part(cnntrain: "Recorder", old_run: Path) -> None:
    (job,) = cnntrain.plan(f"resume={old_run}", "optimizer=sgd", "optimizer.lr=0.5")
    assert job.stored["optimizer"]["type"] == "sgd"
    assert job.stored["optimizer"]["lr"] == 0.5
    assert "betas" not in job.stored["optimizer"]
    assert {"optimizer.type", "optimizer.momentum", "optimizer.betas"} <= set(job.changed)


def test_a_key_that_the_run_does_not_have_yet_gets_its_default(cnntrain: "Recorder", old_run: Path) -> None:
    values = yaml.safe_load((old_run / "config.yaml").read_text())
    del values["trainer"]["clip_norm"]
    (old_run / "config.yaml").write_text(yaml.safe_dump(values))
    (job,) = cnntrain.plan(f"resume={old_run}")
    assert job.stored["trainer"]["clip_norm"] is None
    assert job.changed == ()


def test_cfg_shows_the_runs_configuration(cnntrain: "Recorder", old_run: Path) -> None:
    assert cnntrain(f"resume={old_run}", "--cfg", "job", "-p", "optimizer") == 0
    assert "type: adamw" in cnntrain.capture.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["-m", "seed=0,1"], "resume goes on with one run; leave out -m"),
        (["recipe=quick"], "recipe=quick does not go with resume: the run has its settings already; give the keys to change"),
        (["hydra.run.dir=x"], "hydra.run.dir does not go with resume: the run goes on in its own folder, "),
        (["epochs=0"], "epochs=0 must be a whole number >= 1 or null"),
        (["optimizer.momentum=0.5"], "no option optimizer.momentum; "),
    ],
)
def test_what_does_not_go_with_resume(cnntrain: "Recorder", old_run: Path, words: list[str], sentence: str) -> None:
    assert cnntrain(f"resume={old_run}", *words) == 2
    assert cnntrain.said()[0].startswith(sentence)
    assert not cnntrain.ran


def test_a_checkpoint_is_not_its_run(cnntrain: "Recorder", old_run: Path) -> None:
    assert cnntrain(f"resume={old_run}/checkpoints/last") == 2
    assert cnntrain.said() == [f"resume={old_run}/checkpoints/last: this is inside a run; did you mean resume={old_run}?"]


def test_a_folder_without_configuration(cnntrain: "Recorder", tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert cnntrain.told("resume=empty")[0].startswith("resume=empty: it has no config.yaml; resume takes a run folder such as ")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: &x [1]\nb: *x\n", r"config.yaml is no plain YAML: an alias"),
        ("a: !!python/object/apply:os.system [exit]\n", r"config.yaml is no plain YAML: could not determine a constructor"),
        ("a: [1\n", r"config.yaml is no plain YAML"),
        ("[" * 5000, r"config.yaml is no plain YAML"),
        ("- 1\n", r"config.yaml holds no configuration"),
        ("data: {root: '${oc.env:HOME}'}\n", r"data.root holds \$\{...\}; a stored configuration is plain data"),
        ("# " + "x" * LARGEST_BYTES, r"config.yaml is larger than 1 MiB"),
    ],
)
def test_a_strangers_file_is_read_as_data(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        read_stored(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("epoch: 3", "no option epoch; did you mean epochs?"),
        ("epochs: abc\nseed: x", "epochs=abc must be a whole number >= 1 or null"),
        ("model: 3", "model=3 must be a mapping of keys to values"),
    ],
)
def test_a_stored_file_of_another_schema_is_named(cnntrain: "Recorder", tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text(text)
    assert cnntrain.told("resume=run")[0].startswith(f"run/config.yaml: {sentence}")
