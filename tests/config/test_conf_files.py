"""The shipped YAML: every parameter is listed with its default, every choice composes without a fault."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from cnntrain.config.check import component_faults, parameters_of
from cnntrain.config.components.engine import OPTIMIZERS, SCHEDULES
from cnntrain.config.configs import all_groups, conf_dir, default_choices, first_comment
from cnntrain.config.schema import TrainConfig

if TYPE_CHECKING:
    pass

TABLES = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES}
FILES = [(group, name) for group in TABLES for name in all_groups([conf_dir()])[group]]


@pytest.mark.parametrize(("group", "name"), FILES)
def test_each_parameter_is_listed_so_that_no_one_needs_a_plus(group: str, name: str) -> None:
    values = yaml.safe_load((conf_dir() / group / f"{name}.yaml").read_text(encoding="utf-8"))
    assert set(values) == {"type", *TABLES[group][values["type"]].parameters}
    assert component_faults(group, values, TABLES[group]) == []


@pytest.mark.parametrize("group", TABLES)
def test_each_component_has_its_file(group: str) -> None:
    assert set(all_groups([conf_dir()])[group]) == set(TABLES[group])


def test_each_file_says_in_its_first_line_what_it_is() -> None:
    assert [path.name for path in conf_dir().rglob("*.yaml") if len(first_comment(path)) < 10] == []


def test_the_defaults_exist() -> None:
    groups = all_groups([conf_dir()])
    for group, name in default_choices("train", [], conf_dir()).items():
        assert name is None or name in groups[group], group


def test_the_schema_has_a_meaning_for_every_key() -> None:
    assert all(parameter.meaning for parameter in parameters_of(TrainConfig).values())
    assert len(parameters_of(TrainConfig)) > 30


def test_conf_lies_beside_the_package_or_in_it() -> None:
    package = Path(__file__).parents[2] / "cnntrain"
    assert conf_dir() in (package / "conf", package.parent / "conf")
