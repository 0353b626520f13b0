"""Flags and words in any order."""

import pytest

from cnntrain.config.flags import parse_flags
from cnntrain.errors import ConfigError


def test_flags_stand_anywhere_between_the_words() -> None:
    flags = parse_flags(["seed=1,2", "-m", "--config-dir", "a", "epochs=3", "--config-dir=b", "--import", "c.py", "lr=1"])
    assert flags.words == ["seed=1,2", "epochs=3", "lr=1"]
    assert flags.multirun
    assert flags.config_dirs == ["a", "b"]
    assert flags.imports == ["c.py"]


def test_hydra_gets_its_flags_in_their_long_form() -> None:
    flags = parse_flags(["-c", "hydra", "a=1", "-p", "hydra.run", "--resolve"])
    assert flags.hydra == ["--cfg", "hydra", "--package", "hydra.run", "--resolve"]
    assert flags.only_shows


def test_info_takes_a_word_only_if_it_is_one_of_its_own() -> None:
    assert parse_flags(["--info", "searchpath", "a=1"]).hydra == ["--info", "searchpath"]
    assert parse_flags(["--info", "a=1"]).hydra == ["--info", "all"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--confg-dir", "x"], r"no flag --confg-dir; did you mean --config-dir\?"),
        (["--multirum"], r"no flag --multirum; did you mean --multirun\?"),
        (["--cfg"], r"--cfg: it needs job, hydra or all"),
        (["--cfg", "jbo"], r"--cfg jbo: it needs job, hydra or all"),
        (["--import"], r"--import: it needs FILE.py"),
        (["--config-dir", "-m"], r"--config-dir: it needs DIR"),
        (["--config-path", "x"], r"--config-path is not supported: .*--config-dir DIR"),
        (["-cn", "x"], r"-cn is not supported: a command has one"),
        (["--experimental-rerun=x"], r"--experimental-rerun is not supported: it runs code"),
        (["-m", "--cfg", "job"], r"-m does not go with --cfg"),
    ],
)
def test_each_wrong_flag_is_answered(words: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        parse_flags(words)


def test_all_wrong_flags_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_flags(["--nope", "--cfg", "x", "-cp", "y"])
    assert len(caught.value.faults) == 3
