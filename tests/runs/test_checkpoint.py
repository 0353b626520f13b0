"""Checkpoints: exact, verified, found by what a user types."""

import errno
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnntrain.errors import CheckpointError, DiskFull, Diverged
from cnntrain.runs.checkpoint import load, load_or_name_another, mark, newest, prune, recover, resolve, save
from cnntrain.runs.manifest import verify, write_folder
from cnntrain.runs.tensors import optimizer_from_plain, optimizer_to_plain, pack, unpack

OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1),
    "SGD momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01, amsgrad=True),
    "Adam with a tensor lr": lambda p: torch.optim.Adam(p, lr=torch.tensor(0.01), capturable=False, foreach=False),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.01, centered=True, momentum=0.5),
    "Rprop": lambda p: torch.optim.Rprop(p, lr=0.01),
    "NAdam": lambda p: torch.optim.NAdam(p, lr=0.01),
    "RAdam": lambda p: torch.optim.RAdam(p, lr=0.01),
    "Adamax": lambda p: torch.optim.Adamax(p, lr=0.01),
    "Adadelta": lambda p: torch.optim.Adadelta(p, lr=1.0),
    "ASGD": lambda p: torch.optim.ASGD(p, lr=0.1),
    "Adafactor": lambda p: torch.optim.Adafactor(p, lr=0.1),
    "LBFGS": lambda p: torch.optim.LBFGS(p, lr=0.1, max_iter=3),
}


def small_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 16, 3))


def train(net: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        images = torch.randn(8, 1, 4, 4, generator=generator)
        labels = torch.randint(3, (8,), generator=generator)

        def loss(images: Tensor = images, labels: Tensor = labels) -> Tensor:
            optimizer.zero_grad()
            value = nn.functional.cross_entropy(net(images), labels)
            value.backward()
            return value

        optimizer.step(loss)  # type: ignore[arg-type]


def saved(run: Path, step: int, **keys: Any) -> Path:
    given: dict[str, Any] = {"model": {"w": torch.ones(2)}, "optimizer": {"state": {}, "param_groups": []}, "config": {}}
    return save(run, **{**given, **keys}, state={"step": step})


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_loaded_checkpoint_goes_on_bit_by_bit(tmp_path: Path, name: str) -> None:
    straight, made = small_net(), OPTIMIZERS[name]
    optimizer = made(straight.parameters())
    train(straight, optimizer, range(3))
    folder = save(
        tmp_path,
        model=straight.state_dict(),
        optimizer=optimizer.state_dict(),
        state={"step": 3, "best": None},
        config={"a": [1, 2.5, "x"]},
    )
    train(straight, optimizer, range(3, 6))

    found = load(folder)
    assert (found.state, found.config) == ({"step": 3, "best": None}, {"a": [1, 2.5, "x"]})
    resumed = small_net()
    resumed.load_state_dict(found.model)
    again = made(resumed.parameters())
    again.load_state_dict(found.optimizer)
    train(resumed, again, range(3, 6))
    for key, value in straight.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key
    assert optimizer_to_plain(optimizer.state_dict())[1] == optimizer_to_plain(again.state_dict())[1]


def test_plain_optimizer_data_keeps_kinds_and_values() -> None:
    given = {
        "state": {0: {"t": torch.ones(2), "l": [1, 2.0, None, True]}},
        "groups": [{"betas": (0.1, 1e-300), "x": float("-inf"), "s": "a"}],
    }
    tensors, structure = optimizer_to_plain(given)
    found = optimizer_from_plain(tensors, structure)
    assert torch.equal(found["state"][0].pop("t"), given["state"][0].pop("t"))  # type: ignore[index]
    assert found == given
    assert [type(part) for part in found["state"][0]["l"]] == [int, float, type(None), bool]
    assert type(found["groups"][0]["betas"]) is tuple
    nan = optimizer_from_plain(*optimizer_to_plain({"x": float("nan")}))["x"]
    assert math.isnan(nan)


def test_an_object_in_an_optimizer_is_refused() -> None:
    with pytest.raises(TypeError, match="optimizer/state/0/hook is a object, which no checkpoint can hold"):
        optimizer_to_plain({"state": {0: {"hook": object()}}})


@pytest.mark.parametrize("structure", [{"run": "x"}, [1], {"dict": 5}, {"tensor": "none"}, {"a": 1, "b": 2}, None])
def test_foreign_optimizer_data_is_refused(structure: object) -> None:
    with pytest.raises(CheckpointError, match=r"optimizer.json cannot be read"):
        optimizer_from_plain({}, structure)


def test_tensors_of_every_kind_come_back_bit_by_bit() -> None:
    base = torch.arange(12.0).reshape(3, 4)
    given = {
        "shared": base,
        "view": base[1],
        "transposed": base.t(),
        "expanded": torch.ones(1).expand(5),
        "channels_last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "scalar": torch.tensor(3),
        "empty": torch.zeros(0, 2),
        "half": torch.tensor([1.5], dtype=torch.bfloat16),
        "flag": torch.tensor([True, False]),
        "negative zero": torch.tensor([-0.0]),
    }
    found = unpack(pack(given))
    assert set(found) == set(given)
    for name, tensor in given.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor), name
        assert found[name].is_contiguous()
    assert torch.signbit(found["negative zero"]).item()
    found["shared"].zero_()
    assert torch.equal(found["view"], torch.tensor([4.0, 5.0, 6.0, 7.0]))


