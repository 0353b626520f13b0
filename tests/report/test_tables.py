"""Tables as a person reads them, and numbers as they are written."""

import io
from typing import Any

import pytest
from rich.table import Table
from torch import Tensor, nn

from cnntrain.model.network import Network
from cnntrain.model.shapes import trace
from cnntrain.model.stage import Stage
from cnntrain.report.figures import duration, loss_text, metric_text, percent, size_text
from cnntrain.report.screen import Screen
from cnntrain.report.tables import evaluation_table, net_rows, net_table, per_class_table, per_target_table, results_table, show


def text_of(table: Table, **settings: Any) -> str:
    stream = io.StringIO()
    Screen(stream, **settings).print(table)
    return stream.getvalue()


def layer(path: str, kind: str, given: tuple[int, ...], made: tuple[int, ...], num_parameters: int) -> dict[str, Any]:
    return {"path": path, "kind": kind, "input_shape": given, "output_shape": made, "num_parameters": num_parameters}


def three_blocks() -> list[dict[str, Any]]:
    wide, narrow = (8, 4, 4), (16, 2, 2)
    layers = [layer("stem.conv", "Conv2d", (3, 4, 4), wide, 100)]
    for stage, block, given, made in (
        (0, 0, wide, wide),
        (0, 1, wide, wide),
        (0, 2, wide, wide),
        (1, 0, wide, narrow),
        (1, 1, narrow, narrow),
    ):
        layers.append(layer(f"stages.{stage}.blocks.{block}.branch.0", "Conv2d", given, made, 200 + stage))
        layers.append(layer(f"stages.{stage}.blocks.{block}.branch.1", "Conv2d", made, made, 200))
        layers.append(layer(f"stages.{stage}.blocks.{block}.act", "ReLU", made, made, 0))
    return [*layers, layer("head.linear", "Linear", (16,), (10,), 170)]


def test_equal_blocks_that_follow_each_other_share_a_row() -> None:
    rows = net_rows(three_blocks())
    assert [row["part"] for row in rows] == ["stem", "stages[0].blocks[0-2]", "stages[1].blocks[0]", "stages[1].blocks[1]", "head"]
    assert [row["num_parameters"] for row in rows] == [100, 1200, 401, 401, 170]
    assert rows[1] == {
        "part": "stages[0].blocks[0-2]",
        "layers": "2 Conv, ReLU",
        "input": "8x4x4",
        "output": "8x4x4",
        "num_parameters": 1200,
    }
    assert (rows[2]["input"], rows[2]["output"]) == ("8x4x4", "16x2x2")


def test_a_pooling_before_the_blocks_has_a_row_of_its_own() -> None:
    shapes = [
        layer("stages.0.downsample", "MaxPool2d", (8, 4, 4), (8, 2, 2), 0),
        layer("stages.0.blocks.0", "User", (8, 2, 2), (8, 2, 2), 1),
    ]
    assert [row["part"] for row in net_rows(shapes)] == ["stages[0].downsample", "stages[0].blocks[0]"]


