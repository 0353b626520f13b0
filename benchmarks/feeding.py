"""How fast training is fed, beside other trainers: `python benchmarks/feeding.py --data DIR --case jpeg64`.

DIR holds train/<class>/* and val/<class>/*; without it a set is drawn. Every trainer trains the same network on the same
folder for a few epochs, on this machine's CPU, each as its users start it. Rounds are interleaved, their order turned
by one each time; figures are medians over the rounds of training images a second, of their ratio to the plain loop
with two loader processes in the same round, and of peak memory (proportional set size of the trainer and its loader
processes, looked at four times a second). Written to --out as JSON, printed as a table.

Peers: --torchvision DIR is the folder references/classification of a copy of github.com/pytorch/vision of your
torchvision's version; --timm FILE is train.py of a copy of github.com/huggingface/pytorch-image-models of your timm's
version (pip install timm). Both learn resnet20 by their own registries.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from memory import Peak
from PIL import Image

EPOCHS = 3  # the first warms up; the last ones are measured
CASES: dict[str, dict[str, Any]] = {
    "jpeg64": {"network": "resnet18", "size": 64, "batch": 64, "drawn": (500, 375, "jpg")},
    "png32": {"network": "resnet20", "size": 32, "batch": 128, "drawn": (32, 32, "png")},
    "jpeg32": {"network": "resnet20", "size": 32, "batch": 128, "drawn": (500, 375, "jpg")},
}
BASE = "plain loop, 2 workers"
TIMM_FLAGS = {
    "timm, -j 2": [],
    "timm, channels_last": ["--channels-last"],
    "timm, channels_last, bf16": ["--channels-last", "--amp", "--amp-dtype", "bfloat16"],
}
Speeds = dict[str, float]
MEMORY = " MiB"  # what the names of peak memory end with


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--images", type=int, default=2000, help="to draw, without --data")
    parser.add_argument("--case", choices=CASES, default="jpeg64")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--torchvision", type=Path)
    parser.add_argument("--timm", type=Path)
    parser.add_argument("--out", type=Path, default=Path("feeding.json"))
    parser.add_argument("--plain-loop", nargs=2, metavar=("WORKERS", "EPOCHS"), help=argparse.SUPPRESS)
    if sys.argv[1:2] == ["--peer"]:
        peer(*sys.argv[2:])
        return
    given = parser.parse_args()
    case = CASES[given.case]
    if given.plain_loop:
        plain_loop(given.data, case, *map(int, given.plain_loop))
        return
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        data = (given.data or draw(work / "drawn", given.images, *case["drawn"])).absolute()
        rounds = measure(trainers(given, case, data, work), given.rounds)
        report = summary(rounds) | {"case": given.case, "images": count(data), "rounds": given.rounds, "machine": machine()}
    given.out.write_text(json.dumps(report, indent=1) + "\n")
    print(table(report))


def count(data: Path) -> int:
    """Training images."""
    return sum(file.is_file() for file in data.glob("train/*/*"))


def trainers(given: argparse.Namespace, case: dict[str, Any], data: Path, work: Path) -> dict[str, Callable[[], Speeds]]:
    """Name -> a function that trains and gives images a second by name, perhaps of several kinds of epochs."""
    found: dict[str, Callable[[], Speeds]] = {
        "cnntrain": lambda: cnntrain(case, data, work, "auto"),
        "cnntrain, streaming": lambda: cnntrain(case, data, work, "none"),
        BASE: lambda: plain(given, data, 2),
        "plain loop, 0 workers": lambda: plain(given, data, 0),
    }
    if given.torchvision:
        found["torchvision references, -j 2"] = lambda: torchvision(given.torchvision, case, data, work)
    else:
        print("torchvision's references: left out; name your copy of their folder by --torchvision DIR (see --help)", file=sys.stderr)
    if given.timm:
        for name, more in TIMM_FLAGS.items():
            found[name] = lambda name=name, more=more: timm(given.timm, case, data, work, name, more)  # type: ignore[misc]
    else:
        print("timm: left out; name your copy of its train.py by --timm FILE (see --help)", file=sys.stderr)
    return found


def measure(found: dict[str, Callable[[], Speeds]], num_rounds: int) -> list[Speeds]:
    rounds = []
    names = list(found)
    for number in range(num_rounds):
        speeds: Speeds = {}
        for place in range(len(names)):
            name = names[(place + number) % len(names)]
            Peak.mib = 0.0
            speeds |= found[name]()
            speeds[name + MEMORY] = Peak.mib
        print(f"round {number + 1}: " + ", ".join(f"{name} {speed:.0f}" for name, speed in speeds.items()), file=sys.stderr)
        rounds.append(speeds)
    return rounds


def cnntrain(case: dict[str, Any], data: Path, work: Path, cache: str) -> Speeds:
    """The first epoch with all that goes before it for images, and the later ones."""
    with tempfile.TemporaryDirectory(dir=work) as folder:
        words = ["data=folder", f"data.root={data}", f"data.image_size={case['size']}", f"model={case['network']}", "seed=1"]
        transforms = "imagenet" if case["drawn"][2] == "jpg" else "small_flip"
        words += [f"transforms={transforms}", f"batch_size={case['batch']}", f"epochs={EPOCHS}", f"data.cache={cache}", "name=run"]
        environment = {**os.environ, "CNNTRAIN_CACHE_DIR": f"{folder}/cache"}
        call([sys.executable, "-m", "cnntrain", "train", *words], Path(folder), environment)
        (run,) = Path(folder, "outputs", "run").iterdir()
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        prepared = json.loads((run / "summary.json").read_text())["prepare_seconds"]
    speeds = [line["images_per_second"] for line in lines if line["event"] == "epoch"]
    if cache == "none":
        return {"cnntrain, streaming": statistics.median(speeds[1:])}
    num_images = count(data) // case["batch"] * case["batch"]
    first = num_images / (num_images / speeds[0] + prepared)
    return {"cnntrain, first epoch with decoding": first, "cnntrain": statistics.median(speeds[1:])}


def plain(given: argparse.Namespace, data: Path, workers: int) -> Speeds:
    words = [sys.executable, __file__, "--data", str(data), "--case", given.case, "--plain-loop", str(workers), str(EPOCHS)]
    speeds = [float(word) for word in call(words, Path.cwd(), dict(os.environ)).split()]
    return {f"plain loop, {workers} workers": statistics.median(speeds[1:])}


def torchvision(folder: Path, case: dict[str, Any], data: Path, work: Path) -> Speeds:
    size = case["size"]
    words = ["--data-path", str(data), "--model", case["network"], "--device", "cpu", "-j", "2", "-b", str(case["batch"])]
    words += [
        "--epochs",
        str(EPOCHS),
        "--train-crop-size",
        str(size),
        "--val-crop-size",
        str(size),
        "--val-resize-size",
        str(size * 8 // 7),
    ]
    start = [sys.executable, __file__, "--peer", "torchvision", str(folder / "train.py")]
    said = call([*start, *words, "--output-dir", str(work / "torchvision")], folder, dict(os.environ))
    times = re.findall(r"Epoch: \[\d+\] Total time: (\d+):(\d+):(\d+)", said)  # whole seconds: take a set of some minutes
    seconds = [int(h) * 3600 + int(m) * 60 + int(s) for h, m, s in times]
    return {"torchvision references, -j 2": count(data) / max(1, statistics.median(seconds[1:]))}


def timm(script: Path, case: dict[str, Any], data: Path, work: Path, name: str, more: list[str]) -> Speeds:
    classes = sum(path.is_dir() for path in (data / "train").iterdir())
    words = ["--data-dir", str(data), "--model", case["network"], "--device", "cpu", "-j", "2", "-b", str(case["batch"]), *more]
    words += ["--epochs", str(EPOCHS), "--img-size", str(case["size"]), "--num-classes", str(classes), "--val-split", "val"]
    said = call([sys.executable, __file__, "--peer", "timm", str(script), *words, "--output", str(work / "timm")], work, dict(os.environ))
    means = re.findall(r"Train: (\d+) .*?\([\d.]+s, +([\d.]+)/s\)", said)
    last = {int(epoch): float(speed) for epoch, speed in means}  # the mean over an epoch is in its last line
    return {name: statistics.median([speed for epoch, speed in last.items() if epoch > 0])}


def call(words: list[str], folder: Path, environment: dict[str, str]) -> str:
    """What it says, both streams for a peer; its peak memory is in Peak.mib."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(words, cwd=folder, env=environment, stdout=out, stderr=err, text=True)
        with Peak(process.pid):
            code = process.wait()
        said, complaint = (stream.seek(0) or stream.read() for stream in (out, err))
    if code:
        sys.exit(f"{' '.join(words)} ended with {code}:\n{complaint[-2000:]}")
    return said + complaint if "--peer" in words else said


