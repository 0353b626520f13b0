"""One list of metrics for all that names them."""

import pytest

from cnntrain.engine.tasks import Classification, Multilabel, Regression, Task
from cnntrain.measures import MEASURES, OBJECTIVES, OF_TASK, OF_TRAINING, higher_is_better, main_metric, metrics_of, objectives


@pytest.mark.parametrize("task", [Classification(6), Multilabel(2), Regression(1, mean=[0.0], std=[1.0])], ids=lambda task: task.name)
def test_a_tasks_totals_have_the_measures_of_the_list(task: Task) -> None:
    assert set(task.totals().metrics()) == set(OF_TASK[task.name])
    assert OF_TRAINING[task.name] in OF_TASK[task.name]


def test_every_measure_is_in_the_list_once() -> None:
    assert {name for measures in OF_TASK.values() for name in measures} == set(MEASURES)


def test_errors_fall_and_shares_rise() -> None:
    assert [name for name in OBJECTIVES[1:] if not higher_is_better(name)] == ["val/loss", "val/mae", "val/rmse"]


def test_the_default_objective_is_the_tasks_own() -> None:
    assert [objectives(task)[0] for task in OF_TASK] == ["val/top1", "val/map", "val/mae"]
    assert "val/top5" not in OBJECTIVES  # not measured with 5 classes or fewer


def test_the_main_metric_is_found_among_others() -> None:
    assert main_metric(["train/loss", "train/mae", "val/loss", "val/r2", "val/mae"]) == "val/mae"
    assert main_metric(["train/top1", "lr"]) is None
    assert metrics_of("multilabel") == ("val/map", "val/loss", "val/f1", "train/f1", "train/loss")
