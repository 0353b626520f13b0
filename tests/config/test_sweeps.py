"""Sweeps: all jobs checked before the first, one folder, failures told at once."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
import pytest

from cnntrain.config.command import Job
from cnntrain.config.schema import TrainConfig
from cnntrain.errors import CannotGoOn, Diverged, Interrupted, StoppedAndSaved

if TYPE_CHECKING:
    from tests.config.conftest import Recorder

YamlFile = Callable[[str, str], str]


def seeds(jobs: list[Job]) -> list[int]:
    return [job.config.seed for job in jobs if isinstance(job.config, TrainConfig)]


def test_every_combination_is_checked_then_run_in_the_same_order(cnntrain: "Recorder") -> None:
    assert cnntrain("-m", "seed=0,1", "model=simple_cnn,resnet20") == 0
    assert [job.swept for job in cnntrain.checked] == [job.swept for job in cnntrain.ran]
    assert [job.config for job in cnntrain.checked] == [job.config for job in cnntrain.ran]
    assert [job.number for job in cnntrain.checked] == [job.number for job in cnntrain.ran] == list(range(4))
    assert cnntrain.ran[3].swept == ("seed=1", "model=resnet20")
    assert cnntrain.ran[3].where == " (in seed=1 model=resnet20)"
    assert cnntrain.ran[3].choices["model"] == "resnet20"


def test_one_folder_holds_all_jobs(cnntrain: "Recorder") -> None:
    assert cnntrain("-m", "seed=0,1", "name=two") == 0
    assert cnntrain.claims == [("two", True, None)]
    ((sweep, objective),) = cnntrain.finished
    assert objective == "auto"
    assert [job.folder for job in cnntrain.ran] == [(sweep / "0").absolute(), (sweep / "1").absolute()]
    assert sorted(path.name for path in sweep.iterdir()) == ["0", "1"]


def test_a_sweep_of_one_is_a_sweep(cnntrain: "Recorder") -> None:
    assert [(job.number, job.swept) for job in cnntrain.plan("-m", "seed=3")] == [(0, ())]


def test_a_fault_names_the_first_job_that_has_it(cnntrain: "Recorder") -> None:
    told = cnntrain.told("-m", "optimizer.lr=0.1,0.2", "model=simple_cnn,resnet20", "epochs=0,5")
    assert told == ["epochs=0 must be a whole number >= 1 or null (in optimizer.lr=0.1 model=simple_cnn epochs=0)"]


def test_a_fault_of_all_jobs_names_none(cnntrain: "Recorder") -> None:
    assert cnntrain.told("-m", "seed=0,1", "epochs=0") == ["epochs=0 must be a whole number >= 1 or null"]


def test_typos_in_swept_words(cnntrain: "Recorder") -> None:
    told = cnntrain.told("-m", "sead=0,1", "model=resnt20,simple_cnn", "batch_size=1,x")
    assert told[0].startswith("model=resnt20: no such config; did you mean model=resnet20?")
    assert "no option sead; did you mean seed?" in told
    assert any(line.startswith("batch_size=x must be a whole number >= 1 (in ") for line in told)


def test_a_rule_between_two_swept_settings(cnntrain: "Recorder") -> None:
    told = cnntrain.told("-m", "batch_size=32,33", "trainer.accumulation_steps=1,2")
    assert told == ["batch_size=33 cannot be divided by trainer.accumulation_steps=2 (in batch_size=33 trainer.accumulation_steps=2)"]


def test_a_key_that_no_yaml_lists_can_be_swept(cnntrain: "Recorder") -> None:
    assert cnntrain("-m", "model.stages.1.groups=1,2") == 0
    for jobs in (cnntrain.checked, cnntrain.ran):
        assert [job.stored["model"]["stages"][1]["groups"] for job in jobs] == [1, 2]


def test_hydras_ranges_and_globs_work(cnntrain: "Recorder") -> None:
    jobs = cnntrain.plan("-m", "seed=range(0,2)", "trainer=glob(de*)")
    assert seeds(jobs) == [0, 0, 1, 1]
    assert [job.choices["trainer"] for job in jobs] == ["default", "deterministic"] * 2


def test_sweeps_written_in_yaml_are_checked_too(cnntrain: "Recorder", yaml_file: YamlFile) -> None:
    folder = yaml_file("recipe/search.yaml", "# @package _global_\nhydra:\n  sweeper:\n    params: {epochs: '3,5', seed: '0,1'}\n")
    words = ["-m", "--config-dir", folder, "recipe=search"]
    assert cnntrain.told(*words, "epochs=0,5") == ["epochs=0 must be a whole number >= 1 or null (in epochs=0 seed=0)"]
    assert cnntrain(*words) == 0
    assert [job.swept for job in cnntrain.ran] == [job.swept for job in cnntrain.checked]
    assert cnntrain.ran[1].swept == ("epochs=3", "seed=1")


def test_an_interval_needs_a_sweeper_that_searches(cnntrain: "Recorder") -> None:
    (told,) = cnntrain.told("-m", "optimizer.lr=interval(0.1,1)")
    assert told.startswith("optimizer.lr=interval(0.1,1): an interval needs a sweeper that searches")


def test_a_run_folder_in_a_sweep_has_no_effect(cnntrain: "Recorder") -> None:
    assert cnntrain.told("-m", "seed=0,1", "hydra.run.dir=x") == ["hydra.run.dir has no effect in a sweep; did you mean hydra.sweep.dir=x?"]


def test_a_sweep_folder_given_by_hand(cnntrain: "Recorder") -> None:
    assert cnntrain("-m", "seed=0", "hydra.sweep.dir=mine") == 0
    assert cnntrain.claims == [("cnntrain", True, Path("mine"))]


def test_a_failing_job_is_told_and_the_others_go_on(cnntrain: "Recorder") -> None:
    def act(job: Job) -> float:
        if job.number == 1:
            raise Diverged("loss is nan")
        if job.number == 2:
            raise CannotGoOn("no memory")
        return 1 / (3 - (job.number or 0))

    cnntrain.act = act
    assert cnntrain("-m", "seed=0,1,2,3") == 79  # the first failure's
    said = cnntrain.said()
    assert said[:2] == ["run 1 (in seed=1): loss is nan", "run 2 (in seed=2): no memory"]
    assert said[-1] == "run 3 (in seed=3): ZeroDivisionError: division by zero"
    assert len(cnntrain.ran) == 4
    assert len(cnntrain.finished) == 1


def test_a_bug_in_one_job_is_code_1(cnntrain: "Recorder") -> None:
    cnntrain.act = lambda job: 1 / (job.number or 0)
    assert cnntrain("-m", "seed=0") == 1
    assert cnntrain.said()[-1] == "run 0: ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (Interrupted("stopped after epoch 2"), 130, "run 1 (in seed=1): stopped after epoch 2"),
        (StoppedAndSaved("told to stop"), 75, "run 1 (in seed=1): told to stop"),
    ],
)
def test_ctrl_c_ends_the_sweep_and_still_finishes_it(cnntrain: "Recorder", error: BaseException, code: int, said: str) -> None:
    def act(job: Job) -> float:
        if job.number == 1:
            raise error
        return 1.0

    cnntrain.act = act
    assert cnntrain("-m", "seed=0,1,2") == code
    assert cnntrain.said() == [said]
    assert len(cnntrain.ran) == 2
    assert len(cnntrain.finished) == 1


def test_a_sweep_without_folders_leaves_nothing(cnntrain: "Recorder") -> None:
    assert cnntrain("-m", "checkpoint=a,b", name="eval") == 0
    assert [job.folder for job in cnntrain.ran] == [None, None]
    assert cnntrain("-m", "seed=0", "dry_run=true") == 0
    assert list(cnntrain.folder.iterdir()) == []


def test_hundreds_of_values_are_checked_with_one_compose(cnntrain: "Recorder", monkeypatch: pytest.MonkeyPatch) -> None:
    composes: list[Any] = []
    compose = hydra.compose

    def counted(*args: Any, **kwargs: Any) -> Any:
        composes.append(args)
        return compose(*args, **kwargs)

    monkeypatch.setattr(hydra, "compose", counted)
    jobs = cnntrain.plan("-m", "seed=range(0,50)", "optimizer.lr=0.1,0.2,0.3", "batch_size=32,64")
    assert len(jobs) == 50 * 3 * 2
    assert len({(job.stored["seed"], job.stored["optimizer"]["lr"], job.stored["batch_size"]) for job in jobs}) == 300
    assert len(composes) == 1  # each takes 50 ms and more
