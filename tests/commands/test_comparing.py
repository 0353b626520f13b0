"""`cnntrain eval checkpoint=RUN against=OTHER`: paired over the same images."""

import csv
import json
from pathlib import Path

import pytest
from html_pages import Page, check_harmless
from tiny_runs import TINY, only_run, write_pictures

from cnntrain.cli import main
from cnntrain.metrics.intervals import exact_sign_test, paired_interval


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, `early` of few steps and `late` of more, on the same images."""
    here = tmp_path_factory.mktemp("runs")
    write_pictures(here / "pictures" / "train", {"a": 8, "b": 8, "c": 8})
    write_pictures(here / "pictures" / "val", {"a": 4, "b": 4, "c": 4})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        patch.setenv("CNNTRAIN_CACHE_DIR", str(here / "cache"))
        for name, epochs in (("early", 1), ("late", 8)):
            assert main(["train", *TINY, f"epochs={epochs}", f"name={name}"]) == 0
            only_run(name).rename(name)
    return here


def test_the_figures_are_those_of_the_pairs_in_the_table(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs)
    assert main(["eval", "checkpoint=late", "against=early", "out=found"]) == 0
    found = json.loads(Path("found/compare-val.json").read_text())
    rows = list(csv.DictReader(Path("found/compare-val.csv").read_text().splitlines()))
    pairs = [(row["first correct"] == "true", row["second correct"] == "true") for row in rows]
    b, c = pairs.count((True, False)), pairs.count((False, True))
    assert (found["count"], found["only_first"], found["only_second"]) == (12, b, c)
    assert found["first"]["top1"] - found["second"]["top1"] == pytest.approx(found["difference"])
    assert found["difference"] == pytest.approx((b - c) / 12)
    assert found["p_value"] == exact_sign_test(b, c)
    assert tuple(found["interval"]) == paired_interval(b, c, 12)
    assert set(found["differ"]) == {row["file"] for row, (one, two) in zip(rows, pairs, strict=True) if one != two}
    page = Page(Path("found/compare-val.html"))
    check_harmless(page)
    groups = page.data["groups"]
    assert isinstance(groups, dict)
    assert len(groups.get("only_first", {"shown": []})["shown"]) == b


def test_runs_of_other_classes_are_refused_by_name(runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(runs)
    if not Path("other").is_dir():
        write_pictures(Path("others") / "train", {"a": 4, "zebra": 4})
        write_pictures(Path("others") / "val", {"a": 2, "zebra": 2})
        assert main(["train", *TINY, "data.root=others", "epochs=1", "name=other"]) == 0
        only_run("other").rename("other")
    assert main(["eval", "checkpoint=late", "against=other"]) == 2
    assert "zebra (only other)" in capsys.readouterr().err
    assert not Path("late/compare-val.json").exists()


def test_the_flag_that_others_would_have_says_what_to_type(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "--compare", "a", "b"]) == 2
    assert "against=OTHER_RUN" in capsys.readouterr().err
