"""docs/augmentations.md shows every augmentation, with pictures that are what the tool makes."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from cnntrain.config.components.data import DETERMINISTIC, TRANSFORMS
from cnntrain.config.components.mixes import MIXES

DOCS = Path(__file__).parents[1] / "docs"
MOST_BYTES = 60 * 1024


def load_make() -> Any:
    spec = importlib.util.spec_from_file_location("make_augmentations", DOCS / "augmentations" / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKE = load_make()


def test_every_augmentation_has_its_picture() -> None:
    assert set(MAKE.SHEETS) == (set(TRANSFORMS) - set(DETERMINISTIC)) | set(MIXES) | {"progressive_size"}
    assert {path.stem for path in (DOCS / "augmentations").glob("*.png")} == set(MAKE.SHEETS)


@pytest.mark.parametrize("name", MAKE.SHEETS)
def test_a_picture_is_what_the_tool_makes(name: str) -> None:
    path = DOCS / "augmentations" / f"{name}.png"
    assert path.stat().st_size <= MOST_BYTES
    stored, made = np.asarray(Image.open(path)).astype(int), MAKE.SHEETS[name]().astype(int)
    assert stored.shape == made.shape
    # other versions of torch and of the font's renderer may round otherwise
    assert (abs(stored - made) > 12).mean() < 0.02


def test_the_page_shows_each_picture_with_its_yaml() -> None:
    page = (DOCS / "augmentations.md").read_text(encoding="utf-8")
    lines = [line for block in page.split("```yaml\n")[1:] for line in block.split("```")[0].splitlines()]
    given = [yaml.safe_load(line) for line in lines]
    steps = {entry[0]["type"]: entry[0] for entry in given if isinstance(entry, list)}
    assert steps == {MAKE.name_of(text): yaml.safe_load(f"{{type: {text}}}") for text in MAKE.STEPS}
    mixes = {entry["mix"][0]["type"]: entry["mix"][0] for entry in given if "mix" in entry}
    assert mixes == {MAKE.name_of(text): yaml.safe_load(f"{{type: {text}}}") for text in MAKE.MIXES}
    assert {"progressive_size": yaml.safe_load(f"{{{MAKE.GROWTH}}}")} in given
    assert all(f"](augmentations/{name}.png)" in page for name in MAKE.SHEETS)
