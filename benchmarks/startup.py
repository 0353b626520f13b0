"""How long the command line takes to answer, as a multiple of a bare Python.

python benchmarks/startup.py [--runs 9]

Each round starts every command once, one after the other, so that a slow moment of the machine falls on all of them;
the figures are medians of the rounds' ratios to `python -c pass` of the same round.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

COMMANDS = {
    "--help": (["--help"], 5),
    "a typo answered": (["train", "optimizer.lrr=0.1"], 30),
    "train --cfg job": (["train", "--cfg", "job"], 30),
    "train --help": (["train", "--help"], 30),
    "list models": (["list", "models"], 30),
}


def seconds(command: list[str], folder: str) -> float:
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    program = os.path.join(os.path.dirname(sys.executable), "cnntrain")
    ratios: dict[str, list[float]] = {name: [] for name in COMMANDS}
    bare_seconds = []
    with tempfile.TemporaryDirectory() as folder:
        for round_number in range(runs + 1):
            bare = seconds([sys.executable, "-c", "pass"], folder)
            for name, (words, _) in COMMANDS.items():
                ratio = seconds([program, *words], folder) / bare
                if round_number:  # the first round warms the disk's cache
                    ratios[name].append(ratio)
            bare_seconds.append(bare)
    print(f"bare python: {1000 * statistics.median(bare_seconds):.0f} ms, medians of {runs} rounds, {os.cpu_count()} cores")
    for name, (_, goal) in COMMANDS.items():
        print(f"cnntrain {name:<16} {statistics.median(ratios[name]):5.1f}x  (goal {goal}x)")


if __name__ == "__main__":
    main()