def peer(library: str, script: str, *words: str) -> None:
    """A peer's own script, which finds resnet20 in its own registry."""
    import runpy

    if library == "timm":
        from timm.models import register_model
    else:
        from torchvision.models._api import register_model

    def resnet20(num_classes: int = 10, **_: Any) -> Any:
        model = small_resnet(num_classes)
        model.num_classes = num_classes
        return model

    resnet20.__module__ = f"{library}.models.resnet"
    register_model(resnet20) if library == "timm" else register_model()(resnet20)
    sys.argv = [script, *words]
    sys.path.insert(0, str(Path(script).parent))
    runpy.run_path(script, run_name="__main__")


def plain_loop(data: Path, case: dict[str, Any], workers: int, epochs: int) -> None:
    """ImageFolder, DataLoader, SGD, as tutorials write it; prints images a second of each epoch."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader
    from torchvision import datasets, models
    from torchvision.transforms import v2

    size = case["size"]
    crop: list[Any] = [v2.RandomResizedCrop(size)] if case["drawn"][2] == "jpg" else [v2.RandomCrop(size, padding=size // 8)]
    steps = [*crop, v2.RandomHorizontalFlip(), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    images = datasets.ImageFolder(str(data / "train"), v2.Compose([*steps, v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]))
    loader: Any = DataLoader(images, case["batch"], shuffle=True, num_workers=workers, drop_last=True)
    model = models.resnet18(num_classes=len(images.classes)) if case["network"] == "resnet18" else small_resnet(len(images.classes))
    optimizer, loss = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=1e-4), nn.CrossEntropyLoss()
    for _ in range(epochs):
        began, seen = time.perf_counter(), 0
        for pixels, labels in loader:
            optimizer.zero_grad()
            loss(model(pixels), labels).backward()
            optimizer.step()
            seen += len(pixels)
        print(seen / (time.perf_counter() - began))


def small_resnet(num_classes: int) -> Any:
    """ResNet-20 for 32 pixels (He et al. 2015, arXiv 1512.03385, section 4.2), of torchvision's own blocks."""
    from torch import nn
    from torchvision.models.resnet import BasicBlock

    def stage(before: int, channels: int, stride: int) -> list[nn.Module]:
        shortcut = None if stride == 1 else nn.Sequential(nn.Conv2d(before, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))
        return [BasicBlock(before, channels, stride, shortcut), BasicBlock(channels, channels), BasicBlock(channels, channels)]

    stem = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, num_classes)]
    return nn.Sequential(*stem, *stage(16, 16, 1), *stage(16, 32, 2), *stage(32, 64, 2), *head)


