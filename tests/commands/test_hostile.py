"""What others may have written, a checkpoint, a run folder, images, is data: nothing of it runs, and nothing is written elsewhere.

Each payload would leave `touched`, or change `elsewhere`. The answer is one of ours, not a traceback (exit code 1).
"""

import json
import os
import pickle
import shutil
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import TINY, tree, write_pictures

from cnntrain.cli import main
from cnntrain.runs.folder import OWN
from cnntrain.runs.manifest import MANIFEST, write_folder

STEP = "step_00000003"
ESCAPES = "\x1b[2J\x1b]0;owned\x07"


class Touch:
    """Unpickled, it makes the file `touched`."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch touched",)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures and one run, made once."""
    folder, before = tmp_path_factory.mktemp("trained"), Path.cwd()
    os.chdir(folder)
    try:
        write_pictures(folder / "pictures" / "train", {"a": 8, "b": 8, "c": 8})
        write_pictures(folder / "pictures" / "val", {"a": 4, "b": 4, "c": 4})
        assert main(["train", *TINY, "epochs=1", "hydra.run.dir=run", "data.cache=none"]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the run, beside a folder that must stay as it is."""
    shutil.copytree(trained / "run", tmp_path / "run", symlinks=True)
    (tmp_path / "pictures").symlink_to(trained / "pictures")
    (tmp_path / "elsewhere" / "step_00000001").mkdir(parents=True)
    (tmp_path / "elsewhere" / "precious").write_text("precious")
    monkeypatch.chdir(tmp_path)
    return Path("run")


def content(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() if (folder / name).is_file() else b"" for name in tree(folder)}


def refused_or_ignored(capsys: pytest.CaptureFixture[str], *command: str) -> int:
    """Runs it; the exit code."""
    before = content(Path("elsewhere"))
    beside = set(os.listdir("."))
    code = main(list(command))
    out, err = capsys.readouterr()
    assert code in (0, 2, 3), err
    assert not Path("touched").exists()
    assert not Path("run", "touched").exists()
    assert content(Path("elsewhere")) == before
    assert set(os.listdir(".")) - beside <= {"out"}
    assert "\x1b" not in out + err
    assert "Traceback" not in err
    return code


def sealed(run: Path, change: Callable[[dict[str, bytes]], object]) -> None:
    """The checkpoint with changed files and a manifest that fits them, as an attacker would make it."""
    folder = run / "checkpoints" / STEP
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != MANIFEST}
    change(files)
    write_folder(run / "checkpoints", STEP, files, {"step": 3, "cnntrain": "0"})


def edit(name: str, value: Any, *path: str) -> Callable[[dict[str, bytes]], object]:
    """Sets a value inside of a JSON file; with no path the whole file."""

    def change(files: dict[str, bytes]) -> None:
        found = json.loads(files[name])
        inner = found
        for key in path[:-1]:
            inner = inner[key]
        if path:
            inner[path[-1]] = value
        files[name] = json.dumps(found if path else value).encode()

    return change


def replaced(name: str, data: bytes) -> Callable[[dict[str, bytes]], object]:
    return lambda files: files.update({name: data})


def header(text: bytes, size: int | None = None) -> bytes:
    return struct.pack("<Q", len(text) if size is None else size) + text


CODE = {"_target_": "os.system", "command": "touch touched"}
CONFIG, OPTIMIZER, STATE, MODEL = "config.json", "optimizer.json", "state.json", "model.safetensors"
CHECKPOINTS: dict[str, tuple[Callable[[dict[str, bytes]], object], bool]] = {
    # payload -> (change, whether evaluation must refuse it)
    "a pickle for weights": (replaced(MODEL, pickle.dumps(Touch())), True),
    "a pickle for the optimizer": (replaced("optimizer.safetensors", pickle.dumps(Touch())), True),
    "a header of 2**63 bytes": (replaced(MODEL, header(b"{}", 1 << 63)), True),
    "offsets outside": (replaced(MODEL, header(b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}')), True),
    "a shape of 2**40": (replaced(MODEL, header(b'{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4]}}') + b"0000"), True),
    "a deep header": (replaced(MODEL, header(b"[" * 100_000)), True),
    "an empty file of weights": (replaced(MODEL, b""), True),
    "a model of code": (edit(CONFIG, CODE, "kept", "model", "stem"), True),
    "a block by path": (edit(CONFIG, [{"block": "os.system", "out_channels": 8}], "kept", "model", "stages"), True),
    "a head of code": (edit(CONFIG, CODE, "kept", "model", "head"), True),
    "an extra key with code": (edit(CONFIG, CODE, "kept", "callbacks"), True),
    "a transform of code": (edit(CONFIG, [CODE], "kept", "preprocessing", "steps"), True),
    "a transform by path": (edit(CONFIG, [{"type": "os.system", "size": "touch touched"}], "kept", "preprocessing", "steps"), True),
    "a task of code": (edit(CONFIG, {"name": "os.system"}, "kept", "task"), True),
    "a task with strange words": (edit(CONFIG, {"name": "classification", "loss": CODE}, "kept", "task"), True),
    "a network of 10**12 weights": (
        edit(CONFIG, [{"block": "conv", "out_channels": 10**6}, {"block": "conv", "out_channels": 10**6}], "kept", "model", "stages"),
        True,
    ),
    "images of 10**9 pixels": (edit(CONFIG, [10**9, 10**9], "kept", "image_size"), True),
    "10**9 channels": (edit(CONFIG, 10**9, "kept", "channels"), True),
    "a million threads": (edit(CONFIG, 10**6, "kept", "threads"), True),
    "classes that are no texts": (edit(CONFIG, [CODE, CODE, CODE], "kept", "classes"), True),
    "classes that steer a terminal": (edit(CONFIG, [ESCAPES, "[link=x]y", "[/z]"], "kept", "classes"), True),
    "a split that leads outside": (edit(CONFIG, "../../elsewhere/precious", "kept", "data", "val_split"), False),
    "shards from a command": (
        lambda files: (
            [
                edit(CONFIG, value, "kept", "data", key)(files)
                for key, value in (("name", "webdataset"), ("train_shards", "pipe:touch touched"), ("val_shards", "pipe:touch touched"))
            ]
            and None
        ),
        True,
    ),
    "a manifest of secrets": (
        lambda files: (
            [edit(CONFIG, value, "kept", "data", key)(files) for key, value in (("name", "manifest"), ("file", "/etc/passwd"))] and None
        ),
        True,
    ),
    "keys of another type": (edit(CONFIG, "x", "kept", "data", "cache_budget_mib"), True),
    "a config that is a list": (edit(CONFIG, [1]), True),
    "a deep config": (replaced(CONFIG, b"[" * 200_000 + b"]" * 200_000), True),
    "no config": (lambda files: files.pop(CONFIG) and None, True),
    "counters that hide methods": (edit(STATE, "x", "state_dict"), False),
    "counters of another type": (edit(STATE, CODE, "best"), False),
    "a step that is a text": (edit(STATE, "3; touch touched", "step"), False),
    "a negative step": (edit(STATE, -5, "step"), False),
    "state that is a list": (edit(STATE, [1, 2]), False),
    "an optimizer of code": (edit(OPTIMIZER, CODE), True),
    "an optimizer without groups": (edit(OPTIMIZER, {"dict": [["state", {"dict": []}]]}), False),
    "a tensor that is not there": (edit(OPTIMIZER, {"dict": [["state", {"tensor": "x"}]]}), True),
    "moments that are texts": (
        edit(OPTIMIZER, {"dict": [["state", {"dict": [[0, {"dict": [["momentum_buffer", "x"]]}]]}], ["param_groups", []]]}),
        False,
    ),
    "a deep optimizer": (replaced(OPTIMIZER, b'{"tuple":[' * 50_000 + b"]}" * 50_000), True),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_checkpoint_is_data_to_evaluation(name: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change, refused = CHECKPOINTS[name]
    sealed(run, change)
    code = refused_or_ignored(capsys, "eval", "checkpoint=run")
    assert code in ((2, 3) if refused else (0, 2))


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_checkpoint_is_data_to_resume(name: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sealed(run, CHECKPOINTS[name][0])
    refused_or_ignored(capsys, "train", "resume=run", "epochs=2")


def manifest_of(**files: Any) -> bytes:
    from cnntrain.runs.manifest import _digest, _encode

    manifest: dict[str, Any] = {"schema_version": 1, "files": files}
    return _encode(manifest | {"digest": _digest(manifest)})


ENTRY = {"sha256": "0" * 64, "size": 8}
MANIFESTS = {
    "a file of the parent": manifest_of(**{"../../../elsewhere/precious": ENTRY}),
    "a file by its whole path": manifest_of(**{"/etc/passwd": ENTRY}),
    "a file of a folder": manifest_of(**{"a/b": ENTRY}),
    "the parent itself": manifest_of(**{"..": ENTRY}),
    "a drive": manifest_of(**{"C:x": ENTRY}),
    "a size that is a text": manifest_of(**{MODEL: ENTRY | {"size": "8"}}),
    "a negative size": manifest_of(**{MODEL: ENTRY | {"size": -2}}),
    "entries that are lists": manifest_of(**{MODEL: [1]}),
    "deep": b"[" * 100_000,
    "a number": b"1" * 5000,
    "no text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_names_files_beside_it_alone(name: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "checkpoints" / STEP / MANIFEST).write_bytes(MANIFESTS[name])
    assert refused_or_ignored(capsys, "eval", "checkpoint=run") == 2
    assert refused_or_ignored(capsys, "train", "resume=run", "epochs=2") == 2


@pytest.mark.parametrize("target", ["/dev/zero", "pipe", "../../../elsewhere/precious"])
def test_a_checkpoints_file_that_is_no_plain_file_is_not_read(target: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = run / "checkpoints" / STEP / MODEL
    file.unlink()
    if target == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to(target)
    assert refused_or_ignored(capsys, "eval", "checkpoint=run") == 2


@pytest.mark.parametrize("name", OWN)
def test_a_run_folder_with_a_link_in_it_is_not_written(name: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, whole = run / name, Path("kept")
    if path.exists():
        path.rename(whole)
        shutil.copytree(whole, "elsewhere", dirs_exist_ok=True, symlinks=True) if whole.is_dir() else shutil.copy(whole, "elsewhere/file")
    target = "elsewhere" if whole.is_dir() else "elsewhere/file" if whole.exists() else "elsewhere/precious"
    path.symlink_to(Path("..", target))
    assert refused_or_ignored(capsys, "train", "resume=run", "epochs=2") == 2


@pytest.mark.parametrize("name", ["best", "last"])
def test_a_link_to_a_checkpoint_elsewhere_is_not_followed(name: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    link = run / "checkpoints" / name
    link.unlink()
    link.symlink_to("../../elsewhere/step_00000001")
    assert refused_or_ignored(capsys, "eval", f"checkpoint={link}") == 2
    link.unlink()
    link.write_text("../../elsewhere/step_00000001\n")
    assert refused_or_ignored(capsys, "eval", f"checkpoint={link}") == 2


@pytest.mark.parametrize("name", ["eval-val.json", "eval-val.csv", "eval-val-confusion.png"])
def test_results_are_not_written_through_a_link(name: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / name).symlink_to("../elsewhere/new")
    assert refused_or_ignored(capsys, "eval", "checkpoint=run") == 0


CONFIGS = {
    "a Python object": "!!python/object/apply:os.system ['touch touched']\n",
    "a Python name": "name: !!python/name:os.system\n",
    "aliases": "a: &a [x,x]\nb: [*a,*a]\n",
    "a secret": "name: ${oc.env:HOME}\n",
    "a target": "model: {stem: {_target_: os.system, command: touch touched}}\n",
    "callbacks": "hydra: {callbacks: {x: {_target_: os.system, command: touch touched}}}\n",
    "a name that leads outside": "name: ../../elsewhere\n",
    "a component by path": "optimizer: {type: os.system}\n",
    "deep": "a: " + "[" * 20_000,
    "two mebibytes": "# " + "x" * (1 << 21),
    "no text": "\udcff\udcfe",
    "a list": "[1, 2]",
    "shards from a command": "data: {name: webdataset, train_shards: 'pipe:touch touched', val_shards: 'pipe:touch touched'}\n",
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_stored_configuration_is_data(name: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "config.yaml").write_text(CONFIGS[name], errors="surrogateescape")
    assert refused_or_ignored(capsys, "train", "resume=run", "epochs=2") == 2


def test_lines_of_metrics_that_are_none_are_left_out(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open(run / "metrics.jsonl", "a") as file:
        file.write('{"step": "x", "event": "step"}\n[1]\n' + "[" * 100_000 + '\n{"step": {}, "event": "bad_file", "file": [1]}\n')
        file.write('{"step": 3, "event": "step"}\n{"step": 3, "epoch": 1, "event": "epoch"}\n{"event": {}}\n')
    assert refused_or_ignored(capsys, "train", "resume=run", "epochs=2") == 0


NAMES = [
    ESCAPES + "x",
    "[/red]",
    "[link=file:x]y[/link]",
    "$\\frac{$",
    "$(touch touched)",
    "`touch touched`",
    "=cmd|' touch touched'!A0",
    "\u202egnp",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_class_may_be_called_anything(name: str, run: Path, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.unlink("pictures")
    for split in ("train", "val"):
        shutil.copytree(trained / "pictures" / split / "a", Path("pictures", split, name))
        shutil.copytree(trained / "pictures" / split / "b", Path("pictures", split, "b"))
    assert refused_or_ignored(capsys, "train", *TINY, "epochs=1", "hydra.run.dir=out/run", "data.cache=none") == 0
    assert refused_or_ignored(capsys, "eval", "checkpoint=out/run") == 0


MANIFEST_LINES = [
    "../elsewhere/precious,a",
    "/etc/passwd,a",
    "train/a/../../../elsewhere/precious,a",
    f"train/a/0.png,{ESCAPES}",
    "train/a/0.png\x00.png,a",
]


@pytest.mark.parametrize("line", MANIFEST_LINES)
def test_a_manifest_of_images_leads_nowhere_else(line: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"train/{c}/{n}.png,{c}" for c in "ab" for n in range(8)]
    Path("labels.csv").write_text("\n".join(["path,label", *rows, line]) + "\n")
    words = [word for word in TINY if not word.startswith(("data=", "data.root"))]
    shown = ["data=manifest", "data.file=labels.csv", "data.root=pictures", "data.cache=none", "dry_run=true"]
    refused_or_ignored(capsys, "train", *words, *shown)


@pytest.mark.parametrize("name", ["../../elsewhere/precious.jpg", "/tmp/x.jpg", f"{ESCAPES}.jpg", "a.pyc", "x/../../y.jpg"])
def test_a_tar_is_never_unpacked(name: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = Path("pictures/train/a/0.png").read_bytes()
    with tarfile.open("evil.tar", "w") as tar:
        for member, data in ((name, picture), (name.rpartition(".")[0] + ".cls", b"a"), ("ok.png", picture), ("ok.cls", b"b")):
            Path("member").write_bytes(data)
            tar.add("member", member)
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "../elsewhere/precious"
        tar.addfile(link)
    words = [word for word in TINY if not word.startswith(("data=", "data.root"))]
    shards = ["data=webdataset", "data.train_shards=evil.tar", "data.val_shards=evil.tar", "batch_size=2", "dry_run=true"]
    refused_or_ignored(capsys, "train", *words, *shards)


def test_a_pickle_of_images_is_data(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("cifar/cifar-10-batches-py")
    folder.mkdir(parents=True)
    for name in ("batches.meta", "test_batch", *(f"data_batch_{n}" for n in range(1, 6))):
        (folder / name).write_bytes(pickle.dumps({"data": Touch(), "labels": Touch(), "label_names": Touch()}))
    words = [word for word in TINY if not word.startswith(("data=", "data.root", "data.image"))]
    assert refused_or_ignored(capsys, "train", *words, "data=torchvision", "data.dataset=CIFAR10", "data.root=cifar", "dry_run=true") == 2


def test_a_checkpoint_of_torch_is_not_opened(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"model": Touch()}, "model.pt")
    assert refused_or_ignored(capsys, "eval", "checkpoint=model.pt") == 2
    assert refused_or_ignored(capsys, "train", "resume=model.pt") == 2
