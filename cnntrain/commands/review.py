"""What evaluation keeps of each image beyond the totals: answers, intervals, and the pictures for the report."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cnntrain.data.images import ImageSet
from cnntrain.data.shown import as_shown
from cnntrain.engine.evaluator import Batch
from cnntrain.engine.tasks import Regression, Task
from cnntrain.measures import CLASSIFICATION, MULTILABEL, REGRESSION
from cnntrain.metrics.calibration import calibration_error
from cnntrain.metrics.intervals import Interval, mean_interval, mean_precision_interval, share_interval
from cnntrain.report.page.album import Album, Place, Ranking
from cnntrain.report.page.classes import ClassAnswers, class_content, class_notes, matrix_data
from cnntrain.report.page.groups import Groups
from cnntrain.report.page.labels import KINDS, LabelAnswers, label_content, label_notes
from cnntrain.report.page.numbers import NUM_PARTS, NumberAnswers, number_content, number_notes, part_of

NUM_IN_RANKING = 12
Watch = Callable[["Review", dict[str, np.ndarray]], None]


@dataclass(frozen=True)
class Ranked:
    """An order of the images in which a person should look at some first."""

    key: str
    title: str
    meaning: str


class Review(ABC):
    """The answers of one task; sees every batch once.

    Args:
        names: of the classes, or of the predicted numbers.
        images: the set that is evaluated.
        steps: of the pipeline, so that pictures can be shown in their own colours.
        wants_pictures: whether a report will be written.
    """

    template: str
    rankings: tuple[Ranked, ...]

    def __init__(self, task: Task, names: Sequence[str], images: ImageSet, steps: Sequence[Any], *, wants_pictures: bool):
        self.task, self.names, self.images, self.steps = task, list(names), images, steps
        self.album = Album(len(images), self.num_families()) if wants_pictures else None
        self.best = {each.key: Ranking(NUM_IN_RANKING) for each in self.rankings}
        self.kept: list[dict[str, np.ndarray]] = []
        self.inputs: Tensor | None = None
        self.watch: Watch | None = None

    def watched(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches, remembered one at a time: `add` looks at the pictures of the one that was answered."""
        for batch in batches:
            self.inputs = batch[0]
            yield batch

    def add(self, outputs: Tensor, targets: Tensor, indices: Tensor) -> None:
        """The answers to a batch."""
        found = {name: value.cpu().numpy() for name, value in self.note(outputs, targets).items()} | {"numbers": indices.numpy()}
        self.kept.append(found)
        if self.watch is not None:
            self.watch(self, found)
        if self.album is None or self.inputs is None:
            return
        numbers, inputs = indices.tolist(), self.inputs
        self.album.take(numbers, self.places(found), lambda wanted: as_shown(inputs[wanted], self.steps))
        for key, scores in self.scores(found).items():
            self.best[key].add(scores, numbers, lambda place: inputs[place].clone())

    def collected(self) -> dict[str, np.ndarray]:
        """All that was noted, in the order of the set."""
        if not self.kept:
            return {}
        whole = {name: np.concatenate([each[name] for each in self.kept]) for name in self.kept[0]}
        order = np.argsort(whole["numbers"], kind="stable")
        return {name: values[order] for name, values in whole.items()}

    @abstractmethod
    def num_families(self) -> int:
        """See Album."""

    @abstractmethod
    def note(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """What is kept of each image of a batch."""

    @abstractmethod
    def places(self, found: dict[str, np.ndarray]) -> list[list[Place]]:
        """The groups of pictures that each image of a batch belongs to."""

    @abstractmethod
    def scores(self, found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """For each ranking how high an image stands; -inf where it is not to be ranked."""

    @abstractmethod
    def answers(self) -> Any:
        """The answers to all images."""

    @abstractmethod
    def figures(self, result: dict[str, Any]) -> dict[str, Any]:
        """What eval-SPLIT.json says beside the totals: intervals, calibration_error."""

    @abstractmethod
    def content(self, answers: Any, result: dict[str, Any], groups: Groups) -> dict[str, Any]:
        """What the task's template names."""

    @abstractmethod
    def asked(self, answers: Any, place: int) -> list[tuple[int, str]]:
        """The outputs that a closer look asks about, and what they are called; the first is what was said."""

    @abstractmethod
    def notes(self, answers: Any, result: dict[str, Any]) -> list[Any]:
        """What stands out, a sentence each."""

    def matrix(self, answers: Any) -> dict[str, Any] | None:  # noqa: ARG002
        """What the page's script paints, if anything."""
        return None


class ReviewOfClasses(Review):
    template = "classes.html"
    rankings = (
        Ranked("loss", "Highest loss", "What the network believes least of the truth. Wrong labels gather here."),
        Ranked("bold", "Confidently wrong", "The highest probabilities of a wrong class."),
        Ranked("unsure", "Least sure", "The lowest probabilities of what was said, right or wrong: more such images would teach most."),
    )

    def num_families(self) -> int:
        return 2 * len(self.names)

    def note(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        shares = outputs.double().softmax(1)
        best = shares.max(1)
        true = shares.gather(1, targets[:, None])[:, 0]
        return {"true": targets, "said": best.indices, "sure": best.values, "true_share": true}

    def places(self, found: dict[str, np.ndarray]) -> list[list[Place]]:
        pairs = zip(found["true"].tolist(), found["said"].tolist(), strict=True)
        return [[(f"{true}:{said}", f"{true}:{'right' if true == said else 'wrong'}")] for true, said in pairs]

    def scores(self, found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        wrong = found["true"] != found["said"]
        return {"loss": -found["true_share"], "bold": np.where(wrong, found["sure"], -np.inf), "unsure": -found["sure"]}

    def answers(self) -> ClassAnswers:
        return ClassAnswers(**self.collected())

    def figures(self, result: dict[str, Any]) -> dict[str, Any]:
        answers = self.answers()
        intervals = {"top1": share_interval(int(answers.right.sum()), len(answers.true))}
        if "top5" in result:
            intervals["top5"] = share_interval(round(result["top5"] * result["count"]), result["count"])
        return {"intervals": plain(intervals), "calibration_error": calibration_error(answers.bins())}

    def content(self, answers: ClassAnswers, result: dict[str, Any], groups: Groups) -> dict[str, Any]:
        return class_content(answers, self.names, result, groups)

    def asked(self, answers: ClassAnswers, place: int) -> list[tuple[int, str]]:
        both = dict.fromkeys((int(answers.said[place]), int(answers.true[place])))
        return [(number, self.names[number]) for number in both]

    def notes(self, answers: ClassAnswers, result: dict[str, Any]) -> list[Any]:
        return class_notes(answers, self.names, result)

    def matrix(self, answers: ClassAnswers) -> dict[str, Any] | None:
        return matrix_data(answers, self.names)


class ReviewOfLabels(Review):
    template = "labels.html"
    rankings = (
        Ranked("loss", "Highest loss", "What the network believes least of the truth. Wrong and missing labels gather here."),
        Ranked("bold", "Confidently wrong", "The highest probabilities of a wrong decision for or against a label."),
        Ranked("unsure", "Least sure", "Decisions nearest to one half."),
    )

    def num_families(self) -> int:
        return len(KINDS) * len(self.names)

    def note(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        there = targets > 0.5
        loss = torch.nn.functional.binary_cross_entropy_with_logits(outputs.double(), there.double(), reduction="none").mean(1)
        return {"there": there, "share": outputs.double().sigmoid(), "loss": loss}

    def places(self, found: dict[str, np.ndarray]) -> list[list[Place]]:
        there, said = found["there"], found["share"] > 0.5
        chosen = {"found": there & said, "missed": there & ~said, "said": ~there & said}
        return [
            [(key, key) for kind, which in chosen.items() for k in np.flatnonzero(which[row]).tolist() for key in (f"{k}:{kind}",)]
            for row in range(len(there))
        ]

    def scores(self, found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        there, share = found["there"], found["share"]
        against = np.where(there, 1 - share, share)  # the probability of the wrong side of each decision
        bold = against.max(1)
        return {"loss": found["loss"], "bold": np.where(bold > 0.5, bold, -np.inf), "unsure": -np.abs(share - 0.5).min(1)}

    def answers(self) -> LabelAnswers:
        found = self.collected()
        return LabelAnswers(found["numbers"], found["there"], found["share"])

    def figures(self, result: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        answers = self.answers()
        right = int(answers.right.sum())
        intervals = {
            "map": mean_precision_interval(answers.share, answers.there),
            "all_right": share_interval(right, len(answers.right)),
        }
        return {
            "all_right": right / len(answers.right),
            "intervals": plain(intervals),
            "calibration_error": calibration_error(answers.bins()),
        }

    def content(self, answers: LabelAnswers, result: dict[str, Any], groups: Groups) -> dict[str, Any]:
        return label_content(answers, self.names, result, groups)

    def asked(self, answers: LabelAnswers, place: int) -> list[tuple[int, str]]:
        there, share = answers.there[place], answers.share[place]
        worst = int(np.where(there, 1 - share, share).argmax())
        both = dict.fromkeys((worst, int(share.argmax())))
        return [(number, self.names[number]) for number in both]

    def notes(self, answers: LabelAnswers, result: dict[str, Any]) -> list[Any]:
        return label_notes(answers, self.names, result)


class ReviewOfNumbers(Review):
    template = "numbers.html"
    rankings = (
        Ranked(
            "loss", "Largest errors", "In standard deviations of the training set, over all numbers of an image. Wrong labels gather here."
        ),
        Ranked("high", "Predicted far too high", "The largest errors upwards."),
        Ranked("low", "Predicted far too low", "The largest errors downwards."),
    )

    def num_families(self) -> int:
        return NUM_PARTS * len(self.names)

    def __init__(self, task: Task, names: Sequence[str], images: ImageSet, steps: Sequence[Any], *, wants_pictures: bool):
        super().__init__(task, names, images, steps, wants_pictures=wants_pictures)
        assert isinstance(task, Regression), task.name
        self.std = np.asarray(task.std)
        self.parts = [part_of(images.targets[:, d]) for d in range(len(names))]

    def note(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return {"true": targets.double(), "said": outputs.double()}

    def places(self, found: dict[str, np.ndarray]) -> list[list[Place]]:
        keys = [[f"{d}:{parts[number]}" for d, parts in enumerate(self.parts)] for number in found["numbers"].tolist()]
        return [[(key, key) for key in theirs] for theirs in keys]

    def scores(self, found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        missed = (found["said"] - found["true"]) / self.std
        high, low = missed.max(1), missed.min(1)
        return {
            "loss": np.abs(missed).mean(1),
            "high": np.where(high > 0, high, -np.inf),
            "low": np.where(low < 0, -low, -np.inf),
        }

    def answers(self) -> NumberAnswers:
        return NumberAnswers(**self.collected())

    def figures(self, result: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        answers = self.answers()
        return {"intervals": plain({"mae": mean_interval(np.abs(answers.said - answers.true).mean(1))})}

    def content(self, answers: NumberAnswers, result: dict[str, Any], groups: Groups) -> dict[str, Any]:
        return number_content(answers, self.names, result, groups)

    def asked(self, answers: NumberAnswers, place: int) -> list[tuple[int, str]]:
        worst = int(np.abs((answers.said[place] - answers.true[place]) / self.std).argmax())
        return [(worst, self.names[worst])]

    def notes(self, answers: NumberAnswers, result: dict[str, Any]) -> list[Any]:
        return number_notes(answers, self.names, result)


KINDS_OF_REVIEW: dict[str, type[Review]] = {CLASSIFICATION: ReviewOfClasses, MULTILABEL: ReviewOfLabels, REGRESSION: ReviewOfNumbers}


def review_of(task: Task, names: Sequence[str], images: ImageSet, steps: Sequence[Any], *, wants_pictures: bool) -> Review:
    return KINDS_OF_REVIEW[task.name](task, names, images, steps, wants_pictures=wants_pictures)


def plain(intervals: dict[str, Interval | None]) -> dict[str, list[float] | None]:
    return {name: None if each is None else list(each) for name, each in intervals.items()}
