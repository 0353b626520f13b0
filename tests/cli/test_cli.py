"""The dispatcher: which command, help, version, and how little it costs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cnntrain import __version__
from cnntrain.cli import COMMANDS, load, main

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "torchvision", "rich", "tensorboard", "matplotlib")


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_usage_names_every_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    out = capsys.readouterr().out
    assert all(f"  {name}" in out and meaning in out for name, (_, meaning) in COMMANDS.items())
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("words", [["--version"], ["-V"]])
def test_version(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert capsys.readouterr().out == f"cnntrain {__version__}\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["trian"], "no command trian; did you mean train?"),
        (["lits", "models"], "no command lits; did you mean list?"),
        (["frobnicate"], "no command frobnicate; there are: " + ", ".join(COMMANDS)),
        (["lr=0.1"], "lr=0.1 comes behind a command; did you mean: cnntrain train lr=0.1"),
        (["optimizer.lr=1", "-m"], "optimizer.lr=1 comes behind a command; did you mean: cnntrain train optimizer.lr=1 -m"),
        (["-m", "seed=1,2"], "-m comes behind a command, such as: cnntrain train -m seed=1,2"),
    ],
)
def test_a_wrong_command_is_answered(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err == f"cnntrain: {sentence}\n"


def test_every_command_of_the_table_exists() -> None:
    for name in COMMANDS:
        target = load(name)
        assert callable(target) or target.name == name


def test_a_command_of_two_words(monkeypatch: pytest.MonkeyPatch) -> None:
    module = type(sys)("two_words_for_test")
    module.run = lambda words: 40 + len(words)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "two_words_for_test", module)
    monkeypatch.setitem(COMMANDS, "data check", ("two_words_for_test:run", "look at a folder"))
    assert main(["data", "check", "a=1", "b=2"]) == 42
    assert main(["data"]) == 2


ANSWERED = [
    (["--help"], 0),
    (["--version"], 0),
    (["trian"], 2),
    (["list"], 0),
    (["train", "--help"], 0),
    (["train", "optimizer.lrr=1", "model=resnt18"], 2),
    (["train", "--cfg", "job"], 0),
    (["eval", "--cfg", "job"], 0),
    (["eval"], 2),
    (["explain", "model=resnet50", "data.image_size=224", "format=json"], 0),
]


def test_an_answer_imports_nothing_heavy(tmp_path: Path) -> None:
    """All of them in one process, in which nothing heavy may have been imported after any."""
    program = (
        "import contextlib, io, sys; from cnntrain.cli import main\n"
        f"for words, code in {ANSWERED!r}:\n"
        "    with contextlib.redirect_stdout(io.StringIO()):\n"
        "        found = main(words)\n"
        f"    print(words, found == code, *(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert done.stdout.splitlines() == [f"{words} True" for words, _ in ANSWERED]
    assert list(tmp_path.iterdir()) == []


def test_help_does_not_even_import_hydra_or_typing() -> None:
    not_needed = ("hydra", "omegaconf", "yaml", "dataclasses", "argparse")
    program = f"import sys; from cnntrain import cli; cli.main(['trian']); print(*(name for name in {not_needed} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "\n"


def test_hydras_own_answers_pass_through(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    words = ["train", "--info", "searchpath", "--config-dir", "mine"]
    done = subprocess.run(
        [sys.executable, "-m", "cnntrain", *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    rows = [line.split("|")[1].strip() for line in done.stdout.splitlines() if line.startswith("| ")]
    assert rows.index("user") < rows.index("main")  # the user's files before the packaged ones


def test_a_reader_that_has_enough_is_no_error() -> None:
    command = f"{sys.executable} -m cnntrain list blocks | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "0"


def test_a_closed_stdout_is_no_error() -> None:
    command = f"{sys.executable} -m cnntrain --version >&-; echo $?"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, check=True)
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_output_that_finds_no_room_is_told() -> None:
    command = f"{sys.executable} -m cnntrain list blocks >/dev/full; echo $?"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, check=True)
    assert (done.stdout, done.stderr) == ("74\n", "cnntrain: the output cannot be written: the disk is full\n")
