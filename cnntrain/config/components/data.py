"""Transforms: what each takes, and which orders of steps can work."""

from collections.abc import Mapping, Sequence
from typing import Any

from cnntrain.config.components import registry
from cnntrain.config.components.parameters import Component, Parameter, keyword_faults, show
from cnntrain.errors import did_you_mean

SIZE = Parameter("size", None, "pixels, or [height, width]; null: data.image_size", low=1, optional=True)
INTERPOLATION = Parameter(
    "choice", "bilinear", "how new pixels are computed, antialiased where smooth", choices=("bilinear", "bicubic", "nearest")
)
P = Parameter("float", 0.5, "probability", low=0, high=1)


def strength(what: str, high: float | None = None) -> Parameter:
    return Parameter("float", 0.0, f"largest relative change of {what}", low=0, high=high)


def pair(default: tuple[float, float], meaning: str, *, high: float | None = None) -> Parameter:
    return Parameter("numbers", default, meaning + ", [smallest, largest]", above=0, high=high)


TRANSFORMS: dict[str, Component] = {
    "resize": Component(
        "a new size",
        {
            "size": SIZE,
            "mode": Parameter(
                "choice",
                "squash",
                "squash: both sides to the size; shorter: the shorter side to the (larger) number, aspect kept",
                choices=("squash", "shorter"),
            ),
            "interpolation": INTERPOLATION,
            "factor": Parameter("float", 1.0, "multiplies the size, such as 1.25 before a crop", above=0),
        },
    ),
    "center_crop": Component("cut out the middle", {"size": SIZE}),
    "random_crop": Component(
        "cut out a random place; with padding this moves the image by up to that many pixels",
        {
            "size": SIZE,
            "padding": Parameter("int", 0, "pixels added on each side first", low=0),
            "padding_mode": Parameter("choice", "zeros", "what the added pixels hold", choices=("zeros", "reflect", "edge")),
        },
    ),
    "random_resized_crop": Component(
        "cut out a random part and bring it to the size (Szegedy et al. 2014, arXiv 1409.4842)",
        {
            "size": SIZE,
            "scale": pair((0.08, 1.0), "share of the image's area", high=1),
            "ratio": pair((0.75, 4 / 3), "width / height of the part"),
            "interpolation": INTERPOLATION,
            "read_size": Parameter(
                "int",
                None,
                "pixels that the shorter side is brought down to before, once for all epochs; null: as few as enlarge no part",
                low=1,
                optional=True,
            ),
        },
    ),
    "horizontal_flip": Component("mirror left and right (wrong for digits, letters, signs)", {"p": P}),
    "alternating_flip": Component(
        "mirror left and right in every second epoch, half of the images in each (Jordan 2024, arXiv 2404.00498)", {}
    ),
    "vertical_flip": Component("mirror top and bottom", {"p": P}),
    "rotation": Component(
        "turn about the middle", {"degrees": Parameter("float", 10.0, "largest angle, either way, degrees", low=0, high=180)}
    ),
    "affine": Component(
        "turn, shift, zoom and slant",
        {
            "degrees": Parameter("float", 0.0, "largest angle, either way, degrees", low=0, high=180),
            "translate": Parameter("numbers", (0.0, 0.0), "largest shift as share of [width, height]", low=0, high=1),
            "scale": pair((1.0, 1.0), "zoom"),
            "shear": Parameter("float", 0.0, "largest slant, either way, degrees", low=0, high=89),
        },
    ),
    "color_jitter": Component(
        "change the colours a little",
        {
            "brightness": strength("brightness"),
            "contrast": strength("contrast"),
            "saturation": strength("saturation"),
            "hue": Parameter("float", 0.0, "largest turn of the colour circle, either way, in turns", low=0, high=0.5),
        },
    ),
    "grayscale": Component("take the colour away, channels kept", {"p": Parameter("float", 0.1, "probability", low=0, high=1)}),
    "gaussian_blur": Component(
        "blur",
        {
            "kernel_size": Parameter("int", 3, "pixels, odd", low=1),
            "sigma": pair((0.1, 2.0), "standard deviation, pixels"),
        },
    ),
    "rand_augment": Component(
        "some of 14 changes, all equally strong (Cubuk et al. 2019, arXiv 1909.13719)",
        {
            "num_ops": Parameter("int", 2, "changes one after the other", low=1),
            "magnitude": Parameter("int", 9, "strength, 0 to 30", low=0, high=30),
        },
    ),
    "trivial_augment": Component("one change of random strength (Mueller, Hutter 2021, arXiv 2103.10158)", {}),
    "augmix": Component(
        "several chains of changes, blended with the image (Hendrycks et al. 2019, arXiv 1912.02781)",
        {
            "severity": Parameter("int", 3, "largest strength of a change, 1 to 10", low=1, high=10),
            "mixture_width": Parameter("int", 3, "chains", low=1),
            "chain_depth": Parameter("int", None, "changes in a chain; null: 1 to 3, drawn for each", low=1, optional=True),
            "alpha": Parameter(
                "float", 1.0, "shares of the chains come from Dirichlet(alpha), of all of them from Beta(alpha, alpha)", above=0
            ),
            "all_ops": Parameter("bool", True, "also brightness, colour, contrast and sharpness, which the paper's test corruptions hold"),
        },
    ),
    "cutout": Component(
        "blank out a square, cut off at the border (DeVries, Taylor 2017, arXiv 1708.04552)",
        {"side": Parameter("int", 8, "pixels; the paper: half the image's side for 10 classes, a quarter for 100", low=1)},
    ),
    "random_erasing": Component(
        "blank out a rectangle (Zhong et al. 2017, arXiv 1708.04896)",
        {
            "p": P,
            "scale": pair((0.02, 0.33), "share of the image's area", high=1),
            "ratio": pair((0.3, 3.3), "height / width of the rectangle"),
        },
    ),
    "to_tensor": Component("whole numbers 0..255 to float32 in [0, 1]", {}),
    "normalize": Component(
        "(x - mean) / std, channel by channel",
        {
            "mean": Parameter(
                "numbers",
                "imagenet",
                "one number a channel; imagenet: 0.485, 0.456, 0.406 (gray: their mean); data: the training images' own",
                words=("imagenet", "data"),
            ),
            "std": Parameter(
                "numbers",
                None,
                "one number a channel; imagenet: 0.229, 0.224, 0.225 (gray: their mean); data: the images' own; null: as mean says",
                above=0,
                words=("imagenet", "data"),
                optional=True,
            ),
        },
    ),
}