def test_the_network_room_gives_what_the_table_takes() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.branch = nn.Conv2d(2, 2, 3, padding=1, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.branch(x)

    layers = trace(Network(nn.Conv2d(1, 2, 1, bias=False), [Stage([Block(), Block()])], nn.Flatten()), (1, 4, 4))
    assert [(row["part"], row["num_parameters"], row["output"]) for row in net_rows(layers)] == [
        ("stem", 2, "2x4x4"),
        ("stages[0].blocks[0-1]", 72, "2x4x4"),
        ("head", 0, "32"),
    ]


def test_net_table_names_the_total() -> None:
    text = text_of(net_table(three_blocks(), "tiny"))
    assert "tiny: 2,272 parameters" in text
    assert "52.8" in text  # 100 * 1200 / 2272
    assert text.isascii()


def test_a_wide_bottleneck_takes_one_line_of_80_columns() -> None:
    wide = (2048, 7, 7)
    kinds = 3 * ["Conv2d"] + 3 * ["BatchNorm2d"] + 3 * ["ReLU"]
    layers = [layer(f"stages.3.blocks.{block}.{kind}", kind, wide, wide, 496_000) for block in (1, 2) for kind in kinds]
    layers += [layer("head.pool", "AdaptiveAvgPool2d", wide, (2048, 1, 1), 0)]
    stream = io.StringIO()
    show(net_table(layers), screen=Screen(stream, force_terminal=True, color_system=None, width=80, _environ={"TERM": "xterm"}))
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert max(map(len, lines)) <= 80
    assert [" ".join(line.split()) for line in lines[3:]] == [
        "input 2048x7x7",
        "stages[3].blocks[1-2] 3 Conv, 3 BatchNorm, 3 ReLU 2048x7x7 8,928,000 100.0",
        "head AvgPool 2048x1x1 0 0.0",
    ]


SUMMARY: dict[str, Any] = {
    "status": "done",
    "best": {"epoch": 7, "step": 140, "val/top1": 0.98312, "val/loss": 0.0712},
    "last": {"epoch": 9, "step": 180, "val/top1": 0.98, "val/loss": 0.08, "train/loss": 0.00001234, "train/top1": 1.0},
    "images_per_second": 12345.6,
    "seconds": 75.2,
}


def test_results_show_best_and_last() -> None:
    text = text_of(results_table(SUMMARY))
    assert "results after 1:15, 12,346 images/s" in text
    best, last = (next(line for line in text.splitlines() if name in line) for name in ("best", "last"))
    assert best.replace("|", "").split() == ["best", "7", "140", "98.31", "%", "0.0712", "-", "-"]
    assert last.replace("|", "").split() == ["last", "9", "180", "98.00", "%", "0.0800", "100.00", "%", "1.234e-05"]


def test_a_run_without_an_epoch_has_an_empty_table() -> None:
    text = text_of(results_table({"status": "failed", "best": None, "last": None}))
    assert not {"best", "last"} & set(text.split())


def rows_of_classes(count: int) -> list[dict[str, Any]]:
    return [{"class": f"c{k}", "count": 1, "precision": None, "recall": k / 100, "f1": k / 100} for k in range(count)]


def test_of_many_classes_the_worst_are_shown() -> None:
    text = text_of(per_class_table(rows_of_classes(30)))
    assert "the 20 classes of 30 with the lowest f1" in text
    assert ("c19 " in text, "c20 " in text) == (True, False)
    assert "c19 " in text_of(per_class_table(rows_of_classes(20)))


def test_classes_without_images_are_left_out_and_escapes_are_disarmed() -> None:
    rows = [
        {"class": "gone", "count": 0, "precision": None, "recall": None, "f1": None},
        {"class": "\x1b[2J[red]x[/red]", "count": 1, "precision": 1.0, "recall": 1.0, "f1": 1.0},
    ]
    text = text_of(per_class_table(rows))
    assert "gone" not in text
    assert r"\x1b[2J[red]x[/red]" in text
    assert "\x1b" not in text


def test_evaluation_lists_its_figures() -> None:
    text = text_of(evaluation_table({"count": 360, "top1": 0.5, "loss": 1.0, "macro": {"f1": None}}))
    assert [line.replace("|", "").split() for line in text.splitlines() if "%" in line or "loss" in line or "f1" in line] == [
        ["top1", "50.00", "%"],
        ["loss", "1.0000"],
        ["macro", "f1", "-"],
    ]


def test_average_precision_has_its_column_and_decides_which_classes_are_shown() -> None:
    rows = [{**row, "average_precision": 1 - row["f1"]} for row in rows_of_classes(30)]
    text = text_of(per_class_table(rows))
    assert "the 20 classes of 30 with the lowest average precision" in text
    assert "| class | images | average precision | precision |" in text
    assert ("c29 " in text, "c9 " in text) == (True, False)


def test_numbers_have_their_errors() -> None:
    row = {"target": "age", "mae": 2.5, "rmse": 1234.5, "r2": 0.875}
    assert ["age", "2.500", "1,234", "0.8750"] in [line.replace("|", "").split() for line in text_of(per_target_table([row])).splitlines()]
    text = text_of(per_target_table([{**row, "target": f"t{k}", "r2": float(k)} for k in range(21)]))
    assert "the 20 numbers of 21 with the lowest r2" in " ".join(text.split())
    assert "t20 " not in text


def test_a_terminal_gets_lines_and_colours_and_nobody_else() -> None:
    table, stream = results_table(SUMMARY), io.StringIO()
    show(table, screen=Screen(stream, force_terminal=True, width=120, _environ={"TERM": "xterm"}))
    assert "\x1b[1m" in stream.getvalue()
    assert "─" in stream.getvalue()
    stream = io.StringIO()
    show(table, screen=Screen(stream))
    assert "\x1b[" not in stream.getvalue()
    assert "+--" in stream.getvalue()


def test_show_writes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    show("a [bold]line", results_table(SUMMARY))
    out, err = capsys.readouterr()
    assert out.startswith("a [bold]line\n")
    assert "98.31 %" in out
    assert err == ""


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (percent(0.98314), "98.31 %"),
        (percent(1), "100.00 %"),
        (percent(None), "-"),
        (percent(float("nan")), "-"),
        (loss_text(0.07123), "0.0712"),
        (loss_text(0), "0.0000"),
        (loss_text(0.00012345), "1.234e-04"),
        (loss_text(None), "-"),
        (loss_text(float("inf")), "inf"),
        (metric_text("val/top5", 0.5), "50.00 %"),
        (metric_text("lr", 0.1), "0.1"),
        (metric_text("images_per_second", 1234.5), "1,234"),
        (metric_text("images_per_second", None), "-"),
        (duration(3.21), "3.2 s"),
        (duration(59.96), "1:00"),
        (duration(75), "1:15"),
        (duration(3725), "1:02:05"),
        (duration(None), "-"),
        (size_text((64, 8, 8)), "64x8x8"),
    ],
)
def test_numbers_are_written_for_people(written: str, wanted: str) -> None:
    assert written == wanted
