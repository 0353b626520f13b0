"""A disk that refuses: told once, tried again, and the end of a run only after a while or at its end. The clock is ours."""

import errno
from pathlib import Path

import pytest

from cnntrain.commands.patience import GIVE_UP_SECONDS, RETRY_SECONDS, Patience, PatientKeeper
from cnntrain.engine.events import EpochDone, Event, RunEnded, StepDone
from cnntrain.errors import DiskFull, Diverged
from cnntrain.runs.durable import told_plainly
from cnntrain.runs.history import History, read

STEP = StepDone(1, 1, 8)
EPOCH = EpochDone(3, 1, {"val/top1": 0.5}, True, 1.0)


def end(status: str) -> RunEnded:
    return RunEnded(6, 2, status, "", 1.0, 1.0)


class Disk:
    """Writes at the end of an epoch; `refuses` as a full one does."""

    def __init__(self, kind: int = errno.ENOSPC) -> None:
        self.now, self.refuses, self.kind, self.written = 0.0, True, kind, 0
        self.patience = Patience(lambda: self.now)
        self.keeper = PatientKeeper(self.keep, self.patience, "checkpoints", self.write)

    def keep(self, event: Event) -> None:
        if isinstance(event, EpochDone):
            self.write()

    def write(self) -> None:
        with told_plainly(Path("run/checkpoints/step_1")):
            if self.refuses:
                raise OSError(self.kind, "refused")
        self.written += 1


@pytest.mark.parametrize("kind", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_training_goes_on_and_it_is_told_once(kind: int, capsys: pytest.CaptureFixture[str]) -> None:
    disk = Disk(kind)
    for _ in range(3):
        disk.keeper(EPOCH)
        disk.keeper(STEP)
    err = capsys.readouterr().err
    assert err.count("training goes on and tries again, for 10 minutes at most") == 1
    assert "run/checkpoints/step_1" in err


def test_it_is_tried_again_after_a_while_and_the_end_of_it_told(capsys: pytest.CaptureFixture[str]) -> None:
    disk = Disk()
    disk.keeper(EPOCH)
    disk.refuses = False
    disk.now = RETRY_SECONDS - 1
    disk.keeper(STEP)
    assert disk.written == 0
    disk.now = RETRY_SECONDS
    disk.keeper(STEP)
    disk.keeper(STEP)
    assert disk.written == 1
    assert "the disk takes what is written again" in capsys.readouterr().err


def test_after_ten_minutes_the_run_ends_with_74() -> None:
    disk = Disk()
    disk.keeper(EPOCH)
    disk.now = GIVE_UP_SECONDS
    with pytest.raises(DiskFull, match=r"no space left to write run/checkpoints/step_1, for 10 minutes now") as caught:
        disk.keeper(STEP)
    assert caught.value.exit_code == 74


def test_at_the_end_of_a_run_the_last_try_counts() -> None:
    disk = Disk(errno.EROFS)
    disk.keeper(EPOCH)
    with pytest.raises(DiskFull, match=r"cannot write run/checkpoints/step_1: refused"):
        disk.keeper(end("done"))
    disk.refuses = False
    disk.keeper(end("done"))
    assert disk.written == 1


def test_the_end_of_a_run_that_failed_is_not_told_another_way() -> None:
    disk = Disk()
    disk.keeper(EPOCH)
    disk.keeper(end("failed"))
    disk.keeper(end("diverged"))


def test_another_error_is_passed_on() -> None:
    def keep(event: Event) -> None:
        raise Diverged("nan")

    with pytest.raises(Diverged, match="nan"):
        PatientKeeper(keep, Patience(), "x", lambda: None)(STEP)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_lines_that_the_disk_did_not_take_are_written_later(tmp_path: Path) -> None:
    told: list[object] = []
    history = History(tmp_path / "metrics.jsonl", refused=told.append)
    history.append({"step": 1})
    whole, full = history.file, open("/dev/full", "ab", buffering=0)  # noqa: SIM115
    history.file = full
    history.append({"step": 2})
    history.append({"step": 3})
    assert [type(each) for each in told] == [DiskFull, DiskFull]
    history.file = whole
    full.close()
    history.append({"step": 4})
    history.close()
    assert told[2:] == [None]
    assert [line["step"] for line in read(tmp_path / "metrics.jsonl")] == [1, 2, 3, 4]
