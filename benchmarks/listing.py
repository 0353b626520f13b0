"""How fast a folder is listed, and what its index takes: `python benchmarks/listing.py --root DIR --files 1000 10000 100000`.

The files are hard links to 200 small JPEGs, so that a million of them take inodes for folders alone; DIR/tree is removed afterwards.
Each listing runs in a process of its own: the first finds the folders as the making left them (in the file cache), the second is
what a second start of training does, every size and time checked again.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image

SOURCES = 200  # a file system allows some ten thousand links to one file
MEASURE = """
import resource, sys, time
from pathlib import Path
from cnntrain.config.schema import DataConfig
from cnntrain.data.folder import scan_train_val
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
wall, cpu = time.perf_counter(), time.process_time()
scan = scan_train_val(DataConfig(root=sys.argv[1]), seed=0)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
sets = scan.splits.values()
count = sum(map(len, sets))
size = sum(len(s.files.block) + s.files.ends.nbytes + s.targets.nbytes + s.sizes.nbytes + s.mtimes.nbytes for s in sets)
print(count, wall, cpu, size / count, peak() - before)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="an empty place on the disk to measure")
    parser.add_argument("--files", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--classes", type=int, default=1_000)
    given = parser.parse_args()
    print("| files | classes | first, s | second, s | CPU of the second, s | files/s | bytes a file | memory at most, MiB |")
    print("|---|---|---|---|---|---|---|---|")
    for count in given.files:
        tree = given.root / "tree"
        try:
            make(tree, count, min(given.classes, count))
            first, second = measure(tree), measure(tree)
        finally:
            shutil.rmtree(tree, ignore_errors=True)
        assert first[0] == second[0] == count, (first, second)
        _, wall, cpu, size, peak = second
        row = (f"{count:,}", f"{min(given.classes, count):,}", f"{first[1]:.2f}", f"{wall:.2f}", f"{cpu:.2f}", f"{count / wall:,.0f}")
        print("| " + " | ".join([*row, f"{size:.0f}", f"{peak:.0f}"]) + " |", flush=True)


def make(tree: Path, count: int, classes: int) -> None:
    """count files in tree/train, evenly over the classes."""
    (tree / "source").mkdir(parents=True)
    for number in range(SOURCES):
        Image.new("RGB", (16, 16), (number, 0, 0)).save(tree / "source" / f"{number}.jpg")
    for label in range(classes):
        folder = tree / "train" / f"class_{label:05d}"
        folder.mkdir(parents=True)
        for number in range(label, count, classes):
            os.link(tree / "source" / f"{number % SOURCES}.jpg", folder / f"image_{number:07d}.jpg")


def measure(tree: Path) -> list[float]:
    """Files, seconds, CPU seconds, bytes a file, and MiB that the process grew by."""
    done = subprocess.run([sys.executable, "-c", MEASURE, str(tree)], check=True, capture_output=True, text=True)
    return [float(word) for word in done.stdout.split()]


if __name__ == "__main__":
    main()