DETERMINISTIC = ("resize", "center_crop", "to_tensor", "normalize")
NEEDS_FLOAT = ("normalize", "cutout", "random_erasing")
NEEDS_PLAIN_COLOURS = ("color_jitter", "grayscale", "rand_augment", "trivial_augment", "augmix")  # they count on 0..255 or 0..1
PAIRS = {"random_resized_crop": ("scale", "ratio"), "random_erasing": ("scale", "ratio"), "affine": ("scale",), "gaussian_blur": ("sigma",)}
NEEDS_ONE_OF = {"color_jitter": ("brightness", "contrast", "saturation", "hue"), "affine": ("degrees", "translate", "scale", "shear")}
OWN = "a transform of your own comes with --import FILE.py"


def transform_faults(place: str, steps: Any, *, image_size: Any = None) -> list[str]:
    """Everything that is wrong with a list of steps, told before torch is imported.

    Args:
        place: the list's key, such as transforms.train; where it ends in `eval`, random steps are refused.
        steps: the list of mappings {type: ..., ...}.
        image_size: data.image_size, pixels or [height, width]; without it sizes are not checked.
    """
    if not isinstance(steps, Sequence) or isinstance(steps, str):
        return [f"{place}={show(steps)} must be a list of steps such as [{{type: resize}}, {{type: to_tensor}}]"]
    faults = [fault for number, step in enumerate(steps) for fault in step_faults(f"{place}[{number}]", step)]
    if faults:
        return faults  # the order of steps that are not understood says nothing
    if place.endswith("eval"):
        faults = [
            f"{place}[{number}].type={step['type']}: evaluation takes no random step; take it out"
            for number, step in enumerate(steps)
            if step["type"] in TRANSFORMS and step["type"] not in DETERMINISTIC
        ]
    faults += order_faults(place, [step["type"] for step in steps])
    return faults + ([] if image_size is None else size_faults(place, steps, image_size))


def step_faults(place: str, step: Any) -> list[str]:
    """Faults of one step by itself: its name and its keywords."""
    known = registry.components("transform")
    if not isinstance(step, Mapping) or "type" not in step:
        return [f"{place}={show(step)} must be a mapping with a type, such as {{type: resize}}"]
    name = step["type"]
    if name not in known:
        return [f"{place}.type={show(name)}: no such transform; {did_you_mean(str(name), known)} ({OWN})"]
    given = {key: value for key, value in step.items() if key != "type"}
    faults = keyword_faults(place, given, known[name].parameters, owner=str(name))
    if faults or name not in TRANSFORMS:
        return faults
    for key in PAIRS.get(name, ()):
        value = given.get(key)
        if value is not None and (len(value) != 2 or value[0] > value[1]):
            faults.append(f"{place}.{key}={show(value)} must be two numbers, [smallest, largest]")
    if name == "affine" and len(given.get("translate", (0, 0))) != 2:
        faults.append(f"{place}.translate={show(given['translate'])} must be two numbers, [width, height]")
    if name == "gaussian_blur" and given.get("kernel_size", 3) % 2 == 0:
        faults.append(f"{place}.kernel_size={given['kernel_size']} must be odd")
    if name in NEEDS_ONE_OF and not faults and not any(differs(name, key, given) for key in NEEDS_ONE_OF[name]):
        faults.append(f"{place}.type={name} changes nothing; give it {', '.join(NEEDS_ONE_OF[name][:-1])} or {NEEDS_ONE_OF[name][-1]}")
    if name == "normalize" and given.get("std") is None and not isinstance(given.get("mean", ""), str):
        faults.append(f"{place}.std is missing: mean is given in numbers, so std must be too")
    return faults


