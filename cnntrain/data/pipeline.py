"""From a decoded image to the network's input: a list of steps, the first of which can be done once for all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cnntrain.config.components import registry
from cnntrain.config.components.data import TRANSFORMS, resized, size_pair, transform_faults
from cnntrain.data import keyed
from cnntrain.data.batched import NO_KEYS, Shorten, Step, alone, read_size
from cnntrain.data.transforms import BUILDERS, EachImage
from cnntrain.errors import ConfigError

# Source: torchvision's references; the channel means over ImageNet's training images, scaled to [0, 1]
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
ONCE = ("resize", "center_crop")  # steps of the head: no randomness, uint8 -> uint8


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation of each channel, of pixels scaled to [0, 1]."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


class Pipeline:
    """Resolved steps: a head that is the same in every epoch, and a tail that is drawn for each image and epoch.

    Args:
        steps: mappings {type: ..., ...} with every keyword given; sizes and statistics are numbers.
        image_size: (height, width) of the output.
        channels: of the input and the output.
        place: key to name in a fault.
    """

    def __init__(self, steps: Sequence[Mapping[str, Any]], *, image_size: tuple[int, int], channels: int, place: str = "transforms"):
        self.steps = [dict(step) for step in steps]
        self.image_size, self.channels, self.place = image_size, channels, place
        num_head = next((n for n, step in enumerate(self.steps) if step["type"] not in ONCE), len(self.steps))
        self.head_steps = self.steps[:num_head]
        self.head = [build_step(step) for step in self.head_steps]
        if num_head < len(self.steps) and self.steps[num_head]["type"] == "random_resized_crop":
            crop = self.steps[num_head]  # its own first move is the same in every epoch too
            if self.fixed_size is None or min(self.fixed_size) > crop["read_size"]:
                self.head_steps.append({"type": "shorten", "size": crop["read_size"], "interpolation": crop["interpolation"]})
                self.head.append(Shorten(crop["read_size"], interpolation=crop["interpolation"]))
        waits = self.needs_statistics  # then only the head can run, which is what the statistics are measured on
        self.tail = [] if waits else [(n, build_step(step)) for n, step in enumerate(self.steps) if n >= num_head]
        self.draws_from_torch = any(step.draws_from_torch for _, step in self.tail)

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """(height, width) after the head, where it is the same for all images."""
        size = self.size_of(100, 200)
        return size if size == self.size_of(200, 100) else None  # steps that keep the aspect keep these two apart

    def size_of(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) after the head of an image that has these before it."""
        for step in self.head:
            height, width = step.output_size(height, width)
        return height, width

    @property
    def at_least(self) -> tuple[int, int] | None:
        """What the head brings an image to first, (height, width) in pixels: so much must be decoded; None for all."""
        if not self.head_steps or self.head_steps[0]["type"] == "center_crop":
            return None
        first = self.head_steps[0]
        return (first["size"],) * 2 if first["type"] == "shorten" else resized(first, self.image_size)

    @property
    def is_shipped(self) -> bool:
        """Whether no step is a user's own: other processes, which lack the user's file, can then make it too."""
        return all(step["type"] in TRANSFORMS for step in self.steps)

    @property
    def slow_steps(self) -> list[str]:
        """Steps that work image by image."""
        return [self.steps[number]["type"] for number, step in self.tail if isinstance(step, EachImage)]

    @property
    def needs_statistics(self) -> bool:
        """Whether a step waits for the training images' own mean and std; see `with_statistics`."""
        return any("data" in (step.get("mean"), step.get("std")) for step in self.steps if step["type"] == "normalize")

    def with_statistics(self, statistics: Statistics) -> "Pipeline":
        """The same steps with the words `data` replaced by numbers."""
        steps = [resolve(step, self.image_size, self.channels, statistics) for step in self.steps]
        return Pipeline(steps, image_size=self.image_size, channels=self.channels, place=self.place)

    def describe(self) -> dict[str, Any]:
        """All there is to know, as plain data, for a checkpoint."""
        assert not self.needs_statistics, "statistics are not measured yet"
        return {"image_size": list(self.image_size), "channels": self.channels, "steps": [dict(step) for step in self.steps]}

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> "Pipeline":
        """The pipeline that `describe` wrote down.

        Raises:
            ConfigError: a step that is not known here, or cannot work.
        """
        height, width = description["image_size"]
        return build_pipeline(description["steps"], image_size=(height, width), channels=description["channels"], statistics=None)

    def start(self, image: Tensor) -> Tensor:
        """The head, for one image: (C, H, W) uint8 -> (C, h, w) uint8."""
        images = alone(image)
        for step in self.head:
            images = step(images, NO_KEYS)
        return images[0]

    def head_facts(self) -> dict[str, Any]:
        """All that decides on what `start` returns, as plain data."""
        return {"channels": self.channels, "steps": self.head_steps, "at_least": self.at_least}

    def finish(self, images: Tensor | list[Tensor], keys: np.ndarray) -> Tensor:
        """The tail, for a batch; torch's global generator is left as it was found.

        Args:
            images: results of `start`: (B, C, h, w) uint8, or a list of B images of different sizes.
            keys: (B,) uint64, of the images in this epoch.

        Returns:
            (B, C, height, width) float32.
        """
        if not self.draws_from_torch:
            return self.checked(self.run_tail(images, keys))
        state = torch.get_rng_state()  # 3 us
        try:
            return self.checked(self.run_tail(images, keys))
        finally:
            torch.set_rng_state(state)

    def run_tail(self, images: Tensor | list[Tensor], keys: np.ndarray) -> Tensor:
        assert not self.needs_statistics, "statistics are not measured yet"
        for number, step in self.tail:
            own = keys if step.takes_turns else keyed.step_keys(keys, number)
            images = stacked(step.each(images, own)) if isinstance(images, list) else step(images, own)
        assert isinstance(images, Tensor), "sizes differ after the last step"
        return images

    def checked(self, images: Tensor) -> Tensor:
        """A user's own transform may have changed what the rules for the shipped ones promise."""
        shape = (self.channels, *self.image_size)
        if images.dtype != torch.float32 or tuple(images.shape[1:]) != shape:
            raise ConfigError(f"{self.place}: images end as {images.dtype} of shape {tuple(images.shape[1:])}, not as float32 of {shape}")
        return images


