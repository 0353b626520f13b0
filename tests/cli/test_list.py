"""`cnntrain list`: names, meanings and parameters."""

from pathlib import Path

import pytest

from cnntrain.cli import main
from cnntrain.commands.list import COMPONENTS, KINDS
from cnntrain.config.components.registry import shipped


def test_without_a_word_all_kinds_and_names_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    for kind in KINDS:
        assert f"  {kind} " in out
    assert all(name in out for kind, _ in COMPONENTS.values() for name in shipped(kind))
    assert "simple_cnn" in out


@pytest.mark.parametrize("kind", COMPONENTS)
def test_a_component_is_told_with_what_it_takes(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", kind]) == 0
    out = capsys.readouterr().out
    text = " ".join(out.split())
    for name, component in shipped(COMPONENTS[kind][0]).items():
        assert f"{name} {component.meaning}" in text
        assert all(key in text and parameter.meaning in text for key, parameter in component.parameters.items())
    assert max(map(len, out.splitlines())) <= 80


def test_a_model_is_told_by_its_first_comment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("# @package model\n# A net of my own.\nname: mine\n")
    (tmp_path / "model" / "silent.yaml").write_text("name: silent\n")
    assert main(["list", "models", "--config-dir", str(tmp_path)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["mine", *["A", "net", "of", "my", "own."]] in lines
    assert ["silent"] in lines


def test_a_wrong_kind_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "model"]) == 2
    assert capsys.readouterr().err == "cnntrain: no list of model; did you mean models?\n"
    assert main(["list", "--confg-dir", "x"]) == 2


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {kind} " in out for kind in ("models", "recipes", "blocks", "mixes"))
