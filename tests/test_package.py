"""A wheel, and a wheel made from the sdist, carry conf/ and work from any folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


def build(source: Path, into: Path) -> Path:
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", str(into), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = into.glob("*.whl")
    return wheel


def answers(wheel: Path, folder: Path) -> None:
    """The unpacked wheel alone, without the checkout on the path, composes and lists."""
    site = folder / "site"
    zipfile.ZipFile(wheel).extractall(site)
    env = {**os.environ, "PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"}
    where = [sys.executable, "-c", "import cnntrain; print(cnntrain.__file__)"]
    assert str(site) in subprocess.run(where, cwd=folder, env=env, capture_output=True, text=True, check=True).stdout
    command = [sys.executable, "-m", "cnntrain", "train", "model=resnet20", "--cfg", "job"]
    composed = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True).stdout
    assert "zero_pad" in composed
    dry = subprocess.run([sys.executable, "-m", "cnntrain", "train", "dry_run=true"], cwd=folder, env=env, capture_output=True, text=True)
    assert dry.returncode == 0, dry.stderr  # the digits are in the wheel too


def test_a_wheel_finds_its_configs(tmp_path: Path) -> None:
    answers(build(ROOT, tmp_path / "wheels"), tmp_path)


def test_an_sdist_makes_the_same_wheel(tmp_path: Path) -> None:
    code = "import hatchling.build, sys; print(hatchling.build.build_sdist(sys.argv[1]))"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--target", str(tmp_path / "tools"), "hatchling"]
    subprocess.run(pip, check=True, capture_output=True)
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "tools")}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, env=env, check=True, capture_output=True)
    (sdist,) = tmp_path.glob("*.tar.gz")
    names = sorted(zipfile.ZipFile(build(ROOT, tmp_path / "direct")).namelist())
    again = build(sdist, tmp_path / "again")
    assert sorted(zipfile.ZipFile(again).namelist()) == names
    answers(again, tmp_path)


def test_training_on_a_cpu_never_imports_torchs_compiler(tmp_path: Path) -> None:
    words = ["train", "epochs=1", "trainer.device=cpu"]
    script = f"import sys; from cnntrain.cli import main; main({words}); print('torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "False"
