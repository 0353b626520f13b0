"""`COMMAND --help`: complete, readable, and without Hydra."""

from pathlib import Path

import pytest

from cnntrain.config.check import parameters_of
from cnntrain.config.command import Command
from cnntrain.config.configs import all_groups, conf_dir
from cnntrain.config.help import help_lines
from cnntrain.config.schema import EvalConfig, TrainConfig

TRAIN = Command("train", "train", TrainConfig, check=print, job=print, makes_folder=False)
EVAL = Command("eval", "eval", EvalConfig, check=print, job=print, makes_folder=False)


def test_every_key_stands_there_with_its_meaning() -> None:
    for command in (TRAIN, EVAL):
        text = " ".join(" ".join(help_lines(command, [])).split())
        for key, parameter in parameters_of(command.schema).items():
            assert f" {key} " in text
            assert parameter.meaning in text


def test_open_parts_stand_there_too() -> None:
    lines = help_lines(TRAIN, [])
    for key in ("optimizer", "schedule", "model.stem", "model.stages", "model.head", "transforms.train"):
        assert any(line.startswith(f"  {key} ") for line in lines)


def test_groups_are_listed_with_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "mine.yaml").write_text("epochs: 1\n")
    text = " ".join(help_lines(TRAIN, [tmp_path]))
    for names in all_groups([conf_dir()]).values():
        assert all(name in text for name in names)
    assert "mine" in text
    assert "simple_cnn*" in text
    assert "groups:" not in " ".join(help_lines(EVAL, [tmp_path]))


@pytest.mark.parametrize(("terminal", "widest"), [("40", 80), ("80", 80), ("100", 100), ("300", 110)])
def test_no_line_is_wider_than_the_terminal(terminal: str, widest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", terminal)
    for command in (TRAIN, EVAL):
        assert max(map(len, help_lines(command, []))) <= widest
