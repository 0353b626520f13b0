"""No configuration runs code: not from the command line, not from a stranger's recipe."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cnntrain.config.compose import answer
from cnntrain.config.configs import user_dirs
from cnntrain.errors import ConfigError

if TYPE_CHECKING:
    from tests.config.conftest import Recorder

YamlFile = Callable[[str, str], str]
TOUCH = "{_target_: os.system, command: 'touch %s'}"


def test_words_that_hydra_would_obey_are_refused(cnntrain: "Recorder") -> None:
    words = [
        "+hydra.callbacks.x._target_=os.system",
        "+hydra.callbacks={x:{_target_:os.system}}",
        "hydra.launcher._target_=os.system",
        "hydra/job_logging=default",
        "hydra.hydra_logging.root=x",
        "hydra.searchpath=[pkg://os]",
        "hydra.job.chdir=true",
        "hydra.output_subdir=x",
        "+model.stem._target_=os.system",
    ]
    with pytest.raises(ConfigError) as caught:
        answer(cnntrain.command("train"), words)
    assert len(caught.value.faults) >= len(words) - 1
    assert not cnntrain.ran


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"hydra:\n  callbacks:\n    x: {TOUCH}\n", "hydra.callbacks: cnntrain runs no callbacks from a configuration"),
        ("hydra:\n  launcher: {_target_: os.system}\n", "hydra.launcher._target_=os.system: only installed sweepers and launchers are run"),
        (f"hydra:\n  sweeper:\n    x: {TOUCH}\n", "no option hydra.sweeper.x; "),
        ("hydra:\n  job_logging:\n    handlers: {a: {(): os.system, command: 'touch %s'}}\n", "hydra.job_logging: cnntrain sets up its"),
        ("hydra:\n  job: {chdir: true}\n", "hydra.job.chdir and hydra.output_subdir: cnntrain decides"),
        (f"model:\n  head: {TOUCH}\n", "model.head._target_: components are named by type, not by _target_"),
        (f"optimizer:\n  x: [{TOUCH}]\n", "optimizer.x.0._target_: components are named by type"),
    ],
)
def test_a_strangers_recipe_runs_nothing(cnntrain: "Recorder", yaml_file: YamlFile, text: str, sentence: str) -> None:
    touched = cnntrain.folder / "touched"
    folder = yaml_file("recipe/evil.yaml", "# @package _global_\n" + (text % touched if "%s" in text else text))
    assert cnntrain.told("--config-dir", folder, "recipe=evil")[0].startswith(sentence)
    assert not touched.exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("  sweeper: {params: {x: {_target_: hydra._internal.core_plugins.basic_sweeper.Path}}}\n", "hydra.sweeper.params.x._target_="),
        ("  launcher: {_target_: hydra_plugins.os.system()}\n", "hydra.launcher._target_=hydra_plugins.os.system(): only installed"),
        ("  job: {env_set: {LD_PRELOAD: x.so}}\n", "hydra.job.env_set and env_copy: no configuration changes the environment"),
    ],
)
def test_nothing_deeper_in_hydras_part_is_built_or_set(cnntrain: "Recorder", yaml_file: YamlFile, text: str, sentence: str) -> None:
    folder = yaml_file("recipe/evil.yaml", f"# @package _global_\nhydra:\n{text}")
    assert cnntrain.told("--config-dir", folder, "recipe=evil")[0].startswith(sentence)


@pytest.mark.parametrize("text", ["${oc.env:TOKEN}", "${oc.env:TOKEN,x}", "${${oc.select:a,oc.env}:TOKEN}", "x${oc.env:TOKEN}y"])
def test_no_configuration_takes_a_secret_from_the_environment(
    cnntrain: "Recorder", yaml_file: YamlFile, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")
    folder = yaml_file("recipe/nosy.yaml", f"# @package _global_\nmodel:\n  name: '{text}'\n")
    (told,) = cnntrain.told("--config-dir", folder, "recipe=nosy")
    assert "hunter2" not in told
    assert "would be written into the run folder; give it on the command line, as KEY=$TOKEN" in told


def test_few_aliases_that_stand_for_a_million_values_are_refused_at_once(cnntrain: "Recorder", yaml_file: YamlFile) -> None:
    lines = ["a: &a [" + ",".join("x" * 9) + "]"]
    lines += [f"{new}: &{new} [" + ",".join([f"*{old}"] * 9) + "]" for old, new in zip("abcde", "bcdef", strict=True)]
    folder = yaml_file("optimizer/bomb.yaml", "\n".join(lines) + "\n")
    assert cnntrain.told("--config-dir", folder, "optimizer=bomb")[0].endswith(
        "optimizer/bomb.yaml comes to more than 10,000 values by its aliases (*name); write them out"
    )
    yaml_file("optimizer/bomb.yaml", "a: &a [*a]\n")
    assert "more than 10,000 values" in cnntrain.told("--config-dir", folder, "optimizer=bomb")[0]


def test_an_alias_that_saves_typing_is_fine(yaml_file: YamlFile) -> None:
    folder = yaml_file("model/mine.yaml", "a: &a {x: 1}\nb: *a\n")
    assert user_dirs([folder]) == [Path(folder)]


def test_a_recipe_in_a_sweep_is_looked_at_too(cnntrain: "Recorder", yaml_file: YamlFile) -> None:
    folder = yaml_file("recipe/evil.yaml", f"# @package _global_\nhydra:\n  callbacks:\n    x: {TOUCH % (cnntrain.folder / 'touched')}\n")
    yaml_file("recipe/good.yaml", "# @package _global_\nepochs: 2\n")
    assert cnntrain.told("-m", "--config-dir", folder, "recipe=good,evil")[0].startswith("hydra.callbacks: ")
    assert not (cnntrain.folder / "touched").exists()


def test_nothing_of_the_package_instantiates() -> None:
    package = Path(__file__).parents[2] / "cnntrain"
    sources = {path: path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
    assert [path.name for path, text in sources.items() if "instantiate(" in text or "yaml.unsafe" in text] == []
