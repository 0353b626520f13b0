"""Tab completion, down to a real bash."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cnntrain.config.command import Command
from cnntrain.config.completion import complete, replies
from cnntrain.config.configs import all_groups, conf_dir
from cnntrain.config.schema import TrainConfig

PLAIN = {"train": None, "list": ["blocks", "models"], "data check": None, "data stats": None, "explain": None}


def load(name: str) -> Command:
    return Command(name, "train", TrainConfig, check=print, job=print, makes_folder=False)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cnntrain ", ["data", "explain", "list", "train"]),
        ("cnntrain t", ["train"]),
        ("cnntrain --v", ["--version"]),
        ("cnntrain data ", ["check", "stats"]),
        ("cnntrain data s", ["stats"]),
        ("cnntrain list m", ["models"]),
        ("cnntrain train --cf", ["--cfg"]),
        ("cnntrain explain --a", ["--against"]),
        ("cnntrain train --a", []),
        ("cnntrain train --cfg ", ["all", "hydra", "job"]),
        ("cnntrain train --import ", []),
        ("cnntrain nope x", []),
    ],
)
def test_commands_and_flags(line: str, expected: list[str]) -> None:
    assert replies(line, PLAIN, load) == expected


def test_groups_names_and_keys_come_from_hydra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMP_LINE", "")
    models = [name for name in all_groups([conf_dir()])["model"] if name.startswith("resnet")]
    assert replies("cnntrain train seed=1 model=resnet", PLAIN, load) == [f"model={name}" for name in models]
    assert replies("cnntrain train -m optimizer.l", PLAIN, load) == ["optimizer.lr="]
    assert replies("cnntrain train modle=x[ optimizer.l", PLAIN, load) == []
    assert not [word for word in replies("cnntrain train ", PLAIN, load) if word.startswith("hydra")]
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "reserved.yaml").write_text("name: reserved\n")
    assert "model=reserved" in replies(f"cnntrain train --config-dir {tmp_path} model=rese", PLAIN, load)


@pytest.mark.parametrize("words", [[], ["install"], ["install=tcsh"], ["nope=bash"]])
def test_a_wrong_request_is_answered(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert complete(words, PLAIN, load) == 2
    assert "-sc takes install=bash, install=zsh or install=fish" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_after_the_printed_script(tmp_path: Path) -> None:
    program = tmp_path / "cnntrain"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m cnntrain "$@"\n')
    program.chmod(0o755)
    script = """
eval "$(cnntrain -sc install=bash)"
ask() { COMP_LINE="$1"; COMP_POINT=${#1}; _cnntrain_complete cnntrain; printf '<%s>' "${COMPREPLY[@]}"; echo; }
ask "cnntrain tr"
ask "cnntrain train optimizer.momen"
COMP_WORDBREAKS="${COMP_WORDBREAKS}=" ask "cnntrain train model=simple_c"
"""
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.splitlines() == ["<train >", "<optimizer.momentum=>", "<simple_cnn >"]


@pytest.mark.parametrize(("shell", "check"), [("bash", ["-n"]), ("zsh", ["-n"]), ("fish", ["--no-execute"])])
def test_each_script_is_good_syntax(shell: str, check: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert complete([f"install={shell}"], PLAIN, load) == 0
    script = tmp_path / "script"
    script.write_text(capsys.readouterr().out)
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}")
    assert subprocess.run([shell, *check, str(script)], capture_output=True, text=True, check=False).stderr == ""
