"""Our figures are scikit-learn's, on labels drawn at random."""

import numpy as np
import pytest
import torch
from sklearn import metrics as theirs

from cnntrain.metrics.classification import ClassificationTotals
from cnntrain.metrics.multilabel import MultilabelTotals
from cnntrain.metrics.regression import RegressionTotals

SEEDS = range(5)


def close(value: object) -> object:
    return pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_of_one_class_an_image(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, logits = rng.integers(0, 7, 300), rng.normal(size=(300, 7)).astype(np.float32)
    shares = torch.from_numpy(logits).double().softmax(1).numpy()
    totals = ClassificationTotals(7)
    loss = torch.nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels), reduction="sum")
    totals.update(torch.from_numpy(logits), torch.from_numpy(labels), loss)
    found, said = totals.result(), logits.argmax(1)
    assert found["top1"] == theirs.accuracy_score(labels, said)
    assert found["top5"] == theirs.top_k_accuracy_score(labels, shares, k=5)
    assert found["loss"] == close(theirs.log_loss(labels, shares))
    assert found["confusion"] == theirs.confusion_matrix(labels, said).tolist()
    precision, recall, f1, count = theirs.precision_recall_fscore_support(labels, said)
    for name, expected in (("precision", precision), ("recall", recall), ("f1", f1), ("count", count)):
        assert [row[name] for row in found["per_class"]] == close(expected.tolist())
    assert found["macro"]["f1"] == close(theirs.f1_score(labels, said, average="macro"))


@pytest.mark.parametrize("seed", SEEDS)
def test_of_several_labels_an_image(seed: int) -> None:
    rng = np.random.default_rng(seed)
    there, logits = (rng.random((200, 5)) < 0.3).astype(np.float32), rng.normal(size=(200, 5)).round(1).astype(np.float32)
    totals = MultilabelTotals(5)
    totals.update(torch.from_numpy(logits), torch.from_numpy(there), 0.0)
    found, said = totals.result(), logits > 0
    assert found["map"] == close(theirs.average_precision_score(there, logits, average="macro"))
    assert found["f1"] == close(theirs.f1_score(there, said, average="micro"))
    precision, recall, f1, count = theirs.precision_recall_fscore_support(there, said)
    for name, expected in (("precision", precision), ("recall", recall), ("f1", f1), ("count", count)):
        assert [row[name] for row in found["per_class"]] == close(expected.tolist())


@pytest.mark.parametrize("seed", SEEDS)
def test_of_numbers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(150, 2)).astype(np.float32)
    said = (true + rng.normal(size=(150, 2))).astype(np.float32)
    totals = RegressionTotals(2)
    totals.update(torch.from_numpy(said), torch.from_numpy(true), 0.0)
    found, true, said = totals.result(), true.astype(np.float64), said.astype(np.float64)
    assert found["mae"] == close(theirs.mean_absolute_error(true, said))
    assert found["rmse"] == close(np.mean([theirs.root_mean_squared_error(true[:, d], said[:, d]) for d in range(2)]))
    assert found["r2"] == close(theirs.r2_score(true, said))
