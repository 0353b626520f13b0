"""Every file of conf/: it composes, builds, and trains two steps."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnntrain.cli import main

CONF = Path(__file__).parents[1] / "conf"


def names(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of 40x40 pictures, eight for training and two for validation in each."""
    root = tmp_path_factory.mktemp("pictures")
    for split, count in (("train", 8), ("val", 2)):
        for label, name in enumerate(("dark", "light")):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = np.random.default_rng([label, number]).integers(0, 128, (40, 40, 3)) + 127 * label
                Image.fromarray(pixels.astype(np.uint8)).save(root / split / name / f"{number}.png")
    return root


def two_steps(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.chdir(tmp_path)
    fixed = ["data=folder", f"data.root={pictures}", "batch_size=4", "trainer.max_steps=2", "trainer.threads=1"]
    return main(["train", *fixed, *words])


@pytest.mark.slow  # the fast tests of the model room train each for one step already
@pytest.mark.parametrize("model", names("model"))
def test_every_model_trains(model: str, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert two_steps(pictures, tmp_path, monkeypatch, f"model={model}", "data.image_size=32") == 0


@pytest.mark.parametrize("transforms", names("transforms"))
def test_every_list_of_transforms_trains(transforms: str, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [f"transforms={transforms}", "model=simple_cnn", "data.image_size=32"]
    assert two_steps(pictures, tmp_path, monkeypatch, *words) == 0


OTHERS = ("optimizer", "schedule", "trainer")


@pytest.mark.parametrize("chosen", list(itertools.zip_longest(*map(names, OTHERS))), ids=lambda chosen: "-".join(filter(None, chosen)))
def test_every_optimizer_schedule_and_trainer_trains(
    chosen: tuple[str | None, ...], pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several in one training, since none changes what the others do."""
    words = [f"{group}={name}" for group, name in zip(OTHERS, chosen, strict=True) if name is not None]
    assert two_steps(pictures, tmp_path, monkeypatch, *words, "model=simple_cnn", "data.image_size=8") == 0


@pytest.mark.parametrize("recipe", names("recipe"))
def test_every_recipe_trains(recipe: str, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert two_steps(pictures, tmp_path, monkeypatch, f"recipe={recipe}") == 0


@pytest.mark.parametrize("recipe", names("recipe"))
def test_a_recipe_states_its_command_and_its_result(recipe: str) -> None:
    header = [line for line in (CONF / "recipe" / f"{recipe}.yaml").read_text().splitlines() if line.startswith("# ")]
    words = " ".join(header)
    for fact in ("source: ", "command: cnntrain train ", "accuracy: ", "n=", "time: "):
        assert fact in words, f"{recipe}: the header lacks {fact!r}"
    assert f"recipe={recipe}" in words


def test_the_default_on_a_folder_never_mirrors() -> None:
    assert "photos" in (CONF / "data" / "folder.yaml").read_text()
    assert "flip" not in (CONF / "transforms" / "photos.yaml").read_text()