def test_bytes_that_are_no_tensors_are_refused() -> None:
    with pytest.raises(CheckpointError, match="the tensors cannot be read"):
        unpack(b"not safetensors")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_tensor_that_is_not_finite_is_never_saved(tmp_path: Path, bad: float) -> None:
    with pytest.raises(Diverged, match=r"stem.weight is no longer finite at step 5.*try a smaller optimizer.lr"):
        saved(tmp_path, 5, model={"stem.weight": torch.tensor([1.0, bad])})
    with pytest.raises(Diverged, match=r"optimizer/state/0/m is no longer finite"):
        saved(tmp_path, 5, optimizer={"state": {0: {"m": torch.tensor([bad])}}})
    assert list(tmp_path.iterdir()) == []


def test_a_flipped_bit_in_any_file_is_found_and_the_older_checkpoint_named_newest(tmp_path: Path) -> None:
    older, newer = saved(tmp_path, 10), saved(tmp_path, 20)
    assert sorted(path.name for path in newer.iterdir()) == [
        "MANIFEST.json",
        "config.json",
        "model.safetensors",
        "optimizer.json",
        "optimizer.safetensors",
        "state.json",
    ]
    assert newest(tmp_path) == (newer, [])
    for path in newer.iterdir():
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        found, failed = newest(tmp_path)
        assert found == older
        assert len(failed) == 1
        assert failed[0].startswith(f"step_00000020: {path.name} is damaged")
        with pytest.raises(CheckpointError, match=path.name):
            load(newer)
        path.write_bytes(whole)
    assert newest(tmp_path) == (newer, [])


def test_a_damaged_checkpoint_names_one_that_is_whole(tmp_path: Path) -> None:
    older, newer = saved(tmp_path, 10), saved(tmp_path, 20)
    (newer / "model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=rf"model.safetensors has 0 bytes.*\nstep_00000010 is whole; type checkpoint={older}"):
        load_or_name_another(newer)
    assert load_or_name_another(older).folder == older


def test_a_folder_that_was_being_replaced_is_put_back(tmp_path: Path) -> None:
    folder = saved(tmp_path, 10)
    folder.rename(folder.with_name(".step_00000010.old-1-ab"))  # the crash came between two renames
    (folder.parent / ".step_00000010.new-1-ab").mkdir()
    (tmp_path / ".summary.json.new-1-ab").write_text("half")
    recover(tmp_path)
    assert newest(tmp_path) == (folder, [])
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]
    assert [path.name for path in folder.parent.iterdir()] == ["step_00000010"]


def test_newest_goes_by_step_and_not_by_time(tmp_path: Path) -> None:
    high = saved(tmp_path, 300)
    saved(tmp_path, 20)
    mark(tmp_path, "last", tmp_path / "checkpoints" / "step_00000020")
    assert newest(tmp_path)[0] == high
    assert newest(tmp_path / "nothing") == (None, [])


