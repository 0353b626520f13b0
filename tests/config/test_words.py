"""Words that are ordinary file names to people and syntax errors to Hydra."""

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from cnntrain.config.words import parse_words, quoted, readable

PARSER = OverridesParser.create()


def value_of(word: str, *, sweep: bool = False) -> object:
    return PARSER.parse_override(readable(word, PARSER, sweep=sweep)).value()


@pytest.mark.parametrize("path", ["a/epoch=3.pt", "my data (1)", "a~b", "x&y", "it's", 'say "hi"', "a#b", "50%!", "(", "a b=c,d"])
def test_file_names_reach_the_command_as_typed(path: str) -> None:
    assert value_of(f"data.root={path}") == path


@given(st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="$"), min_size=1))
def test_any_text_survives_quoting(text: str) -> None:
    assert PARSER.parse_override(f"a={quoted(text)}").value() == text


def test_home_is_expanded_where_the_shell_leaves_it() -> None:
    assert value_of("data.root=~/photos") == str(Path.home() / "photos")


def test_in_a_sweep_each_value_is_quoted_by_itself() -> None:
    word = PARSER.parse_override(readable("checkpoint=a=1.pt,b=2.pt", PARSER, sweep=True))
    assert list(word.sweep_string_iterator()) == ['"a=1.pt"', '"b=2.pt"']


def test_an_index_may_stand_in_brackets() -> None:
    assert readable("model.stages[1].stride=2", PARSER) == "model.stages.1.stride=2"


@pytest.mark.parametrize("word", ["a=[1,2]", "a={b:1}", "a='x=y'", "a=${b}", "a=choice(1,2)", "a=3", "a=b/c.d", "~a", "+a=1"])
def test_what_hydra_reads_stays_as_it_is(word: str) -> None:
    assert readable(word, PARSER) == word


def test_each_word_that_cannot_be_read_has_its_sentence() -> None:
    groups = {"model": ["resnet18", "mlp"]}
    words, faults = parse_words(["resnet18", "model", "fast", "a=[1", "seed=1"], PARSER, groups, sweep=False)
    assert [word.input_line for word in words] == ["seed=1"]
    assert faults[0] == "resnet18 is no key=value; did you mean model=resnet18?"
    assert faults[1] == "model needs a value: model=NAME; there are: resnet18, mlp"
    assert faults[2] == "fast is no key=value, such as epochs=10"
    assert faults[3].startswith("a=[1: cannot be read (")
