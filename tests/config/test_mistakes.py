"""A mistake on the command line or in a YAML file: one sentence each, all of them, before anything is written."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cnntrain.config.compose import answer
from cnntrain.errors import ConfigError

if TYPE_CHECKING:
    from tests.config.conftest import Recorder

YamlFile = Callable[[str, str], str]


# what is typed -> what is answered; the words of one table make one command line
UNKNOWN = {
    "optimizer.lrr=1": "no option optimizer.lrr; did you mean optimizer.lr?",
    "epchs=3": "no option epchs; did you mean epochs?",
    "+sead=3": "no option sead; did you mean seed?",
    "modle=resnet18": "no option modle; did you mean model?",
    "lr=1": "no option lr; did you mean optimizer.lr?",
    "image_size=32": "no option image_size; did you mean data.image_size?",
    "momentun=0": "no option momentun; did you mean optimizer.momentum?",
    "data.rot=x": "no option data.rot; did you mean data.root?",
    "trainer.devise=cpu": "no option trainer.devise; did you mean trainer.device?",
    "optimiser.lr=1": "no option optimiser.lr; did you mean optimizer.lr?",
    "model.head.dropot=0.5": "no option model.head.dropot; did you mean model.head.dropout?",
    "model.stages.1.strde=2": "no option model.stages.1.strde; did you mean model.stages.1.stride?",
    "seed.x=1": "no option seed.x: seed is one value",
    "~optimizer.lrs": "no option optimizer.lrs; did you mean optimizer.lr?",
    "~model.stages.0": "~model.stages.0: an entry of a list cannot be taken out; write the whole list",
}
WRONG_VALUES = {
    "epochs=abc": "epochs=abc must be a whole number >= 1 or null",
    "seed=1.5": "seed=1.5 must be a whole number >= 0",
    "batch_size=null": "batch_size is null, but it must be a whole number >= 1",
    "num_classes=0": "num_classes=0 must be a whole number >= 1 or null",
    "trainer.channels_last=perhaps": "trainer.channels_last=perhaps must be true or false",
    "trainer.precision=bf15": "trainer.precision=bf15 is not one of auto, fp32, bf16, fp16; did you mean bf16?",
    "optimizer.lr=high": "optimizer.lr=high must be a number > 0",
    "schedule.type=cosin": "schedule.type=cosin: no such schedule; did you mean cosine?",
    "model.stages[1].stride=0": "model.stages[1].stride=0 must be a whole number or [height, width] >= 1",
}
WRONG_WORDS = {
    "seed=1,2": "seed=1,2 holds several values: add -m to run each, or put a text with commas in quotes inside the shell's",
    "hydra.sweep.dir=x": "hydra.sweep.dir has no effect outside a sweep; did you mean hydra.run.dir=x?",
    "fast": "fast is no key=value, such as epochs=10",
    "simple_cnn": "simple_cnn is no key=value; did you mean model=simple_cnn?",
}


def test_infinity_and_a_value_for_a_list_are_refused(cnntrain: "Recorder") -> None:
    assert cnntrain.told("optimizer.lr=inf", "model.stages=5", "model.head=5") == [
        "model.stages=5 must be a list: [...]",
        "model.head=5 must be a mapping such as {type: linear, ...}",
        "optimizer.lr=inf must be a number > 0",
    ]


@pytest.mark.parametrize("table", [UNKNOWN, WRONG_VALUES, WRONG_WORDS], ids=["unknown", "values", "words"])
def test_each_mistake_has_one_sentence(cnntrain: "Recorder", table: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        answer(cnntrain.command("train"), list(table))
    assert sorted(caught.value.faults) == sorted(table.values())


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("epochs=0", "epochs=0 must be a whole number >= 1 or null"),
        ("optimizer.type=sgdd", "optimizer.type=sgdd: no such optimizer; did you mean sgd?"),
        ("resume=nowhere", "resume=nowhere: no such folder; resume takes a run folder such as outputs/cnntrain/20261122T093015Z"),
    ],
)
def test_a_mistake_leaves_nothing_behind(cnntrain: "Recorder", word: str, sentence: str) -> None:
    assert cnntrain.told(word) == [sentence]


def test_a_group_without_that_name_lists_what_there_is(cnntrain: "Recorder") -> None:
    (told,) = cnntrain.told("model=resnt18")
    assert told.startswith("model=resnt18: no such config; did you mean model=resnet18? there are: ")
    assert "simple_cnn" in told


def test_an_index_beyond_a_list_is_told_with_the_lists_length(cnntrain: "Recorder") -> None:
    (told,) = cnntrain.told("model.stages.99.stride=2")
    assert told.startswith("no option model.stages.99.stride: model.stages is a list, and its ")


def test_all_typos_of_a_line_are_told(cnntrain: "Recorder") -> None:
    told = cnntrain.told("optimizer.lrr=1", "epchs=3", "model=resnt18", "batch_size=0")
    assert len(told) == 4
    assert all(any(word in line for line in told) for word in ("optimizer.lrr", "epchs", "resnt18", "batch_size=0"))


def test_after_four_the_rest_is_counted(cnntrain: "Recorder") -> None:
    assert cnntrain.told("a1=1", "a2=1", "a3=1", "a4=1", "a5=1", "a6=1")[-1] == "and 2 more"


def test_a_required_key_is_named_with_what_to_type(cnntrain: "Recorder") -> None:
    assert cnntrain.told(name="eval") == ["checkpoint is required: add checkpoint=..."]


def test_a_typo_in_a_required_key_is_told_once(cnntrain: "Recorder") -> None:
    assert cnntrain.told("chekpoint=x", name="eval") == ["no option chekpoint; did you mean checkpoint?"]


def test_eval_knows_no_training_keys(cnntrain: "Recorder") -> None:
    told = cnntrain.told("model=resnet18", "epochs=3", name="eval")
    assert [line.partition(";")[0] for line in told] == ["no option model", "no option epochs"]


def test_eval_makes_no_run_folder(cnntrain: "Recorder") -> None:
    told = cnntrain.told("checkpoint=x", "hydra.run.dir=y", name="eval")
    assert told == ["hydra.run.dir has no effect: cnntrain eval makes no run folder; use out=DIR"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("epoch: 7", "no option epoch; did you mean epochs? (in recipe/mine.yaml)"),
        ("trainer:\n  devices: cpu", "no option trainer.devices; did you mean trainer.device? (in recipe/mine.yaml)"),
        ("epochs: abc", "epochs=abc must be a whole number >= 1 or null (in recipe/mine.yaml)"),
        ("optimizer:\n  lrr: 1", "optimizer.lrr: optimizer sgd takes no lrr; did you mean lr?"),
        ("epochs: ${nope}", "epochs: Interpolation key 'nope' not found"),
    ],
)
def test_a_mistake_in_a_users_file_names_the_file(cnntrain: "Recorder", yaml_file: YamlFile, text: str, sentence: str) -> None:
    folder = yaml_file("recipe/mine.yaml", f"# @package _global_\n{text}\n")
    assert cnntrain.told("--config-dir", folder, "recipe=mine") == [sentence]


def test_a_file_that_is_no_yaml_is_told_with_its_line(cnntrain: "Recorder", yaml_file: YamlFile) -> None:
    folder = yaml_file("recipe/mine.yaml", "# @package _global_\na: [1, 2\nb: 3\n")
    (told,) = cnntrain.told("--config-dir", folder, "recipe=mine")
    assert told.startswith("mine.yaml, line 3: not YAML (")  # the rest is the YAML library's


def test_a_recipe_that_names_no_model_is_told_its_names(cnntrain: "Recorder", yaml_file: YamlFile) -> None:
    folder = yaml_file("recipe/mine.yaml", "# @package _global_\ndefaults:\n  - override /model: resnt18\n")
    (told,) = cnntrain.told("--config-dir", folder, "recipe=mine")
    assert told.startswith("model=resnt18: no such config; did you mean model=resnet18?")


def test_a_folder_of_configs_that_is_missing(cnntrain: "Recorder", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNTRAIN_CONFIG_DIR", "gone")
    assert cnntrain.told("--config-dir", "nope") == ["--config-dir nope: no such folder", "CNNTRAIN_CONFIG_DIR=gone: no such folder"]


def test_our_own_bug_keeps_its_traceback(cnntrain: "Recorder") -> None:
    def broken(job: object) -> float:
        raise ZeroDivisionError("ours")

    cnntrain.act = broken
    assert cnntrain() == 1
    assert cnntrain.said()[-1] == "ZeroDivisionError: ours"


def test_ctrl_c_ends_with_130(cnntrain: "Recorder") -> None:
    def pressed(job: object) -> float:
        raise KeyboardInterrupt

    cnntrain.act = pressed
    assert cnntrain() == 130
    assert cnntrain.said() == ["interrupted"]


@pytest.mark.parametrize(("text", "held"), [("", "nothing"), ("- epochs\n", "a list"), ("epochs\n", "one value")])
def test_a_file_without_keys_is_told(cnntrain: "Recorder", yaml_file: YamlFile, text: str, held: str) -> None:
    folder = yaml_file("recipe/mine.yaml", text)
    (told,) = cnntrain.told("--config-dir", folder, "recipe=mine")
    assert told == f"{folder}/recipe/mine.yaml: a configuration is lines of key: value, such as epochs: 3, but this file holds {held}"


def test_a_file_that_is_no_text_is_told(cnntrain: "Recorder", yaml_file: YamlFile) -> None:
    folder = yaml_file("recipe/mine.yaml", "")
    (Path(folder) / "recipe" / "mine.yaml").write_bytes(b"\xff\xfe\x00a")
    assert cnntrain.told("--config-dir", folder, "recipe=mine") == [
        f"{folder}/recipe/mine.yaml: not UTF-8 text; save it as UTF-8, or take it away"
    ]
