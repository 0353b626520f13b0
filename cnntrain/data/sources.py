"""Where images come from: folders, a manifest, a known set, or shards. No torch."""

from collections.abc import Callable
from dataclasses import replace

from cnntrain.config.schema import DataConfig
from cnntrain.data.folder import scan_train_val
from cnntrain.data.known_sets import scan_known_set
from cnntrain.data.manifest import scan_manifest
from cnntrain.data.scan import Scan
from cnntrain.data.shards import scan_shards

SCANS: dict[str, Callable[..., Scan]] = {"manifest": scan_manifest, "torchvision": scan_known_set, "webdataset": scan_shards}


def scan_data(data: DataConfig, *, seed: int) -> Scan:
    """The training and validation images of a configuration. Nothing is raised: see Scan.usable."""
    scan = SCANS.get(data.name, scan_train_val)(data, seed=seed)
    splits = {name: replace(images, max_pixels=data.max_pixels) for name, images in scan.splits.items()}
    return replace(scan, splits=splits)