def draw(root: Path, num_images: int, width: int, height: int, kind: str) -> Path:
    """Pictures with as much detail as photos of this size have: noise of several sizes, added up."""
    generator = np.random.default_rng(0)
    for split, share in (("train", num_images), ("val", max(20, num_images // 10))):
        for number in range(share):
            pixels = np.zeros((height, width, 3))
            for cells in (4, 16, 64, 256):
                noise = generator.normal(0, 60 / cells**0.5, (min(cells, height), min(cells, width), 3)).clip(-127, 127) + 128
                image = Image.fromarray(noise.astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
                pixels += np.asarray(image, np.float64) - 128
            path = root / split / f"class{number % 10}" / f"{number}.{kind}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((pixels + 128).clip(0, 255).astype(np.uint8)).save(path, **({"quality": 90} if kind == "jpg" else {}))
    return root


def summary(rounds: list[Speeds]) -> dict[str, Any]:
    names = list(rounds[0])
    figures = {name: round(statistics.median(each[name] for each in rounds), 1) for name in names}
    speeds = {name: figure for name, figure in figures.items() if not name.endswith(MEMORY)}
    ratios = {name: round(statistics.median(each[name] / each[BASE] for each in rounds), 2) for name in speeds}
    memory = {name.removesuffix(MEMORY): figure for name, figure in figures.items() if name.endswith(MEMORY)}
    return {"images_per_second": speeds, f"times {BASE}": ratios, "peak_mib": memory, "all": rounds}


def machine() -> str:
    import torch

    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", info.read_text()) if info.exists() else None
    return f"{os.cpu_count()} cores {found.group(1) if found else ''}, torch {torch.__version__}"


def table(report: dict[str, Any]) -> str:
    lines = [f"{report['case']}, {report['images']:,} training images, {report['rounds']} rounds, {report['machine']}", ""]
    lines += [f"| trainer | images/s | times {BASE} | peak MiB |", "|---|---|---|---|"]
    ratios, memory = report[f"times {BASE}"], report["peak_mib"]
    for name, speed in report["images_per_second"].items():
        lines.append(f"| {name} | {speed:.0f} | {ratios[name]:.2f} | {memory.get(name, float('nan')):.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
