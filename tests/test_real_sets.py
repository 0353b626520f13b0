"""Figures on real images, through the command line in processes of its own."""

import json
import os
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

import pytest
from dirt import BAD, FILES, coded, write
from PIL import Image, ImageEnhance

pytestmark = pytest.mark.slow
# photos of clothes that are not part of the project: the test skips where they are absent
CLOTHING = Path(__file__).parents[2] / "shared" / "data" / "clothing10.tar.gz"


def cnntrain(folder: Path, *words: str) -> str:
    env = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-m", "cnntrain", *words], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_digits_reach_99_percent_over_five_seeds(tmp_path: Path) -> None:
    cnntrain(tmp_path, "train", "-m", "seed=0,1,2,3,4")
    (sweep,) = (tmp_path / "outputs" / "cnntrain").iterdir()
    runs = json.loads((sweep / "sweep.json").read_text())["runs"]
    last = [run["last"]["val/top1"] for run in runs]
    assert len(last) == 5
    assert sum(last) / 5 >= 0.99, last
    assert min(last) >= 0.985, last


@pytest.mark.skipif(not CLOTHING.is_file(), reason="the clothing photos are not here")
def test_photos_of_many_sizes_train_and_evaluate(tmp_path: Path) -> None:
    with tarfile.open(CLOTHING) as photos:
        photos.extractall(tmp_path, filter="data")
    (root,) = (path for path in tmp_path.iterdir() if path.is_dir())
    (root / "validation").rename(root / "val")
    cnntrain(tmp_path, "train", "data=folder", f"data.root={root}", "data.image_size=32", "model=simple_cnn", "epochs=3")
    (run,) = (tmp_path / "outputs" / "cnntrain").iterdir()
    summary = json.loads((run / "summary.json").read_text())
    assert summary["last"]["val/top1"] > 0.3  # ten classes, the largest 26 % of the photos
    cnntrain(tmp_path, "eval", f"checkpoint={run}")
    result = json.loads((run / "eval-val.json").read_text())
    assert result["count"] == 341
    assert result["top1"] == summary["best"]["val/top1"]
    cnntrain(tmp_path, "eval", f"checkpoint={run}", "split=test")
    assert json.loads((run / "eval-test.json").read_text())["count"] == 372


@pytest.mark.skipif(not CLOTHING.is_file(), reason="the clothing photos are not here")
def test_dirt_among_photos_is_found_and_nothing_else(tmp_path: Path) -> None:
    with tarfile.open(CLOTHING) as photos:
        photos.extractall(tmp_path, filter="data")
    (root,) = (path for path in tmp_path.iterdir() if path.is_dir())
    (root / "validation").rename(root / "val")
    hats = sorted((root / "train" / "hat").iterdir())
    # the photos come with one pair of their own: nearly the same photo as shorts and as a skirt
    expected = Counter([("conflicting_labels", "train/shorts")])
    for number, (name, (kind, content)) in enumerate(FILES.items()):
        write(root / "train" / "hat" / name, content(10 * number))
        if kind is not None:
            expected[(kind, "train/hat")] += 1
    write(root / "train" / "hat" / "same.jpg", hats[0].read_bytes())
    write(root / "train" / "pants" / "other.jpg", hats[1].read_bytes())
    write(root / "val" / "hat" / "leaked.jpg", hats[2].read_bytes())
    photo = [Image.open(path).convert("RGB") for path in hats[:6]]
    write(root / "train" / "hat" / "again.jpg", coded(photo[3], "JPEG", quality=40))
    write(root / "train" / "hat" / "small.jpg", coded(photo[4].resize((photo[4].width // 2, photo[4].height // 2)), "JPEG"))
    write(root / "train" / "hat" / "bright.jpg", coded(ImageEnhance.Brightness(photo[5]).enhance(1.15), "JPEG"))
    kinds = ("duplicate", "conflicting_labels", "leakage", "near_duplicate", "near_duplicate", "near_duplicate")
    expected += Counter((kind, "train/hat") for kind in kinds)
    result = json.loads(cnntrain(tmp_path, "data", "check", f"data.root={root}", "format=json"))
    found = Counter((each["kind"], str(Path(each["path"]).relative_to(root).parent)) for each in result["findings"])
    assert found == expected
    num_bad = sum(kind in BAD for kind, _ in FILES.values())
    assert result["counts"]["train"] == {"used": 3068 + len(FILES) + 5 - num_bad, "left_out": 0, "bad": num_bad}
    assert result["counts"]["val"] == {"used": 342, "left_out": 0, "bad": 0}
