"""Every test process computes on one thread, so that two of them share two cores; none sees the user's caches.

What only costs time is left out: the collector's looks at what the imports made, and Hydra's compose for its mode.
"""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()  # torch and the tests themselves are a million objects, none of them garbage


@pytest.fixture(autouse=True, scope="session")
def mode_from_flags() -> Iterator[None]:
    """Before a sweep Hydra composes everything to read hydra.mode; None makes it go by the flags, which ours always have.

    The README's blocks (slow) run without this.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hydra._internal.hydra.Hydra.get_mode", lambda *_, **__: None)
        yield


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache folder for each test, also for the processes that it starts."""
    with TemporaryDirectory(dir=tmp_path_factory.getbasetemp(), prefix="cache-") as folder:
        monkeypatch.setenv("CNNTRAIN_CACHE_DIR", folder)
        yield Path(folder)
