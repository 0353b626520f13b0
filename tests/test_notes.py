"""docs/notes.md: every command runs, and prints every line that stands below it."""

import re
from pathlib import Path

import pytest

from cnntrain.cli import main

NOTES = Path(__file__).parents[1] / "docs" / "notes.md"
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def examples() -> list[tuple[str, str]]:
    """Commands, and the lines that they print; a block of lines belongs to the block of commands before it."""
    found: list[tuple[str, str]] = []
    for kind, body in BLOCK.findall(NOTES.read_text()):
        if kind == "sh":
            found.append((body, ""))
        elif kind == "text":
            assert found, body
            found[-1] = (found[-1][0], body)
    return found


def words_of(command: str) -> list[str]:
    """The words of a command line whose only quotes are single ones."""
    return [word.strip("'") for word in re.findall(r"'[^']*'|\S+", command)][1:]


def only_explains(commands: str) -> bool:
    return all(line.startswith("cnntrain explain") for line in commands.splitlines())


def plain(text: str) -> str:
    """Without the width of the terminal: one blank between words."""
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("commands", "lines"),
    [
        pytest.param(*each, id=str(number), marks=[] if only_explains(each[0]) else [pytest.mark.slow])
        for number, each in enumerate(examples())
    ],
)
def test_the_notes_print_what_they_say(
    commands: str, lines: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in commands.splitlines():
        assert main(words_of(command)) == 0, command
    out, err = capsys.readouterr()
    said = [plain(line) for line in (out + err).splitlines()]
    for line in lines.splitlines():
        assert any(plain(line) in each for each in [*said, plain(out)]), line


def test_every_command_that_explains_is_followed_by_what_it_prints() -> None:
    assert [commands for commands, lines in examples() if not lines] == []


@pytest.mark.parametrize("picture", re.findall(r"!\[[^\]]+\]\(([^)]+)\)", NOTES.read_text()))
def test_every_picture_is_there(picture: str) -> None:
    assert (NOTES.parent / picture).read_text().startswith("<?xml")
