"""200 processes claim a run folder at one instant: each gets one of its own, and locks it."""

import subprocess
import sys
from pathlib import Path

import pytest

# one process that imports the room forks the others, which wait for a pipe to close; torch is not imported
RACE = """
import os, sys
from pathlib import Path
from cnntrain.runs.folder import claim, claim_exact, lock
from cnntrain.errors import CnntrainError
assert "torch" not in sys.modules
how, number = sys.argv[1], int(sys.argv[2])
(start, go), (over, said), (hold, end) = os.pipe(), os.pipe(), os.pipe()

def one():
    try:
        folder = Path("run")
        if how == "exact":
            folder = claim_exact(folder)
        elif how != "resume":
            folder = claim(Path("runs"), "20261122T093015Z", how)
        held = lock(folder)
        os.write(said, f"{folder}\\n".encode())
        os.read(hold, 1)
        held.release()
    except CnntrainError as error:
        os.write(said, f"refused: {error}\\n".encode())

for _ in range(number):
    if os.fork() == 0:
        os.close(go)
        os.close(end)
        os.read(start, 1)  # until the parent closes its end
        one()
        os._exit(0)
os.close(go)
text = b""
while text.count(b"\\n") < number:
    text += os.read(over, 65536)
os.close(end)
for _ in range(number):
    os.wait()
sys.stdout.write(text.decode())
"""


def race(how: str, folder: Path, number: int = 200) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", RACE, how, str(number)],
        cwd=folder,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("suffix", ["", "-sweep"])
def test_200_processes_get_200_folders(suffix: str, tmp_path: Path) -> None:
    folders = race(suffix, tmp_path)
    assert len(folders) == len(set(folders)) == 200
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {Path(folder).name for folder in folders}
    assert all(Path(folder).name.startswith(f"20261122T093015Z{suffix}") for folder in folders)


def test_of_200_processes_that_want_the_same_folder_one_gets_it(tmp_path: Path) -> None:
    told = race("exact", tmp_path)
    assert told.count("run") == 1
    assert sum(line.startswith("refused: run exists; go on with it by resume=run") for line in told) == 199


def test_of_200_processes_that_resume_a_run_one_writes_it(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    told = race("resume", tmp_path)
    assert told.count("run") == 1
    assert sum("run is being written by" in line for line in told) == 199
