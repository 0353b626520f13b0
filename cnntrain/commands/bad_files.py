"""Tells the images that cannot be read: once each, on the terminal, in train.log and in metrics.jsonl."""

import logging
from collections.abc import Callable
from functools import partial

from cnntrain.commands.keeping import SummaryKeeper
from cnntrain.data.images import ImageSet
from cnntrain.data.loaders import Loader
from cnntrain.data.quarantine import Bad, Quarantine
from cnntrain.engine.state import Progress
from cnntrain.report.console import say
from cnntrain.runs.history import History, read

MOST_SHOWN = 10  # on the terminal, of each split; train.log and metrics.jsonl have all


def sentence(images: ImageSet, index: int, bad: Bad, *, num_bad: int, replaced: bool) -> str:
    left = f"left out: figures are over {len(images) - num_bad:,} of {len(images):,} images"
    return f"{images.path(index)}: {bad.detail}; {'another image takes its place' if replaced else left}"


def say_bad(quarantine: Quarantine, *, replaced: bool, also: Callable[[int, Bad], None] = lambda *_: None) -> None:
    """Say each bad image of a set, those known now and those met later.

    Args:
        also: called with (index, why) for each too.
    """
    told = 0

    def tell(index: int, bad: Bad) -> None:
        nonlocal told
        told += 1
        text = sentence(quarantine.images, index, bad, num_bad=told, replaced=replaced)
        say(text, logging.INFO if told <= MOST_SHOWN else logging.DEBUG)
        if told == MOST_SHOWN + 1:
            say(f"{quarantine.images.split}: more images cannot be read; all are named in metrics.jsonl and train.log")
        also(index, bad)

    quarantine.listen(tell)


class BadFiles:
    """Listens to the loaders of a training run.

    Args:
        summary: gets their number.
    """

    def __init__(self, history: History, summary: SummaryKeeper, progress: Progress):
        self.history, self.summary, self.progress = history, summary, progress
        lines = read(history.path)  # of a run that is resumed
        self.known = {(line.get("split"), line.get("file")) for line in lines if line.get("event") == "bad_file"}

    def listen(self, *loaders: Loader) -> None:
        for loader in loaders:
            say_bad(loader.quarantine, replaced=loader.requests.shuffle, also=partial(self.keep, loader.images))

    def keep(self, images: ImageSet, index: int, bad: Bad) -> None:
        self.summary.num_bad_files += 1
        file = images.files[index]
        if (images.split, file) not in self.known:
            facts = {"split": images.split, "file": file, "kind": bad.kind, "reason": bad.detail}
            self.history.append({"event": "bad_file", "step": self.progress.step, "epoch": self.progress.epoch, **facts})
