"""`cnntrain eval`: a checkpoint alone rebuilds the network and its preprocessing; a folder is measured with it."""

import csv
import io
import json
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnntrain.commands.kept import Kept
from cnntrain.config.command import Command, Job
from cnntrain.config.schema import DataConfig, EvalConfig
from cnntrain.data.findings import Finding, told
from cnntrain.data.folder import scan_for_eval
from cnntrain.data.images import ImageSet
from cnntrain.data.manifest import scan_manifest_for_eval
from cnntrain.data.scan import Scan
from cnntrain.data.shards import scan_shards_for_eval
from cnntrain.data.sources import scan_data
from cnntrain.errors import ConfigError, DataError
from cnntrain.measures import CLASSIFICATION, OF_TASK

if TYPE_CHECKING:
    from cnntrain.commands.evaluating import Trained


def check(jobs: Sequence[Job]) -> None:
    """Nothing: a checkpoint is read once, by the job, which makes no folder before all is known."""


def run(job: Job) -> float:
    """Measure, print, write eval-SPLIT.json, .csv, a picture and a page; returns top1, map or mae."""
    from cnntrain.commands.evaluating import evaluate_on, read_trained
    from cnntrain.commands.page import evaluation_page
    from cnntrain.report.plots import figure_png
    from cnntrain.report.tables import evaluation_table, show
    from cnntrain.runs.durable import told_plainly, write_atomically

    config = job.config
    assert isinstance(config, EvalConfig)
    trained = read_trained(config.checkpoint, config)
    out = results_folder(config, trained.folder)
    images = images_to_evaluate(config, trained.kept)
    if config.against is not None:
        return run_comparison(config, trained, images, out)
    found = evaluate_on(images, trained, config)
    show(trained.title(images), evaluation_table(found.result), *found.outcomes.tables(found.result))
    with told_plainly(out):
        written = write_results(out, f"eval-{images.split}", found.result, [["file", *found.outcomes.header], *found.rows])
        picture = found.outcomes.figure(found.totals)
        if picture is not None:
            written.append(written[0].with_name(f"{written[0].stem}-{found.outcomes.picture}.png"))
            written[-1].unlink(missing_ok=True)  # a link there would lead elsewhere
            figure_png(written[-1], picture)
        if config.report:
            written.append(written[0].with_suffix(".html"))
            write_atomically(written[-1], evaluation_page(found, table=written[1].name))
    show("written: " + ", ".join(str(path) for path in written))
    return float(found.result[OF_TASK[images.task][0]])


def run_comparison(config: EvalConfig, first: "Trained", images: ImageSet, out: Path) -> float:
    """Print, write compare-SPLIT.json, .csv and a page; returns the difference, first - second."""
    from cnntrain.commands.comparing import compare
    from cnntrain.commands.comparison_page import comparison_page
    from cnntrain.commands.evaluating import read_trained
    from cnntrain.report.comparison import comparison_table, verdict
    from cnntrain.report.tables import show
    from cnntrain.runs.durable import told_plainly, write_atomically

    assert config.against is not None
    found = compare(images, first, read_trained(config.against, config, key="against"), config)
    show(
        f"first:  {found.first.trained.title(images)}",
        f"second: {found.second.trained.title(images)}",
        comparison_table(found.result),
        verdict(found.result),
    )
    with told_plainly(out):
        written = write_results(out, f"compare-{images.split}", found.result, [found.header, *found.rows])
        if config.report:
            written.append(written[0].with_suffix(".html"))
            write_atomically(written[-1], comparison_page(found, table=written[1].name))
    show("written: " + ", ".join(str(path) for path in written))
    return float(found.result["difference"] or 0.0)


def images_to_evaluate(config: EvalConfig, kept: Kept) -> ImageSet:
    """The images, after what there is to say of them is said."""
    from cnntrain.report.console import say

    images, findings = find_images(config, kept)
    for note in told(findings):
        say(note)
    return replace(images, max_pixels=kept.data_config.max_pixels)