def differs(name: str, key: str, given: Mapping[str, Any]) -> bool:
    """Whether a keyword is given, and not as its default."""
    default = TRANSFORMS[name].parameters[key].default
    value = given.get(key, default)
    return (tuple(value) if isinstance(default, tuple) else value) != default


def order_faults(place: str, names: Sequence[str]) -> list[str]:
    """Steps that stand before or behind their place."""
    at = [number for number, name in enumerate(names) if name == "to_tensor"]
    if not at:
        return [f"{place} has no to_tensor; add {{type: to_tensor}} before normalize, or at the end"]
    faults = [f"{place}[{number}].type=to_tensor: {place}[{at[0]}] is one already; take this one out" for number in at[1:]]
    flips = [number for number, name in enumerate(names) if name in ("horizontal_flip", "alternating_flip")]
    if len(flips) > 1 and "alternating_flip" in names:
        faults.append(
            f"{place}[{flips[1]}].type={names[flips[1]]}: {place}[{flips[0]}] mirrors left and right already; take one of them out"
        )
    for number, name in enumerate(names):
        if name in NEEDS_FLOAT and number < at[0]:
            faults.append(f"{place}[{number}].type={name} must come after to_tensor, which is {place}[{at[0]}]")
        if name in NEEDS_PLAIN_COLOURS and "normalize" in names[:number]:
            faults.append(f"{place}[{number}].type={name} must come before normalize, which is {place}[{names.index('normalize')}]")
    return faults


def size_faults(place: str, steps: Sequence[Mapping[str, Any]], image_size: Any) -> list[str]:
    """Follow the image's size through the steps: crops that do not fit, and an end that is not image_size."""
    if not (isinstance(image_size, int) or len(image_size) == 2):
        return []  # no size at all: told at data.image_size
    wanted = size_pair(image_size)
    least: tuple[int, int] | None = None  # the smallest height and width that an image can have here
    exact = False
    for number, step in enumerate(steps):
        name = step["type"]
        if name == "resize":
            least, exact = resized(step, image_size), step.get("mode", "squash") == "squash"
        elif name == "random_resized_crop":
            least, exact = size_pair(step.get("size") or image_size), True
        elif name in ("center_crop", "random_crop"):
            size, padding = size_pair(step.get("size") or image_size), step.get("padding", 0)
            if least is None:
                return [
                    f"{place}[{number}].type={name} needs a resize before it, so that no image is smaller; add {{type: resize}} before it"
                ]
            if least[0] + 2 * padding < size[0] or least[1] + 2 * padding < size[1]:
                return [f"{place}[{number}].size: {text(size)} does not fit into {text(least)} pixels with padding {padding}"]
            least, exact = size, True
        elif name == "cutout" and least is not None and step.get("side", 8) > min(least):
            return [f"{place}[{number}].side={step.get('side', 8)} blanks out most of {text(least)} pixels; give a smaller side"]
        elif name == "gaussian_blur" and least is not None and step.get("kernel_size", 3) // 2 >= min(least):
            return [f"{place}[{number}].kernel_size={step.get('kernel_size', 3)} is too large for {text(least)} pixels"]
    if not exact or least is None:
        return [f"{place}: no step brings all images to one size; add {{type: resize}} or {{type: center_crop}}"]
    if least != wanted:
        return [f"{place}: images end as {text(least)} pixels, but data.image_size is {text(wanted)}; leave the last size out (null)"]
    return []


def resized(step: Mapping[str, Any], image_size: Any) -> tuple[int, int]:
    """Height and width after `resize`; for mode shorter the least that both can be."""
    height, width = size_pair(step.get("size") or image_size)
    factor = step.get("factor", 1.0)
    height, width = max(1, round(height * factor)), max(1, round(width * factor))
    return (height, width) if step.get("mode", "squash") == "squash" else (max(height, width),) * 2


def size_pair(size: Any) -> tuple[int, int]:
    """Pixels, or [height, width], as (height, width)."""
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


def text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
