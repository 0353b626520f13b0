"""Every test process computes on one thread, so that two of them share two cores; none sees the user's caches."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache folder for each test, also for the processes that it starts."""
    with TemporaryDirectory(dir=tmp_path_factory.getbasetemp(), prefix="cache-") as folder:
        monkeypatch.setenv("CNNTRAIN_CACHE_DIR", folder)
        yield Path(folder)
