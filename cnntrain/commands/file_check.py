"""Before a run: what its files say, told briefly, and refused where training makes no sense."""

import shlex
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path

from cnntrain.config.components.parameters import show
from cnntrain.config.schema import DataConfig, SourceConfig
from cnntrain.data import facts
from cnntrain.data.examine import file_findings
from cnntrain.data.findings import HANDLED, KINDS, Finding, refusals, strictly, told
from cnntrain.data.images import ImageSet
from cnntrain.data.loaders import Loader
from cnntrain.engine.signals import Signals
from cnntrain.errors import CannotGoOn, DataError
from cnntrain.report.console import say

MOST_EXAMINED = 20_000  # files that a run looks at before it starts, where decoding has not done so


class FileCheck:
    """Looks at the files of some loaders; while they decode what they keep, it costs a few hashes.

    Args:
        where: words for `cnntrain data check`, which lists all; empty in an evaluation, whose one split it does not take.
        strict: refuse what is otherwise noted or left out.
        silent: for the later runs of a sweep, which have told the same before.
    """

    def __init__(self, loaders: Iterable[Loader], *, where: str, strict: bool, silent: bool = False):
        self.sets: dict[str, tuple[ImageSet, facts.Facts]] = {}
        self.where, self.strict, self.silent = where, strict, silent
        for loader in loaders:
            loader.facts = facts.load(loader.images)
            self.sets[loader.images.split] = (loader.images, loader.facts)

    def around(self, prepare: Callable[[], None], signals: Signals) -> None:
        """Run `prepare`, which may decode the files, and check them.

        Raises:
            DataError: all that training refuses.
            CannotGoOn: too many images cannot be read.
        """
        try:
            prepare()
        except CannotGoOn:
            self.refuse(self.findings())  # a class without a readable file says more than a share
            raise
        self.examine(signals)
        findings = self.findings()
        self.refuse(findings)
        if not self.silent:
            self.tell(findings)

    def examine(self, signals: Signals) -> None:
        """What decoding has not shown, as without a cache, if it is not too much."""
        unknown = sum(len(known.unknown()) for _, known in self.sets.values())
        if unknown > MOST_EXAMINED and not self.silent:
            more = f"; `cnntrain data check {self.where}` looks at all of them" if self.where else ""
            say(f"{unknown:,} files are not known yet: each is checked as it is met{more}")
        for images, known in self.sets.values():
            if unknown <= MOST_EXAMINED:
                facts.examine_unknown(images, known, stop=signals.check)
            known.save()

    def findings(self) -> list[Finding]:
        found = file_findings(self.sets)
        return strictly(found) if self.strict else found

    def refuse(self, findings: list[Finding]) -> None:
        sentences = refusals(findings)
        if sentences:
            for _, known in self.sets.values():
                known.save()
            raise DataError(sentences)

    def tell(self, findings: list[Finding]) -> None:
        """One line for each kind of note; a file that cannot be read is told by the one who leaves it out."""
        notes = [each for each in findings if KINDS[each.kind][0] == "note" and each.kind not in HANDLED]
        for line in told(notes):
            say(line)
        if notes and self.where:
            say(f"`cnntrain data check {self.where}` lists them")


def check_words(data: DataConfig) -> str:
    """What to type behind `cnntrain data check` for the same images."""
    own = str(Path(data.file).parent) if data.file is not None else "." if data.train_shards is not None else ""  # found without a word
    plain = DataConfig(root=own, strict=data.strict)
    chosen = {each.name: getattr(data, each.name) for each in fields(SourceConfig)}
    words = [f"data.{name}={show(value)}" for name, value in chosen.items() if value != getattr(plain, name)]
    return " ".join(map(shlex.quote, words if data.name == "folder" else [f"data={data.name}", *words]))
