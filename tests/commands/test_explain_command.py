"""`cnntrain explain`: what is printed, drawn and refused; nothing is read, and nothing but the diagram is written."""

import json
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor, nn
from torch.nn import functional as F

from cnntrain.cli import main
from cnntrain.config.components import registry


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["explain", *words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def as_json(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    return json.loads(printed(capsys, *words, "format=json"))


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main(["explain", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return [line.removeprefix("cnntrain: ") for line in err.splitlines()]


def test_resnet18_as_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = as_json(capsys, "model=resnet18", "data.image_size=224", "num_classes=1000")
    # parameters as torchvision counts them; multiply-adds and receptive fields as in tests/model/test_outline.py
    assert (found["totals"]["parameters"], round(found["totals"]["multiply_adds"] / 1e9, 2)) == (11_689_512, 1.81)
    first = found["layers"][0]
    assert (first["path"], first["output_shape"], first["receptive_field"]) == ("stem.conv", [64, 112, 112], 7)
    assert found["layers"][-1]["output_shape"] == [1000]
    assert not list(tmp_path.iterdir())


def test_without_a_word_a_small_colour_net_for_ten_classes(capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys)
    assert (found["name"], found["image"], found["num_classes"]) == ("simple_cnn", [3, 64, 64], 10)


def test_channels_and_both_sides_are_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert as_json(capsys, "data.image_size=[30,20]", "data.channels=1")["image"] == [1, 30, 20]


def test_the_table_names_every_part_and_fits_80_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnntrain.report.screen.WIDTH_WITHOUT_TERMINAL", 80)
    out = printed(capsys, "model=resnet50", "data.image_size=224", "num_classes=1000")
    assert max(len(line.rstrip()) for line in out.splitlines()[1:]) <= 80
    assert "…" not in out
    for row in (
        ["stem", "64x56x56", "11", "4", "9,536", "118", "M"],
        ["conv", "7x7", "conv", "/2", "64x112x112", "7", "2", "9,536", "118", "M"],
        ["blocks.1-2", "identity,", "each", "of", "2", "256x56x56", "35", "4", "70,400", "218", "M"],
        ["shortcut", "1x1", "conv", "256x56x56", "11", "4", "16,896", "51.4", "M"],
        ["in", "all", "25,557,032", "100.0", "%", "4.09", "G", "100.0", "%", "85.6", "MiB", "2.60", "T"],
    ):
        assert row in [line.split() for line in out.splitlines()], row


def test_a_layer_is_told_with_its_formulas(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("stages.1.blocks.0", "model.stages[1].blocks[0]"):
        out = printed(capsys, "model=resnet18", "data.image_size=224", f"layer={name}")
        assert "floor((56 + 2*1 - 3) / 2) + 1 = 28" in out
        assert "projection shortcut: 64 channels become 128 and stride 2 shrinks the map" in out
        assert "stages.2" not in out


def test_full_tells_every_layer(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "model=plain20", "data.image_size=32", "format=full")
    assert sum(line.startswith(("stem.", "stages.", "head.")) and "Conv2d" in line for line in out.splitlines()) == 19


def test_json_of_one_layer_has_that_layer_alone(capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, "model=resnet18", "layer=stem.pool")
    assert [layer["path"] for layer in found["layers"]] == ["stem.pool"]


def test_two_networks_beside_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, "data.image_size=32", "model=resnet20", "--against", "model=plain20")
    assert [net["name"] for net in found["networks"]] == ["resnet20", "plain20"]
    assert found["networks"][1]["image"] == [3, 32, 32]
    assert found["difference"]["parameters"] == 0  # shortcuts of option A have none
    assert {"key": "model.stages.0.block", "this": "residual", "against": "conv"} in found["settings"]
    out = printed(capsys, "data.image_size=32", "model=resnet20", "--against", "model=plain56")
    # 0.27 M and 0.86 M: He et al. 2015, arXiv 1512.03385, table 6 (rounded there to 0.27 and 0.85)
    assert ["parameters", "269,722", "853,018", "+583", "K", "(3.16", "times)"] in [line.split() for line in out.splitlines()]


def test_how_it_is_shown_may_stand_behind_against(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "model=resnet20", "--against", "model=plain20", "format=json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["networks"]) == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--against"], "--against: it needs what to change, such as --against model=plain20"),
        (["--against", "model=simple_cnn"], "--against model=simple_cnn changes nothing: both networks are the same"),
        (["-m", "--against", "model=mlp"], "--against shows two networks beside each other; leave out -m, --cfg, --info and the like"),
        (["model=resnt18"], "model=resnt18: no such config; did you mean model=resnet18?"),
        (["layer=stages.0.blocks.0.cnv"], "layer=stages.0.blocks.0.cnv: no such layer; did you mean layer=stages.0.blocks.0.conv?"),
        (["diagram=net.jpg"], "diagram=net.jpg must end in .svg or .png, such as diagram=net.svg"),
        (["num_classes=0"], "num_classes=0 must be a whole number >= 1"),
        (["model.stages.0.kernel_size=0"], "model.stages[0].kernel_size=0 must be a whole number or [height, width] >= 1"),
        (["optimizer.lr=1"], "no option optimizer.lr"),
        (["data=folder"], "data=folder: there is nothing to choose here; data has the keys data.channels, data.image_size"),
        (["hydra.run.dir=x"], "hydra.run.dir has no effect: cnntrain explain makes no run folder"),
    ],
)
def test_a_mistake_is_answered(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert refused(capsys, *words)[0].startswith(sentence)
    assert not list(tmp_path.iterdir())


def test_a_layer_that_does_not_fit_is_told_in_the_words_of_training(capsys: pytest.CaptureFixture[str]) -> None:
    (said,) = refused(capsys, "model=resnet18", "data.image_size=8", "model.stem.padding=0", "model.stem.kernel_size=9")
    assert "conv with kernel_size 9, stride 2, padding 0 does not fit its 8x8 input" in said


def test_against_belongs_to_explain(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--against", "model=plain20"]) == 2
    assert "--against belongs to cnntrain explain" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "start"), [("net.svg", b"<?xml"), ("deep/net.png", b"\x89PNG")])
def test_a_diagram_is_drawn_alike_each_time(name: str, start: bytes, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["model=resnet20", "data.image_size=32", f"diagram={name}"]
    assert printed(capsys, *words).endswith(f"written: {name}\n")
    first = (tmp_path / name).read_bytes()
    assert first.startswith(start)
    printed(capsys, *words)
    assert (tmp_path / name).read_bytes() == first


@pytest.fixture
def own_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for table in ("_builders", "_components"):
        monkeypatch.setattr(registry, table, {kind: {} for kind in registry.KINDS})


def test_a_users_block_is_followed_through_its_own_functions(own_blocks: None, capsys: pytest.CaptureFixture[str]) -> None:
    @registry.register("block", "two_ways")
    class TwoWays(nn.Module):
        """A 5x5 way beside a 3x3 one; their sum is halved by a pooling that is no layer."""

        def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1):
            super().__init__()
            self.wide = nn.Conv2d(in_channels, out_channels, 5, stride, 2)
            self.narrow = nn.Conv2d(in_channels, out_channels, 3, stride, 1)

        def forward(self, x: Tensor) -> Tensor:
            return F.max_pool2d(F.relu(self.wide(x) + self.narrow(x)), 2)

    found = as_json(capsys, "model.stages=[{block: two_ways, out_channels: 4}]", "data.image_size=16", "data.channels=1")
    assert found["blocks"][0]["output_shape"] == [4, 8, 8]
    assert found["blocks"][0]["receptive_field"] == 6  # 5, and one more position of the pooling
    assert found["totals"]["multiply_adds"] == (25 + 9) * 4 * 16 * 16 + 4 * 10
    assert [layer["receptive_field"] for layer in found["layers"][:2]] == [5, 3]


def test_what_a_users_block_hides_is_said(own_blocks: None, capsys: pytest.CaptureFixture[str]) -> None:
    @registry.register("block", "hidden_conv")
    class HiddenConv(nn.Module):
        """A convolution that is no layer, and a function that moves positions about."""

        def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1):  # noqa: ARG002 - blocks are called with it
            super().__init__()
            self.weight = nn.Parameter(nn.Conv2d(in_channels, out_channels, 3).weight.detach())

        def forward(self, x: Tensor) -> Tensor:
            return F.conv2d(x, self.weight, padding=1).roll(1, 2)

    found = as_json(capsys, "model.stages=[{block: hidden_conv, out_channels: 4}]", "data.image_size=8", "data.channels=1")
    assert found["totals"]["multiply_adds"] == 9 * 4 * 64 + 4 * 10
    assert found["blocks"][0]["receptive_field"] is None
    said = {warning["kind"]: warning["message"] for warning in found["warnings"]}
    assert "2,304 multiply-adds are in functions that are no layers" in said["counts_more_than_layers"]
    assert "knows_no_receptive_field" in said
