"""The README's commands run as they stand; the two lines that set up an environment are what CI itself runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SET_UP = "python3 -m venv"
TEXT = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def blocks() -> list[tuple[str, str]]:
    return [(kind, body) for kind, body in BLOCK.findall(TEXT)]


def test_two_lines_set_everything_up() -> None:
    lines = [body.strip() for _, body in blocks() if SET_UP in body]
    assert len(lines) == 2
    assert all("\n" not in line for line in lines)
    assert lines[0].endswith("cnntrain train")
    assert lines[1].endswith("pytest")


def test_the_ci_runs_the_readmes_test_line() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert "README.md" in script
    assert "pytest -m slow" in script


@pytest.mark.slow
def test_every_block_runs(tmp_path: Path) -> None:
    """In order, in one folder: a block that starts with `# NAME` is the file NAME."""
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    env.pop("OMP_NUM_THREADS", None)
    for kind, body in blocks():
        first = body.partition("\n")[0]
        if kind == "sh" and SET_UP not in body:
            done = subprocess.run(["bash", "-euc", body], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{body}\n{done.stdout}\n{done.stderr}"
        elif kind in ("yaml", "python"):
            path = tmp_path / first.removeprefix("# ")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body)
