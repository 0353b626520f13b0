"""An epoch from its k-th batch on: the same batches, and nothing of those before is read."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from cnntrain.data import keyed
from cnntrain.data.images import ImageSet
from cnntrain.data.keyed_images import Batch
from cnntrain.data.loaders import Loader
from cnntrain.data.pipeline import build_pipeline
from cnntrain.data.workers import Processes

Make = Callable[..., ImageSet]
STEPS: list[dict[str, Any]] = [{"type": "random_resized_crop"}, {"type": "to_tensor"}, {"type": "random_erasing"}]
BATCHES = 5


def loader_of(images: ImageSet, **keys: Any) -> Loader:
    pipeline = build_pipeline(STEPS, image_size=(8, 8), channels=3, statistics=None)
    return Loader(images, pipeline, **{"batch_size": 4, "seed": 3, "shuffle": True, "cache": "none", "cache_budget_mib": 9, **keys})


def same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"cache": "memory"},
        {"cache": "disk"},
        {"order": "balanced"},
        {"order": "sharded"},
        {"num_workers": Processes(2, stay=True)},
        {"num_workers": Processes(1, stay=False), "cache": "disk"},
        {"shuffle": False},
    ],
    ids=str,
)
def test_the_rest_of_an_epoch_is_the_same_from_every_batch_on(make_set: Make, keys: dict[str, Any]) -> None:
    images = make_set(4 * BATCHES, sizes=((9, 12), (15, 10)))
    orders = {
        "balanced": partial(keyed.balanced_order, labels=images.targets),
        "sharded": partial(keyed.sharded_order, shards=images.targets),
    }
    loader = loader_of(images, **{**keys, "order": orders.get(keys.get("order", ""))})
    for epoch in range(2):
        whole = list(loader.batches(epoch))
        for first in range(BATCHES + 1):
            rest = list(loader.batches(epoch, first))
            assert len(rest) == BATCHES - first
            assert all(same(one, other) for one, other in zip(whole[first:], rest, strict=True))
    loader.close()


def test_what_came_before_is_not_read(make_set: Make) -> None:
    images = make_set(4 * BATCHES)
    loader = loader_of(images, max_bad=1.0)
    indices = [batch[2] for batch in loader.batches(0)]
    for index in torch.cat(indices[:3]).tolist():
        images.path(index).unlink()  # reading it would find it bad, and put another in its place
    rest = list(loader_of(images, max_bad=1.0).batches(0, 3))
    assert [batch[2].tolist() for batch in rest] == [each.tolist() for each in indices[3:]]
