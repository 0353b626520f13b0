"""Makes the pictures of docs/augmentations.md: python docs/augmentations/make.py

Every sheet comes from the tool's own pipeline and contact sheet; only the two pictures in it are drawn here.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image, ImageDraw

from cnntrain.data import keyed
from cnntrain.data.growing import GrowingImages
from cnntrain.data.mixing import build_mixing
from cnntrain.data.pipeline import build_pipeline
from cnntrain.data.shown import as_shown
from cnntrain.report.contact_sheet import as_png, contact_sheet

SIDE, NUM_DRAWS, SEED = 64, 7, 0
FLOAT_STEPS = ("cutout", "random_erasing")
STEPS = (
    "random_crop, padding: 8, padding_mode: reflect",
    "random_resized_crop, scale: [0.3, 1.0]",
    "horizontal_flip",
    "alternating_flip",
    "vertical_flip",
    "rotation, degrees: 20",
    "affine, degrees: 10, translate: [0.1, 0.1], scale: [0.8, 1.2], shear: 10",
    "color_jitter, brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.05",
    "grayscale, p: 0.3",
    "gaussian_blur, kernel_size: 7, sigma: [0.1, 3.0]",
    "rand_augment, num_ops: 2, magnitude: 9",
    "trivial_augment",
    "augmix",
    "cutout, side: 24",
    "random_erasing, p: 0.7",
)
MIXES = ("mixup, alpha: 1.0", "cutmix, alpha: 1.0")
GROWTH = "start: 0.4, until: 0.8"


def main() -> int:
    for name, make in SHEETS.items():
        path = Path(__file__).with_name(f"{name}.png")
        path.write_bytes(as_png(make()))
        print(f"{path.stat().st_size / 1024:5.1f} KiB  {path.name}")
    return 0


def of_step(text: str) -> np.ndarray:
    """Two pictures, each as it is and in seven epochs."""
    line = f"{{type: {text}}}"
    step = yaml.safe_load(line)
    middle = [{"type": "to_tensor"}, step] if step["type"] in FLOAT_STEPS else [step, {"type": "to_tensor"}]
    pipeline = build_pipeline([{"type": "resize"}, *middle], image_size=(SIDE, SIDE), channels=3, statistics=None)
    images = pictures()
    columns = [
        as_shown(pipeline.finish(images, keyed.sample_keys(SEED, epoch, np.arange(len(images)))), pipeline.steps)
        for epoch in range(NUM_DRAWS)
    ]
    return sheet(columns, caption=f"- {line}", headings=[f"epoch {epoch}" for epoch in range(NUM_DRAWS)])


def of_mix(text: str) -> np.ndarray:
    """The same batch, mixed in seven steps."""
    line = f"[{{type: {text}}}]"
    mixing = build_mixing(yaml.safe_load(line), num_classes=2, seed=SEED)
    images = pictures() / 255
    mixed = {step: mixing(images, torch.arange(2), step)[0] for step in range(100)}
    met = [step for step in mixed if not torch.equal(mixed[step], images)][:NUM_DRAWS]  # else each picture met itself
    columns = [as_shown(mixed[step], []) for step in met]
    return sheet(columns, caption=f"mix: {line}", headings=[f"step {step}" for step in met])


def of_growth() -> np.ndarray:
    growing = GrowingImages((SIDE, SIDE), **yaml.safe_load(f"{{{GROWTH}}}"), total_steps=NUM_DRAWS - 1)
    images = pictures() / 255
    columns = [as_shown(growing(images, torch.arange(2), step)[0], []) for step in range(NUM_DRAWS)]
    headings = [f"after {step / (NUM_DRAWS - 1):.0%}" for step in range(NUM_DRAWS)]
    return sheet(columns, caption=f"progressive_size: {{{GROWTH}}}", headings=headings)


def sheet(columns: list[list[np.ndarray]], *, caption: str, headings: list[str]) -> np.ndarray:
    columns = [as_shown(pictures() / 255, []), *columns]
    return contact_sheet([list(row) for row in zip(*columns, strict=True)], caption=caption, headings=["original", *headings])


def pictures() -> torch.Tensor:
    """A house by day and a fish under water, (2, 3, SIDE, SIDE) uint8."""
    drawn = [np.asarray(draw().resize((SIDE, SIDE), Image.Resampling.BOX)) for draw in (house, fish)]
    return torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2)


def house() -> Image.Image:
    image = background((120, 180, 240), (215, 235, 250))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 190, 256, 256), (96, 160, 80))
    draw.ellipse((190, 20, 236, 66), (250, 210, 60))
    draw.rectangle((40, 110, 150, 212), (214, 120, 90))
    draw.polygon([(28, 112), (95, 48), (162, 112)], (130, 50, 50))
    draw.rectangle((58, 132, 88, 162), (245, 240, 190))
    draw.rectangle((108, 150, 134, 212), (90, 60, 40))
    draw.rectangle((196, 150, 208, 214), (110, 75, 45))
    draw.ellipse((170, 84, 234, 164), (50, 120, 60))
    return image


def fish() -> Image.Image:
    image = background((40, 120, 170), (15, 50, 100))
    draw = ImageDraw.Draw(image)
    draw.polygon([(60, 128), (16, 84), (20, 172)], (240, 130, 30))
    draw.ellipse((48, 78, 216, 178), (250, 150, 40))
    for x in (98, 138):
        draw.polygon([(x, 80), (x + 22, 80), (x + 14, 176), (x + 2, 176)], (250, 245, 235))
    draw.polygon([(110, 84), (160, 84), (126, 48)], (225, 110, 25))
    draw.ellipse((178, 104, 198, 124), (255, 255, 255))
    draw.ellipse((186, 110, 196, 120), (20, 20, 20))
    for x, y, r in ((232, 80, 8), (222, 48, 6), (238, 24, 4)):
        draw.ellipse((x - r, y - r, x + r, y + r), outline=(200, 230, 250), width=3)
    return image


def background(top: tuple[int, int, int], bottom: tuple[int, int, int]) -> Image.Image:
    share = np.linspace(0, 1, 256)[:, None, None]
    rows = np.array(top) * (1 - share) + np.array(bottom) * share
    return Image.fromarray(np.broadcast_to(rows, (256, 256, 3)).round().astype(np.uint8))


def name_of(text: str) -> str:
    return text.partition(",")[0]


SHEETS: dict[str, Callable[[], Any]] = {
    **{name_of(text): lambda text=text: of_step(text) for text in STEPS},  # type: ignore[misc]
    **{name_of(text): lambda text=text: of_mix(text) for text in MIXES},  # type: ignore[misc]
    "progressive_size": of_growth,
}

if __name__ == "__main__":
    sys.exit(main())
