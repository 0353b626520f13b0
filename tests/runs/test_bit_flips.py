"""One flipped bit anywhere in a checkpoint is noticed, and the checkpoint before it is taken, by name."""

import random
from pathlib import Path

import torch

from cnntrain.runs.checkpoint import newest, save

NUM_FLIPS = 1000


def write(run: Path, step: int) -> Path:
    torch.manual_seed(step)
    weights = {"stem.weight": torch.randn(4, 3, 3), "head.bias": torch.zeros(3)}
    optimizer = {"state": {0: {"momentum_buffer": torch.randn(4, 3, 3)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    state = {"step": step, "epoch": 1, "best": {"val/top1": 0.5}}
    return save(run, model=weights, optimizer=optimizer, state=state, config={"name": "x"}, average=weights)


def test_each_of_1000_flipped_bits_is_noticed(tmp_path: Path) -> None:
    before, folder = write(tmp_path, 1), write(tmp_path, 2)
    files = sorted(folder.iterdir())
    sizes = [path.stat().st_size for path in files]
    chance, missed = random.Random(0), []
    for _ in range(NUM_FLIPS):
        path = chance.choices(files, sizes)[0]
        content = path.read_bytes()
        place, bit = chance.randrange(len(content)), 1 << chance.randrange(8)
        path.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
        taken, broken = newest(tmp_path)
        if taken != before or len(broken) != 1 or not broken[0].startswith("step_00000002: "):
            missed.append((path.name, place, bit))
        path.write_bytes(content)
    assert missed == []
    assert newest(tmp_path) == (folder, [])


def test_each_file_cut_short_anywhere_or_missing_is_noticed(tmp_path: Path) -> None:
    before, folder = write(tmp_path, 1), write(tmp_path, 2)
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for length in {0, 1, len(content) // 2, len(content) - 1}:
            path.write_bytes(content[:length])
            assert newest(tmp_path)[0] == before, (path.name, length)
        path.unlink()
        assert newest(tmp_path)[0] == before, path.name
        path.write_bytes(content)
    assert newest(tmp_path)[0] == folder
