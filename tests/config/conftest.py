"""A command whose jobs only say what they were given, behind the real configuration room."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from cnntrain.config.command import Command, Job
from cnntrain.config.compose import run
from cnntrain.config.schema import EvalConfig, TrainConfig
from cnntrain.errors import UserError


@dataclass
class Recorder:
    """Runs command lines and keeps what reached the command."""

    folder: Path
    capture: pytest.CaptureFixture[str]
    checked: list[Job] = field(default_factory=list)
    ran: list[Job] = field(default_factory=list)
    finished: list[tuple[Path, str]] = field(default_factory=list)
    claims: list[tuple[str, bool, Path | None]] = field(default_factory=list)
    act: Callable[[Job], float | None] = lambda job: 1.0  # noqa: ARG005

    def command(self, name: str) -> Command:
        if name == "eval":
            return Command("eval", "eval", EvalConfig, self.checked.extend, self.job, makes_folder=False)
        finish = lambda folder, objective: self.finished.append((folder, objective))  # noqa: E731
        return Command("train", "train", TrainConfig, self.checked.extend, self.job, True, self.claim, finish=finish)

    def claim(self, name: str, stamp: str, sweep: bool, given: Path | None) -> Path:
        self.claims.append((name, sweep, given))
        path = given or self.folder / "outputs" / name / f"{stamp}{'-sweep' if sweep else ''}-{len(self.claims)}"
        path.mkdir(parents=True)
        return path

    def job(self, job: Job) -> float | None:
        self.ran.append(job)
        return self.act(job)

    def __call__(self, *words: str, name: str = "train") -> int:
        return run(self.command(name), words)

    def plan(self, *words: str) -> list[Job]:
        """The checked jobs of a good command line; none runs, which saves Hydra two composes."""
        jobs: list[Job] = []

        def keep_and_stop(found: list[Job]) -> None:
            jobs.extend(found)
            raise UserError("planned")

        assert run(replace(self.command("train"), check=keep_and_stop), words) == 2
        assert self.said() == ["planned"]
        return jobs

    def said(self) -> list[str]:
        """Lines on stderr, without our name."""
        return [line.removeprefix("cnntrain: ") for line in self.capture.readouterr().err.splitlines()]

    def told(self, *words: str, name: str = "train") -> list[str]:
        """What a faulty command line is answered; nothing may run and nothing be written."""
        assert self(*words, name=name) == 2
        assert not self.ran
        assert not list(self.folder.glob("outputs/**/*"))
        return self.said()


@pytest.fixture
def cnntrain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Recorder:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CNNTRAIN_CONFIG_DIR", raising=False)
    return Recorder(tmp_path, capsys)


@pytest.fixture
def yaml_file(tmp_path: Path) -> Callable[[str, str], str]:
    """Writes DIR/NAME and gives --config-dir's value."""

    def write(name: str, text: str) -> str:
        path = tmp_path / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(tmp_path / "mine")

    return write