def stacked(images: list[Tensor]) -> Tensor | list[Tensor]:
    """One (B, C, H, W) tensor where all images have one size, else the list as it is."""
    return torch.stack(images) if len({image.shape for image in images}) == 1 else images


def build_pipeline(
    steps: Sequence[Mapping[str, Any]],
    *,
    image_size: tuple[int, int],
    channels: int,
    statistics: Statistics | None,
    place: str = "transforms",
) -> Pipeline:
    """Check the steps, fill in what they leave open, and build them.

    Args:
        image_size: (height, width) of the network's input, which `size: null` stands for.
        statistics: what `mean: data` and `std: data` stand for; None if it is still to be measured.
        place: the list's key; where it ends in `eval`, random steps are refused.

    Raises:
        ConfigError: all that is wrong with the steps.
    """
    faults = transform_faults(place, list(steps), image_size=list(image_size))
    faults = faults or [
        f"{place}[{number}].{key} has {len(step[key])} numbers for {channels} channels; give 1 or {channels}"
        for number, step in enumerate(steps)
        if step["type"] == "normalize"
        for key in ("mean", "std")
        if isinstance(step.get(key), (list, tuple)) and len(step[key]) not in (1, channels)
    ]
    if faults:
        raise ConfigError(faults)
    resolved_steps = [resolve(step, image_size, channels, statistics) for step in steps]
    return Pipeline(resolved_steps, image_size=image_size, channels=channels, place=place)


def resolve(step: Mapping[str, Any], image_size: tuple[int, int], channels: int, statistics: Statistics | None) -> dict[str, Any]:
    """Every keyword of a step as plain data; `data` stays where the statistics are not known yet."""
    if step["type"] not in TRANSFORMS:
        return dict(step)
    defaults = {name: parameter.default for name, parameter in TRANSFORMS[step["type"]].parameters.items()}
    full = {"type": step["type"], **defaults, **step}
    if "size" in full:
        full["size"] = list(size_pair(full["size"] or image_size))
        if step["type"] == "random_resized_crop" and full["read_size"] is None:
            full["read_size"] = read_size(size_pair(full["size"]), scale=full["scale"], ratio=full["ratio"])
    elif step["type"] == "normalize":
        std = full["mean"] if full["std"] is None else full["std"]
        full["mean"] = channel_numbers(full["mean"], IMAGENET_MEAN, None if statistics is None else statistics.mean, channels)
        full["std"] = channel_numbers(std, IMAGENET_STD, None if statistics is None else statistics.std, channels)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in full.items()}


def channel_numbers(given: Any, imagenet: Sequence[float], measured: Sequence[float] | None, channels: int) -> Any:
    """One number for each channel, or the word `data` while it is not measured."""
    if given == "imagenet":
        given = imagenet if channels == len(imagenet) else [round(sum(imagenet) / len(imagenet), 6)]
    if given == "data":
        if measured is None:
            return "data"
        given = measured
    return [float(v) for v in (list(given) * channels if len(given) == 1 else given)]


def build_step(step: Mapping[str, Any]) -> Step:
    keywords = {name: value for name, value in step.items() if name != "type"}
    own = registry.user_builder("transform", step["type"])
    return BUILDERS[step["type"]](**keywords) if own is None else EachImage(own(**keywords))
