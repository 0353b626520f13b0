"""The command line in processes of its own, which may be killed; and pictures to train on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_cli import Cli
from fault_pictures import write_pictures


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    cli = Cli(tmp_path_factory.mktemp("faults"))
    yield cli
    cli.close()


@pytest.fixture
def cli(server: Cli, tmp_path: Path) -> Cli:
    """The command line in an empty folder with pictures of three classes."""
    server.folder = tmp_path
    write_pictures(tmp_path / "pictures")
    return server
