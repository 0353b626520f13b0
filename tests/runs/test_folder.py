"""Run folders: one owner each, told plainly where one cannot be made."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cnntrain.errors import CheckpointError, ConfigError
from cnntrain.runs import folder as folders
from cnntrain.runs.folder import claim, claim_exact, environment, follow, link, lock, stamp

WHEN = "20261122T093015Z"


def test_stamp_is_utc_without_separators() -> None:
    assert re.fullmatch(r"\d{8}T\d{6}Z", stamp())
    assert time.strftime("%Y%m%d", time.gmtime()) in (stamp()[:8], time.strftime("%Y%m%d", time.gmtime(time.time() - 1)))


def test_a_taken_name_gets_a_number(tmp_path: Path) -> None:
    names = [claim(tmp_path / "outputs" / "a", WHEN).name for _ in range(3)]
    assert names == [WHEN, f"{WHEN}-2", f"{WHEN}-3"]
    assert [claim(tmp_path, WHEN, "-sweep").name for _ in range(2)] == [f"{WHEN}-sweep", f"{WHEN}-sweep-2"]


def test_twenty_processes_at_once_get_twenty_folders(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from cnntrain.runs.folder import claim\n"
        "assert 'torch' not in sys.modules\n"
        "print('ready', flush=True); sys.stdin.readline(); print(claim(Path(sys.argv[1]), sys.argv[2]).name)"
    )
    root = str(Path(__file__).parents[2])
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), WHEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
        )
        for _ in range(20)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    claimed = {process.communicate()[0].strip() for process in started}
    assert claimed == {WHEN} | {f"{WHEN}-{n}" for n in range(2, 21)}
    assert {path.name for path in tmp_path.iterdir()} == claimed


def test_an_existing_folder_is_refused_with_the_resume_key(tmp_path: Path) -> None:
    run = claim_exact(tmp_path / "deep" / "run")
    assert run.is_dir()
    with pytest.raises(
        ConfigError, match=rf"{re.escape(str(run))} exists; go on with it by resume={re.escape(str(run))}, or choose another"
    ):
        claim_exact(run)


@pytest.mark.parametrize("make", [lambda path: claim(path, WHEN), lambda path: claim_exact(path / "run")])
def test_a_file_in_the_way_is_named(tmp_path: Path, make: object) -> None:
    (tmp_path / "outputs").write_text("")
    with pytest.raises(ConfigError, match=r"outputs is a file; choose another by hydra.run.dir=DIR"):
        make(tmp_path / "outputs" / "a")  # type: ignore[operator]
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_told(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(ConfigError, match=r"cannot make the run folder .*locked/a/.*: Permission denied; choose another by hydra"):
        claim(tmp_path / "locked" / "a", WHEN)


def test_a_name_too_long_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"File name too long; choose another by hydra"):
        claim(tmp_path / ("a" * 300), WHEN)


def test_a_locked_folder_refuses_a_second_holder_and_names_the_first(tmp_path: Path) -> None:
    with lock(tmp_path), pytest.raises(CheckpointError, match=rf"is being written by process {os.getpid()}; wait for its end"):
        lock(tmp_path)
    lock(tmp_path).release()


def test_a_lock_ends_with_its_process_though_a_forked_child_lives(tmp_path: Path) -> None:
    code = (
        "import os, sys, time; from pathlib import Path; from cnntrain.runs.folder import lock\n"
        "held = lock(Path(sys.argv[1])); reading, writing = os.pipe()\n"
        "if os.fork() == 0:\n    sys.stdout.close(); os.close(1); os.write(writing, b'.'); time.sleep(20); os._exit(0)\n"
        "os.read(reading, 1); print('locked', flush=True); time.sleep(20)"  # only once the child runs
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        process.kill()
        process.wait()
        lock(tmp_path).release()
    finally:
        os.killpg(process.pid, 9)
        process.stdout.close()  # type: ignore[union-attr]


def test_links_are_relative_and_survive_a_move(tmp_path: Path) -> None:
    (tmp_path / "a" / "step_1").mkdir(parents=True)
    (tmp_path / "a" / "step_2").mkdir()
    link(tmp_path / "a", "best", "step_1")
    link(tmp_path / "a", "best", "step_2")
    assert os.readlink(tmp_path / "a" / "best") == "step_2"
    (tmp_path / "a").rename(tmp_path / "b")
    assert follow(tmp_path / "b" / "best") == tmp_path / "b" / "step_2"
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == ["best", "step_1", "step_2"]


def test_without_symlinks_a_link_is_a_one_line_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no symlinks here")

    monkeypatch.setattr(os, "symlink", refuse)
    link(tmp_path, "last", "step_1")
    link(tmp_path, "last", "step_7")
    assert (tmp_path / "last").read_text() == "step_7\n"
    assert follow(tmp_path / "last") == tmp_path / "step_7"


@pytest.mark.parametrize("content", ["../../etc", "/etc", "..", "", "a\nb", "a\0b"])
def test_a_one_line_file_cannot_lead_outside(tmp_path: Path, content: str) -> None:
    (tmp_path / "best").write_text(content)
    with pytest.raises(CheckpointError, match="is no link to a checkpoint"):
        follow(tmp_path / "best")


def test_environment_names_versions_and_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.chdir(tmp_path)
    found = environment()
    assert found["torch"] == torch.__version__.split("+")[0] or found["torch"] == torch.__version__
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["cpu_count"] == os.cpu_count()
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    if subprocess.run([*git, "init", "-q"], check=False).returncode == 0:
        assert folders._git() is None, "no commit yet"
        (tmp_path / "a").write_text("1")
        subprocess.run([*git, "add", "a"], check=True)
        subprocess.run([*git, "commit", "-qm", "a"], check=True)
        clean = folders._git()
        assert clean is not None
        assert (len(clean["commit"]), clean["dirty"]) == (40, False)
        (tmp_path / "a").write_text("2")
        assert folders._git() == {**clean, "dirty": True}


def test_no_repository_and_no_package_are_null(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert folders._git() is None
    assert folders._version("no-such-package-anywhere") is None
