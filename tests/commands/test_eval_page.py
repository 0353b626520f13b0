"""eval-SPLIT.html: whole, harmless whatever things are called, and nothing in it asks for anything outside."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from html_pages import Page, check_harmless
from tiny_runs import TINY, Run, only_run, write_pictures

from cnntrain.cli import main

HOSTILE = ["</script><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "\u202egnp.tac", "\x1b[2J{{ 7 * 7 }}", "שלום"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures/ and run/, one of whose pictures cannot be read."""
    here = tmp_path_factory.mktemp("trained")
    write_pictures(here / "pictures" / "train", {"a": 8, "b": 8, "c": 8})
    write_pictures(here / "pictures" / "val", {"a": 4, "b": 4, "c": 4})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        patch.setenv("CNNTRAIN_CACHE_DIR", str(here / "cache"))
        assert main(["train", *TINY]) == 0
        only_run().rename("run")
    (here / "pictures" / "val" / "a" / "<b>bad.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    return here


@pytest.fixture
def run(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(trained)
    return Path("run")


def test_the_page_is_whole_asks_for_nothing_and_comes_out_the_same_again(run: Path) -> None:
    assert main(["eval", f"checkpoint={run}"]) == 0
    page, numbers = Page(run / "eval-val.html"), (run / "eval-val.json").read_bytes()
    check_harmless(page)
    ids = {attributes.get("id") for _, attributes in page.tags}
    assert {"summary", "curves", "confusion", "classes", "pictures", "calibration", "looks", "inside", "data-part", "run"} <= ids
    assert "model.stages" in page.raw  # the configuration, and how it differs
    assert "1 image could not be read and is left out: all figures are over 12 of 13." in page.raw
    assert "&lt;b&gt;bad.png" in page.raw
    check_cells(page, run)
    found = json.loads(numbers)
    low, high = found["intervals"]["top1"]
    assert 0 <= low <= found["top1"] <= high <= 1
    assert 0 <= found["calibration_error"] <= 1
    assert main(["eval", f"checkpoint={run}"]) == 0
    assert (run / "eval-val.html").read_text() == page.raw
    assert main(["eval", f"checkpoint={run}", "report=false", "out=bare"]) == 0
    assert Path("bare/eval-val.json").read_bytes() == numbers
    assert not Path("bare/eval-val.html").exists()


def check_cells(page: Page, run: Path) -> None:
    """A cell opens exactly the pictures that the table of predictions puts there."""
    data: Any = page.data
    cells: dict[str, set[str]] = {}
    for row in csv.DictReader((run / "eval-val.csv").read_text().splitlines()):
        cells.setdefault(f"{'abc'.index(row['true'])}:{'abc'.index(row['predicted'])}", set()).add(row["file"])
    groups = {key: group for key, group in data["groups"].items() if not key.startswith("class")}
    assert {key: {data["images"][str(n)][0] for n in group["shown"]} for key, group in groups.items()} == cells
    assert all(group["more"] == 0 and not group["named"] for group in groups.values())
    assert len(data["shots"]) == 12


def manifest(here: Path, labels: list[str], **columns: str) -> None:
    write_pictures(here / "set", {"p": 24})
    with (here / "set" / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split"])
        writer.writerows([f"p/{n}.png", labels[n % len(labels)], "val" if n % 4 == 3 else "train"] for n in range(24))


FROM_TABLE = [word for word in TINY if not word.startswith(("data=", "data.root"))] + ["data=manifest", "data.file=set/labels.csv"]


def test_names_stay_names_whatever_they_hold(here: Path) -> None:
    manifest(here, HOSTILE)
    assert main(["train", *FROM_TABLE, "data.task=classification"]) == 0
    assert main(["eval", f"checkpoint={only_run()}"]) == 0
    page = Page(only_run() / "eval-val.html")
    check_harmless(page)
    assert not any("onerror" in attributes for _, attributes in page.tags)
    assert len([text for text in page.texts["script"] if "alert(1)" in text and not text.startswith("{")]) == 0
    assert not set(page.raw) & {"\u202e", "\x1b"}
    assert "49" not in [attributes.get("title") for _, attributes in page.tags]  # no template is made of a name
    assert "<bdi>שלום</bdi>" in page.raw


def test_several_labels_have_a_page_of_their_own(here: Path) -> None:
    manifest(here, ["cat|dog", "dog", "<i>cat"])
    assert main(["train", *FROM_TABLE, "data.task=multilabel"]) == 0
    assert main(["eval", f"checkpoint={only_run()}"]) == 0
    page = Page(only_run() / "eval-val.html")
    check_harmless(page)
    found = json.loads((only_run() / "eval-val.json").read_text())
    assert 0 <= found["all_right"] <= 1
    groups = page.data["groups"]
    assert {f"{k}:{kind}" for k in range(3) for kind in ("found", "missed", "said")} <= set(groups)


def test_numbers_have_a_page_of_their_own(here: Path) -> None:
    manifest(here, ["1", "2.5", "7"])
    assert main(["train", *FROM_TABLE, "data.task=regression"]) == 0
    assert main(["eval", f"checkpoint={only_run()}"]) == 0
    page = Page(only_run() / "eval-val.html")
    check_harmless(page)
    low, high = json.loads((only_run() / "eval-val.json").read_text())["intervals"]["mae"]
    assert low <= high
    assert "Predicted against true" in page.raw


@pytest.mark.slow
def test_a_network_without_maps_has_a_page_without_heat(train: Run) -> None:
    assert train("model=mlp", "model.stages=[]") == 0
    assert main(["eval", f"checkpoint={only_run()}"]) == 0
    page = Page(only_run() / "eval-val.html")
    check_harmless(page)
    ids = {attributes.get("id") for _, attributes in page.tags}
    assert "looks" not in ids
    assert "First weights" in page.raw