def test_a_disk_that_refuses_to_prune_or_mark_is_told_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [saved(tmp_path, step) for step in (1, 2, 3)]

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for name in ("rename", "replace", "symlink"):
        monkeypatch.setattr(os, name, full)
    with pytest.raises(DiskFull, match=r"no space left to write .*checkpoints"):
        prune(tmp_path)
    with pytest.raises(DiskFull, match=r"no space left to write .*checkpoints"):
        mark(tmp_path, "last", folders[2])
    assert [load(folder).state["step"] for folder in folders] == [1, 2, 3]


def test_prune_keeps_best_last_and_the_newest_two(tmp_path: Path) -> None:
    folders = {step: saved(tmp_path, step) for step in (1, 2, 3, 4, 5)}
    mark(tmp_path, "best", folders[1])
    mark(tmp_path, "last", folders[2])
    (tmp_path / "checkpoints" / ".step_00000009.new-1-ab").mkdir()
    assert prune(tmp_path) == [folders[3]]
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "best",
        "last",
        *(f"step_0000000{step}" for step in (1, 2, 4, 5)),
    ]


def test_a_run_means_its_best_checkpoint(tmp_path: Path) -> None:
    run = tmp_path / "run"
    one, two = saved(run, 1), saved(run, 2)
    mark(run, "best", one)
    mark(run, "last", two)
    assert resolve(run) == resolve(run / "checkpoints") == resolve(run / "checkpoints" / "best") == one
    assert resolve(run / "checkpoints" / "last") == two
    assert resolve(two) == two
    two.rename(tmp_path / "anywhere")
    assert resolve(tmp_path / "anywhere") == tmp_path / "anywhere"
    assert load(tmp_path / "anywhere").state == {"step": 2}


def test_each_wrong_path_is_answered_by_what_to_type(tmp_path: Path) -> None:
    saved(tmp_path / "run", 1)
    with pytest.raises(CheckpointError, match=r"checkpoint=.*/rum: no such run folder or checkpoint; did you mean checkpoint=.*/run\?"):
        resolve(tmp_path / "rum")
    with pytest.raises(CheckpointError, match=r"resume=xyz/a: no such run folder or checkpoint; give a run folder such as outputs/NAME/"):
        resolve(Path("xyz/a"), key="resume")
    with pytest.raises(CheckpointError, match=r"no such run folder or checkpoint; give"):
        resolve(tmp_path / ("a" * 300))
    (tmp_path / "net.pt").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"net.pt is a file; cnntrain's checkpoints are folders: give the run folder"):
        resolve(tmp_path / "net.pt")
    step = tmp_path / "run" / "checkpoints" / "step_00000001"
    with pytest.raises(CheckpointError, match=r"is a file; .*: type checkpoint=.*step_00000001$"):
        resolve(step / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"has no checkpoint yet"):
        resolve(tmp_path / "run")
    mark(tmp_path / "run", "last", step)
    with pytest.raises(CheckpointError, match=r"has no best checkpoint yet; type checkpoint=.*run/checkpoints/last for its last"):
        resolve(tmp_path / "run")
    mark(tmp_path / "run", "best", tmp_path / "step_gone")
    with pytest.raises(CheckpointError, match=r"points to .*step_gone, which is no whole checkpoint"):
        resolve(tmp_path / "run")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match=r"is no run folder: there is no checkpoints/ in it"):
        resolve(tmp_path / "empty")
    (tmp_path / "sweep" / "0" / "checkpoints").mkdir(parents=True)
    with pytest.raises(CheckpointError, match=r"is a sweep; give one of its runs, such as checkpoint=.*/sweep/0"):
        resolve(tmp_path / "sweep")
    (tmp_path / "step_00000009").mkdir()
    with pytest.raises(CheckpointError, match=r"has no MANIFEST.json: it was never finished"):
        resolve(tmp_path / "step_00000009")


def test_a_whole_folder_that_is_no_checkpoint_is_refused_by_file(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, "step_00000001", {"model.safetensors": pack({})}, {})
    assert verify(folder) == []
    with pytest.raises(CheckpointError, match=r"optimizer.safetensors is missing\n.*optimizer.json is missing"):
        load(folder)
