"""The result of looking for images: the splits, and all that was found on the way. No torch."""

from dataclasses import dataclass

from cnntrain.data.findings import Finding, refusals
from cnntrain.data.images import ImageSet
from cnntrain.errors import DataError


@dataclass(frozen=True)
class Scan:
    """What lies where the images are said to be.

    Args:
        splits: name -> images, training before validation; empty where there is no such folder at all.
        findings: everything to say about the layout, each thing once.
        left_out: split -> entries that are no used image: with the images of the split they are all that lies there.
    """

    splits: dict[str, ImageSet]
    findings: list[Finding]
    left_out: dict[str, int]

    def usable(self) -> "Scan":
        """
        Raises:
            DataError: every finding that training refuses.
        """
        sentences = refusals(self.findings)
        if sentences:
            raise DataError(sentences)
        return self

    def pair(self) -> tuple[ImageSet, ImageSet]:
        """The training and the validation images."""
        train, val = self.splits.values()
        return train, val