def find_images(config: EvalConfig, kept: Kept) -> tuple[ImageSet, list[Finding]]:
    """What was asked for; without a folder or manifest, the split of the training run, found again as training found it."""
    trained_on, given, task = kept.data_config, config.data, kept.task["name"]
    split = config.split or trained_on.val_split
    if given.file is not None:
        data = replace(trained_on, file=given.file, root=given.root or str(Path(given.file).parent), task=task)
        return only_split(scan_manifest_for_eval(data, split=split, classes=kept.classes))
    if task != CLASSIFICATION and (given.root, given.val_dir, given.shards) != (None, None, None):
        raise ConfigError(f"checkpoint={config.checkpoint} was trained on a manifest ({task}); give one by data.file=FILE.csv")
    if given.shards is not None:
        return only_split(scan_shards_for_eval(given.shards, split=split, classes=kept.classes))
    if given.val_dir is not None:
        return only_split(scan_for_eval(Path(given.val_dir), split=split, classes=kept.classes))
    if given.root is not None:
        return only_split(scan_for_eval(Path(given.root) / split, split=split, classes=kept.classes))
    if split in (trained_on.train_split, trained_on.val_split) and not has_folders(trained_on):
        scan = scan_data(trained_on, seed=kept.seed).usable()
        train, val = scan.pair()
        if list(train.classes) != kept.classes:
            raise DataError(f"{train.directory} has other classes now than the run was trained with; name a folder by data.val_dir=DIR")
        return (train if split == trained_on.train_split else val), scan.findings
    if trained_on.name == "manifest":
        return only_split(scan_manifest_for_eval(trained_on, split=split, classes=kept.classes))
    own = {trained_on.train_split: trained_on.train_dir, trained_on.val_split: trained_on.val_dir}.get(split)
    return only_split(scan_for_eval(Path(own or Path(trained_on.root) / split), split=split, classes=kept.classes))


def has_folders(data: DataConfig) -> bool:
    """Whether training and validation images are all that lies in folders of their own; else they were parted by the seed."""
    parted = data.name in ("manifest", "torchvision", "webdataset") or data.folds is not None or data.limit is not None
    return not parted and (data.val_dir is not None or (Path(data.root) / data.val_split).is_dir())


def only_split(scan: Scan) -> tuple[ImageSet, list[Finding]]:
    (images,) = scan.usable().splits.values()
    return images, scan.findings


def results_folder(config: EvalConfig, checkpoint: Path) -> Path:
    """out=DIR, else the run folder of the checkpoint (RUN/checkpoints/step_*).

    Raises:
        ConfigError: nothing can be written there, which is better known before the evaluation than after it.
    """
    folder = Path(config.out) if config.out is not None else checkpoint.parent.parent
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ConfigError(f"{folder}: results cannot be written there; give another folder by out=DIR")
    return folder


def write_results(folder: Path, stem: str, result: dict[str, Any], rows: list[list[str]]) -> list[Path]:
    """STEM.json and .csv; STEM-2.* where other results of that name lie there already."""
    from cnntrain.runs.durable import finite_or_null, write_atomically

    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(rows)
    texts = {".json": json.dumps(finite_or_null(result), indent=1) + "\n", ".csv": table.getvalue()}
    folder.mkdir(parents=True, exist_ok=True)
    stem = free_stem(folder, re.sub(r"[^\w.-]", "_", stem), texts)  # from a checkpoint it may be `../x`
    for ending, text in texts.items():
        write_atomically(folder / f"{stem}{ending}", text.encode("utf-8", "surrogateescape"))  # file names may be no UTF-8
    return [folder / f"{stem}{ending}" for ending in texts]


def free_stem(folder: Path, stem: str, texts: dict[str, str]) -> str:
    """The first of STEM, STEM-2, STEM-3 ... whose files are absent or the same."""
    number, candidate = 1, stem
    while any(differs(folder / f"{candidate}{ending}", text) for ending, text in texts.items()):
        number += 1
        candidate = f"{stem}-{number}"
    return candidate


def differs(path: Path, text: str) -> bool:
    return os.path.lexists(path) and (path.is_symlink() or path.read_bytes() != text.encode("utf-8", "surrogateescape"))


COMMAND = Command(name="eval", config_name="eval", schema=EvalConfig, check=check, job=run, claim=None, finish=None, makes_folder=False)
