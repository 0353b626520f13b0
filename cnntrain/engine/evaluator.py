"""Loss and logits of a network over all images of a loader."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnntrain.engine.precision import Arithmetic
from cnntrain.metrics.classification import ClassificationTotals

Batch = tuple[Tensor, Tensor, Tensor]


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    batches: Iterable[Batch],
    arithmetic: Arithmetic,
    *,
    num_classes: int,
    on_batch: Callable[[Tensor, Tensor, Tensor], None] | None = None,
) -> ClassificationTotals:
    """Exact counts over all images; the loss is plain cross entropy, without label smoothing.

    Args:
        batches: images (N, C, H, W) float32, labels (N,) int64, indices (N,) int64.
        on_batch: gets logits (N, num_classes) float32, labels and indices of each batch.
    """
    was_training = model.training
    model.eval()
    totals = ClassificationTotals(num_classes)
    for images, labels, indices in batches:
        with arithmetic.autocast():
            logits = model(arithmetic.images(images))
        logits, labels = logits.float(), arithmetic.labels(labels)
        totals.update(logits, labels, functional.cross_entropy(logits, labels, reduction="sum"))
        if on_batch is not None:
            on_batch(logits, labels, indices)
    model.train(was_training)
    return totals
