"""A listener that names the images of steps that were not taken: on the terminal, in train.log and in metrics.jsonl."""

import logging

from cnntrain.data.images import ImageSet
from cnntrain.engine.events import Event, StepRejected
from cnntrain.engine.rejections import what_failed
from cnntrain.report.console import say
from cnntrain.runs.history import History

MOST_SHOWN = 3  # steps on the terminal; train.log and metrics.jsonl have all
MOST_NAMED = 3  # images in a sentence; metrics.jsonl has all


class RejectedSteps:
    """
    Args:
        images: of training, that the batches' indices point into.
    """

    def __init__(self, history: History, images: ImageSet):
        self.history, self.images = history, images
        self.told = 0

    def __call__(self, event: Event) -> None:
        if not isinstance(event, StepRejected):
            return
        files = [self.images.files[index] for index in event.indices]
        reason = what_failed(event.loss)
        self.history.append({"event": "rejected", "step": event.step, "epoch": event.epoch, "reason": reason, "files": files})
        more = f" and {len(files) - MOST_NAMED} more" if len(files) > MOST_NAMED else ""
        self.told += 1
        text = f"step {event.step}: {reason}, so the step changes nothing; its images: {', '.join(files[:MOST_NAMED])}{more}"
        say(text, logging.WARNING if self.told <= MOST_SHOWN else logging.DEBUG)
        if self.told == MOST_SHOWN + 1:
            say("more steps changed nothing; all are named in metrics.jsonl and train.log", logging.WARNING)
