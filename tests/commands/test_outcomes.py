"""What is written of each image, for each task."""

import numpy as np
import torch

from cnntrain.commands.outcomes import outcomes_of
from cnntrain.engine.tasks import Classification, Multilabel, Regression
from cnntrain.metrics.multilabel import MultilabelTotals
from cnntrain.metrics.regression import RegressionTotals
from cnntrain.report.plots import figure_pixels

YEARS_AND_METRES = Regression(2, mean=[0.0, 0.0], std=[10.0, 0.5])


def test_a_class_its_probability_and_whether_it_is_right() -> None:
    outcomes = outcomes_of(Classification(2), ["cat", "dog"])
    outputs, labels = torch.tensor([[0.0, 0.0], [0.0, np.log(3.0)]]), torch.tensor([0, 0])
    assert outcomes.header == ["true", "predicted", "probability", "correct"]
    assert outcomes.cells(outputs, labels) == [["cat", "cat", "0.500000", "true"], ["cat", "dog", "0.750000", "false"]]
    assert outcomes.wrongness(outputs, labels).tolist() == [0.0, 0.75]


def test_labels_that_are_there_and_those_that_were_said() -> None:
    outcomes = outcomes_of(Multilabel(2), ["sun", "sea"])
    outputs = torch.tensor([[np.log(3.0), np.log(3.0)], [-np.log(3.0), 0.0]])
    targets = torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    assert outcomes.header == ["true", "predicted", "correct", "probability of sun", "probability of sea"]
    assert outcomes.cells(outputs, targets) == [
        ["sun|sea", "sun|sea", "true", "0.750000", "0.750000"],
        ["sun", "", "false", "0.250000", "0.500000"],
    ]
    assert outcomes.wrongness(outputs, targets).tolist() == [0.0, 0.75]  # sure by three quarters that there is no sun


def test_numbers_and_how_far_off_they_are() -> None:
    outcomes = outcomes_of(YEARS_AND_METRES, ["age", "height"])
    outputs, targets = torch.tensor([[12.5, 1.0]]), torch.tensor([[10.0, 1.5]])
    assert outcomes.header == ["true age", "predicted age", "error of age", "true height", "predicted height", "error of height"]
    assert outcomes.cells(outputs, targets) == [["10", "12.5", "2.5", "1.5", "1", "-0.5"]]
    assert outcomes.wrongness(outputs, targets).tolist() == [(2.5 / 10 + 0.5 / 0.5) / 2]  # in standard deviations


def test_each_task_has_its_picture() -> None:
    several = MultilabelTotals(2)
    several.update(torch.tensor([[1.0, -1.0], [-2.0, 0.5]]), torch.eye(2), 0.0)
    numbers = RegressionTotals(2)
    numbers.update(torch.tensor([[1.0, 2.0], [3.0, 2.0]]), torch.tensor([[1.0, 2.0], [2.0, 2.0]]), 0.0)
    for task, totals in ((Multilabel(2), several), (YEARS_AND_METRES, numbers)):
        pixels = figure_pixels(outcomes_of(task, ["$a", "b" * 40]).figure(totals))
        assert pixels.std() > 5, "something is drawn"


def test_a_picture_of_many_classes_or_of_no_positive_is_drawn_too() -> None:
    for positives in (torch.ones(2, 150), torch.zeros(2, 150)):
        totals = MultilabelTotals(150)
        totals.update(torch.rand(2, 150), positives, 0.0)
        assert figure_pixels(outcomes_of(Multilabel(150), [str(k) for k in range(150)]).figure(totals)).ndim == 3
