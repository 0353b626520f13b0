"""The floors of the house: a room imports only rooms below it, and third parties stay in their rooms."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1] / "cnntrain"
FLOORS = {
    "errors": 0,
    "randomness": 0,
    "measures": 0,
    "__init__": 0,
    "config": 1,
    "model": 2,
    "data": 2,
    "metrics": 2,
    "engine": 3,
    "runs": 3,
    "report": 4,
    "commands": 5,
    "cli": 6,
    "__main__": 7,
}
# on these floors not every room below is open: what a room may use beside errors, randomness and measures
NARROWER = {
    "model": {"config"},
    "data": {"config"},
    "metrics": set(),
    "engine": {"config", "metrics"},
    "runs": {"config"},
    "report": {"engine.events", "metrics", "runs"},
}
WALLS = {  # third party -> the rooms it may be used in
    "hydra": {"config"},
    "omegaconf": {"config"},
    "torchvision": {"data"},
    "torchvision.ops": {"data", "model"},
    "pyarrow": {"data"},
    "rich": {"report", "cli"},
    "tensorboard": {"report"},
    "torch.utils.tensorboard": {"report"},
    "matplotlib": {"report"},
    "jinja2": {"report"},
    "markupsafe": {"report"},
    "captum": {"engine"},
    "torch": {"model", "data", "metrics", "engine", "runs", "report", "commands"},
}
NO_TORCH = (
    "data/decode.py",
    "data/facts.py",
    "data/examine.py",
    "commands/data_check.py",
    "model/geometry.py",
    "model/layers.py",
    "model/shadows.py",
    "model/outline.py",
    "model/explain.py",
    "model/advice.py",
    "commands/explain.py",
    "data/sources.py",
    "data/findings.py",
    "runs/folder.py",
    "commands/train.py",
    "commands/eval.py",
)
FILES = sorted(HOUSE.rglob("*.py"))


def imports(file: Path) -> Iterator[tuple[str, int, bool]]:
    """(dotted name, line, whether only a type checker sees it) of every import, also those inside functions."""
    tree = ast.parse(file.read_text())
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno, node in for_types) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: write the full path, cnntrain.room.file"
            yield from ((f"{node.module}.{alias.name}", node.lineno, node in for_types) for alias in node.names)


def room_of(file: Path) -> str:
    return file.relative_to(HOUSE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(HOUSE)))
def test_a_room_uses_only_rooms_on_lower_floors(file: Path) -> None:
    room = room_of(file)
    for name, line, _ in imports(file):
        if not name.startswith("cnntrain.") or name == "cnntrain.__version__":
            continue
        used = name.split(".")[1]
        place = f"{file.relative_to(HOUSE)}:{line}"
        if used == room or FLOORS.get(used) == 0 or room == "__init__":
            continue
        assert FLOORS[used] < FLOORS[room], f"{place}: {room} must not use {used}"
        allowed = NARROWER.get(room)
        inside = allowed is None or any(f"{name}.".startswith(f"cnntrain.{a}.") for a in allowed)
        assert inside, f"{place}: {room} may use only {sorted(allowed or ())}, not {name}"


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(HOUSE)))
def test_third_parties_stay_in_their_rooms(file: Path) -> None:
    room = room_of(file)
    for name, line, for_types in imports(file):
        matches = [package for package in WALLS if f"{name}.".startswith(f"{package}.")]
        if matches and not for_types:
            package = max(matches, key=len)
            assert room in WALLS[package], f"{file.relative_to(HOUSE)}:{line}: {package} belongs in {sorted(WALLS[package])}"


@pytest.mark.parametrize("name", NO_TORCH)
def test_these_files_know_no_torch(name: str) -> None:
    top = ast.parse((HOUSE / name).read_text()).body
    direct = [ast.unparse(node) for node in top if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not [line for line in direct if line.split()[1].split(".")[0] == "torch"]


def test_the_package_and_its_first_check_import_no_torch() -> None:
    modules = (
        "cli",
        "commands.train",
        "commands.eval",
        "config.check",
        "data.sources",
        "runs.folder",
        "model.geometry",
        "commands.explain",
    )
    code = "".join(f"import cnntrain.{module}; " for module in modules) + "import sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("file", [f for f in FILES if f.name == "__init__.py"], ids=lambda f: str(f.relative_to(HOUSE)))
def test_an_init_imports_nothing_heavy(file: Path) -> None:
    top = [node for node in ast.parse(file.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert all(ast.unparse(node).startswith("from typing") for node in top), file


def test_no_target_is_ever_instantiated() -> None:
    for file in FILES:
        assert "hydra.utils" not in {name.rpartition(".")[0] for name, _, _ in imports(file)}, file
        assert "weights_only=False" not in file.read_text(), file


def test_no_file_is_longer_than_300_lines_and_no_function_than_60() -> None:
    for file in FILES:
        text = file.read_text()
        assert text.count("\n") <= 300, file
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                assert length <= 60, f"{file}:{node.lineno} {node.name} has {length} lines"
