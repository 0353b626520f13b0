"""`cnntrain data check`: everything that can be wrong with a folder, manifest or shards of images, in one report."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cnntrain.config.command import Command, Job
from cnntrain.config.rules import source_name
from cnntrain.config.schema import DataCheckConfig, DataConfig
from cnntrain.data.findings import KINDS, Finding, refusals, strictly, verdict_of
from cnntrain.data.images import ImageSet
from cnntrain.data.scan import Scan
from cnntrain.data.sources import scan_data
from cnntrain.errors import DataError


def check(jobs: Sequence[Job]) -> None:
    """Nothing: the job is a check, and what it finds is its result."""


def run(job: Job) -> None:
    """Look at every file, print the report.

    Raises:
        DataError: training would refuse; the report on stdout says why, and so does the error with format=json.
    """
    from cnntrain.report.check_report import ProgressLine, show_check

    config = job.config
    assert isinstance(config, DataCheckConfig)
    data = config.data
    scan = scan_data(DataConfig(**asdict(replace(data, name=source_name(data)))), seed=0)
    named = Path(data.file or data.train_shards or data.root)
    with ProgressLine("images") as progress:
        found, num_bad = examined(scan, progress, absolute=named.is_absolute())
    findings = scan.findings + (strictly(found) if config.data.strict else found)
    result = report(scan, findings, num_bad)
    if config.format == "json":
        print(json.dumps(result, ensure_ascii=True))
    else:
        show_check(result, KINDS)
    if result["verdict"] == "refuse":
        raise DataError(refusals(findings) if config.format == "json" else [])


def examined(scan: Scan, progress: Callable[[int, int], None], *, absolute: bool) -> tuple[list[Finding], dict[str, int]]:
    """What the files say, and how many of each split cannot be read.

    Raises:
        Interrupted: Ctrl-C; what is known by then is kept.
    """
    from cnntrain.data import facts
    from cnntrain.data.examine import file_findings
    from cnntrain.engine.signals import Signals

    sets: dict[str, tuple[ImageSet, facts.Facts]] = {}
    with Signals() as signals:
        for split, images in scan.splits.items():
            known = facts.load(images)
            facts.examine_unknown(images, known, progress, signals.check)
            sets[split] = (images, known)
        found = file_findings(sets, absolute=absolute)
        signals.check()
    return found, {split: len(known.bad()) for split, (_, known) in sets.items()}


def report(scan: Scan, findings: list[Finding], num_bad: dict[str, int]) -> dict[str, Any]:
    """What format=json prints: used, left out and bad add up to what lies there."""
    counts = {
        split: {"used": len(images) - num_bad[split], "left_out": scan.left_out.get(split, 0), "bad": num_bad[split]}
        for split, images in scan.splits.items()
    }
    return {"verdict": verdict_of(findings), "counts": counts, "findings": [each.plain() for each in findings]}


COMMAND = Command(
    name="data check",
    config_name="data_check",
    schema=DataCheckConfig,
    check=check,
    job=run,
    makes_folder=False,
    keys_for={"data": "data.name"},
)
