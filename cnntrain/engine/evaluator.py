"""Loss and outputs of a network over all images of a loader."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from cnntrain.engine.precision import Arithmetic
from cnntrain.engine.tasks import Task, Totals
from cnntrain.engine.views import Infer, as_it_is

Batch = tuple[Tensor, Tensor, Tensor]


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    batches: Iterable[Batch],
    arithmetic: Arithmetic,
    *,
    task: Task,
    infer: Infer = as_it_is,
    on_batch: Callable[[Tensor, Tensor, Tensor], None] | None = None,
) -> Totals:
    """Exact figures over all images; the loss is plain, without weights and label smoothing.

    Args:
        batches: images (N, C, H, W) float32, targets of the task, indices (N,) int64.
        infer: how the model is asked, such as for the mean over two views of each image.
        on_batch: gets outputs (N, num_outputs) float32, targets and indices of each batch.
    """
    was_training = model.training
    model.eval()
    totals = task.totals()
    for images, targets, indices in batches:
        with arithmetic.autocast():
            outputs = infer(model, arithmetic.images(images))
        outputs, targets = outputs.float(), arithmetic.targets(targets)
        totals.update(outputs, targets, task.loss_sum(outputs, targets))
        if on_batch is not None:
            on_batch(outputs, targets, indices)
    model.train(was_training)
    return totals
