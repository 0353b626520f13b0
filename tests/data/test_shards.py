"""Shards: what is listed, in which order it is read, and what the webdataset package makes of the same files."""

import functools
import gc
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
import torch
from PIL import Image

from cnntrain.config.schema import DataConfig
from cnntrain.data import fetched, keyed
from cnntrain.data.decode import read_image
from cnntrain.data.images import ImageSet
from cnntrain.data.loaders import Loader
from cnntrain.data.pipeline import build_pipeline
from cnntrain.data.scan import Scan
from cnntrain.data.shards import Shards, expand, scan_shards, scan_shards_for_eval
from cnntrain.errors import DataError

CLASSES = ("ant", "bee", "cat")


def png(number: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def write_tar(path: Path, files: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def write_shards(folder: Path, split: str, count: int, per_shard: int, label: str = "name") -> None:
    """Image n has class n mod 3; its pixels are drawn from n."""
    for shard in range(-(-count // per_shard)):
        files: dict[str, bytes] = {}
        for number in range(shard * per_shard, min(count, (shard + 1) * per_shard)):
            files[f"{number:04d}.png"] = png(number)
            if label == "json":
                files[f"{number:04d}.json"] = json.dumps({"label": CLASSES[number % 3], "other": 1}).encode()
            else:
                files[f"{number:04d}.cls"] = (CLASSES[number % 3] if label == "name" else str(number % 3)).encode()
        write_tar(folder / f"{split}-{shard:03d}.tar", files)


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    write_shards(tmp_path, "train", 30, 7)
    write_shards(tmp_path, "val", 9, 9)
    return tmp_path


def config(root: Path, train: str = "train-{000..004}.tar", val: str | None = "val-000.tar", **keys: Any) -> DataConfig:
    return DataConfig(name="webdataset", train_shards=f"{root}/{train}", val_shards=None if val is None else f"{root}/{val}", **keys)


def scan(root: Path, **keys: Any) -> Scan:
    return scan_shards(config(root, **keys), seed=0).usable()


def fault(root: Path, **keys: Any) -> str:
    with pytest.raises(DataError) as refused:
        scan(root, **keys)
    return str(refused.value).replace(str(root), "D")


def test_patterns_are_written_out_as_in_a_shell() -> None:
    assert expand("a-{08..11}.tar") == ["a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"]
    assert expand("{x,y}-{0..1}") == ["x-0", "x-1", "y-0", "y-1"]
    assert expand("plain.tar") == ["plain.tar"]


@pytest.mark.parametrize("label", ["name", "number", "json"])
def test_every_image_has_its_pixels_and_its_class(tmp_path: Path, label: str) -> None:
    write_shards(tmp_path, "train", 10, 4, label)
    names = tmp_path / "names.txt"
    names.write_text("\n".join(CLASSES) + "\n")
    keys = {"classes_file": str(names)} if label == "number" else {}
    images = scan(tmp_path, train="train-*.tar", val=None, val_fraction=0.3, **keys).splits["train"]
    assert images.classes == CLASSES
    for index, (file, target) in enumerate(zip(images.files, images.labels, strict=True)):
        shard, _, name = file.rpartition("/")
        number = int(name.removesuffix(".png"))
        assert shard == f"train-{number // 4:03d}.tar"
        assert target == number % 3
        assert read_image(images.at(index), 3).permute(1, 2, 0).numpy().tolist() == np.array(Image.open(io.BytesIO(png(number)))).tolist()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_webdataset_package_writes_and_reads_the_same(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    with webdataset.ShardWriter(f"{tmp_path}/train-%03d.tar", maxcount=4, verbose=0) as writer:
        for number in range(10):
            writer.write({"__key__": f"sample{number:03d}", "png": png(number), "cls": number % 3})
    images = scan(tmp_path, train="train-{000..002}.tar", val="train-000.tar").splits["train"]
    theirs = webdataset.WebDataset(f"{tmp_path}/train-{{000..002}}.tar", shardshuffle=False)
    for index, sample in enumerate(theirs):
        shard, _, file = images.files[index].partition("/")
        assert file == f"{sample['__key__']}.png"
        assert Path(sample["__url__"]).name == shard
        assert images.labels[index] == int(sample["cls"])
        where = images.at(index)
        assert not isinstance(where, Path)
        assert where.read() == sample["png"]
    assert len(images) == 10
    del theirs
    gc.collect()  # the package leaves its files to the collector, which would warn in a later test


def batches(images: ImageSet, num_workers: int, cache: str = "none") -> list[torch.Tensor]:
    assert isinstance(images.packed, Shards)
    steps = [{"type": "resize"}, {"type": "horizontal_flip"}, {"type": "to_tensor"}]
    pipeline = build_pipeline(steps, image_size=(8, 8), channels=3, statistics=None)
    order = functools.partial(keyed.sharded_order, shards=images.packed.shard[images.places])
    loader = Loader(
        images, pipeline, batch_size=4, seed=0, shuffle=True, order=order, cache=cache, cache_budget_mib=1, num_workers=num_workers
    )
    found = [tensor for epoch in (0, 1) for batch in loader.batches(epoch) for tensor in batch]
    loader.close()
    return found


def test_batches_do_not_depend_on_the_number_of_processes(shards: Path) -> None:
    train = scan(shards).splits["train"]
    alone = batches(train, 0)
    assert len(alone) == 2 * 7 * 3
    for others in (batches(train, 1), batches(train, 2), batches(train, 0, cache="memory")):
        assert all(torch.equal(a, b) for a, b in zip(alone, others, strict=True))


def test_only_so_many_shards_are_read_at_any_time_in_an_order_of_seed_and_epoch() -> None:
    shards = np.repeat(np.arange(20), 50)
    orders = {(seed, epoch): keyed.sharded_order(seed, epoch, shards) for seed in (0, 1) for epoch in (0, 1)}
    assert len({tuple(order) for order in orders.values()}) == 4
    for order in orders.values():
        assert sorted(order.tolist()) == list(range(1000))
        groups = [set(shards[order[start : start + 400]].tolist()) for start in (0, 400, 800)]
        assert [len(group) for group in groups] == [8, 8, 4]
        assert len(set(shards[order[:40]].tolist())) == 8  # shuffled within the group, not shard by shard
    few = np.repeat(np.arange(8), 5)
    assert keyed.sharded_order(3, 1, few).tolist() == keyed.epoch_order(3, 1, 40).tolist()


@pytest.mark.parametrize("world_size", [1, 2, 3, 8])
def test_ranks_read_other_shards_and_equally_many_images(world_size: int) -> None:
    sizes = np.array([30, 50, 10, 40, 20, 60, 50, 50, 30, 70, 10, 20])
    shards = np.repeat(np.arange(12), sizes)
    seen = []
    for epoch in (0, 1):
        orders = [keyed.sharded_order(5, epoch, shards, rank, world_size) for rank in range(world_size)]
        read = [set(shards[order].tolist()) for order in orders]
        assert sum(map(len, read)) == len(set().union(*read))  # no shard by two of them
        assert len({len(order) for order in orders}) == 1
        assert len(np.unique(np.concatenate(orders))) == sum(map(len, orders))
        owned = [sizes[list(each)].sum() for each in read]
        assert len(orders[0]) == min(owned)
        seen.append(read)
    assert world_size == 1 or seen[0] != seen[1]
    assert sorted(keyed.sharded_order(5, 0, shards, 0, 1).tolist()) == list(range(len(shards)))


def test_a_shard_is_listed_once_until_it_changes(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan(shards)
    opened: list[str] = []
    real = fetched.open_shard

    def watched(name: str) -> BinaryIO:
        opened.append(Path(name).name)
        return real(name)

    monkeypatch.setattr(fetched, "open_shard", watched)
    assert len(scan(shards).splits["train"]) == 30
    assert opened == []
    write_tar(shards / "train-001.tar", {"x.png": png(0), "x.cls": b"bee"})
    assert len(scan(shards).splits["train"]) == 30 - 7 + 1
    assert opened == ["train-001.tar"]


def test_what_is_no_image_with_its_class_is_left_out_and_told(tmp_path: Path) -> None:
    good = {"a.png": png(0), "a.cls": b"bee", "b.png": png(1), "b.cls": b"ant"}
    odd = {"c.png": png(2), "d.cls": b"ant", "e.png": png(3), "e.json": b"[1]", "f.png": png(4), "f.cls": b"", "README": b"text"}
    write_tar(tmp_path / "train-000.tar", {**good, **odd})
    found = scan(tmp_path, train="train-000.tar", val="train-000.tar")
    assert len(found.splits["train"]) == 2
    told = [each.detail.rpartition("/")[2] for each in found.findings if each.kind == "shard_sample"]
    assert sorted(told[:5]) == [
        "train-000.tar: README is no file called KEY.EXTENSION; left out",
        "train-000.tar: c has no label (png); left out",
        "train-000.tar: d has no image (cls); left out",
        "train-000.tar: e has a label that is no class (png, json); left out",
        "train-000.tar: f has a label that is no class (png, cls); left out",
    ]
    assert told[5:] == told[:5]  # val is the same shard
    assert found.left_out["train"] == 5


def test_a_key_that_comes_twice_is_used_once(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "train-000.tar", "w") as tar:
        for name, content in (
            ("a.png", png(0)),
            ("a.cls", b"ant"),
            ("a.png", png(1)),
            ("b.png", png(2)),
            ("b.cls", b"bee"),
            ("a.png", png(3)),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    found = scan(tmp_path, train="train-000.tar", val=None)
    assert sum(map(len, found.splits.values())) == 2
    assert found.left_out["train"] == 2
    told = [each.detail.rpartition("/")[2] for each in found.findings if each.kind == "shard_sample"]
    assert told == [
        "train-000.tar: a.png is there twice; the second one is left out",
        "train-000.tar: a is there already, further up (png); left out",
    ]
    (train,) = [images for images in found.splits.values() if "train-000.tar/a.png" in list(images.files)]
    assert train.at(list(train.files).index("train-000.tar/a.png")).read() == png(0)  # type: ignore[union-attr]


def test_an_image_that_cannot_be_decoded_is_replaced_as_everywhere(tmp_path: Path) -> None:
    files = {f"{n}.{kind}": content for n in range(20) for kind, content in (("png", png(n)), ("cls", CLASSES[n % 3].encode()))}
    write_tar(tmp_path / "train-000.tar", {**files, "7.png": b"no picture"})
    train = scan(tmp_path, train="train-000.tar", val="train-000.tar").splits["train"]
    found = batches(train, 0)
    assert all(7 not in indices for indices in found[2::3])
    assert all(torch.equal(a, b) for a, b in zip(found, batches(train, 1), strict=True))


def test_what_is_wrong_is_told_in_one_sentence(shards: Path) -> None:
    assert fault(shards, train="train-{000..006}.tar").splitlines() == [
        f"data.train_shards: no shard D/train-{n}.tar (of D/train-{{000..006}}.tar); give files such as 'DIR/train-{{000000..000009}}.tar'"
        for n in ("005", "006")
    ]
    whole = (shards / "train-000.tar").read_bytes()
    end = len(whole.rstrip(b"\0")) // 512 * 512 + 512  # where the end mark begins
    for length in (700, 1024, 1300, 2048, 4000, end, end + 511):
        (shards / "bad.tar").write_bytes(whole[:length])
        assert "bad.tar cannot be read" in fault(shards, train="bad.tar"), length
    (shards / "bad.tar").write_bytes(whole[:2048] + b"x" * 512 + whole[2560:])
    assert "bad.tar cannot be read (it is damaged or cut short: no end mark)" in fault(shards, train="bad.tar")
    (shards / "text.tar").write_text("no tar")
    assert "text.tar cannot be read" in fault(shards, train="text.tar")
    write_tar(shards / "empty.tar", {"a.png": png(0)})
    assert "no image with a label in 1 shard; they hold KEY.jpg and KEY.cls, or KEY.json" in fault(shards, train="empty.tar")
    write_tar(shards / "one.tar", {"a.png": png(0), "a.cls": b"bee"})
    assert "one class only in the shards (bee); two or more are needed" in fault(shards, train="one.tar")
    (shards / "names.txt").write_text("ant\nbee\n")
    assert "names.txt has 2 names, and class cat is not among them" in fault(shards, classes_file=str(shards / "names.txt"))
    assert "data.classes_file=nowhere.txt cannot be read" in fault(shards, classes_file="nowhere.txt")
    write_tar(shards / "val-000.tar", {"a.png": png(0), "a.cls": b"beee"})
    assert "data.val_shards: class beee of val-000.tar/a.png is not a class that is trained on; did you mean bee?" in fault(shards)


def test_commands_and_strange_urls_are_never_run(shards: Path) -> None:
    for name in ("pipe:touch ran", "http://host/$(touch ran).tar", "ftp://host/a.tar"):
        with pytest.raises(DataError, match=r"is not a plain URL of http, https, gs; commands \(pipe:\) are not run"):
            scan_shards(DataConfig(name="webdataset", train_shards=name), seed=0).usable()


def test_other_shards_are_measured_by_the_classes_that_were_trained_on(shards: Path) -> None:
    write_tar(shards / "test.tar", {"a.png": png(0), "a.cls": b"cat", "b.png": png(1), "b.cls": b"ant"})
    (images,) = scan_shards_for_eval(str(shards / "test.tar"), split="test", classes=CLASSES).usable().splits.values()
    assert (images.labels.tolist(), images.classes) == ([2, 0], CLASSES)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def site(shards: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(shards)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_shards_on_the_network_are_brought_and_give_way(shards: Path, site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("webdataset")
    monkeypatch.setattr(fetched, "SHARDS_KEPT", 2)
    data = DataConfig(name="webdataset", train_shards=f"{site}/train-{{000..004}}.tar", val_shards=f"{site}/val-000.tar")
    train = scan_shards(data, seed=0).usable().splits["train"]
    here = scan(shards).splits["train"]
    assert train.labels.tolist() == here.labels.tolist()
    assert all(torch.equal(a, b) for a, b in zip(batches(train, 0), batches(here, 0), strict=True))
    assert len(list(fetched.place_of("x").parent.glob("*.tar"))) == 2
