"""Where images come from: folders, or a manifest. No torch."""

from dataclasses import replace

from cnntrain.config.schema import DataConfig
from cnntrain.data.folder import scan_train_val
from cnntrain.data.manifest import scan_manifest
from cnntrain.data.scan import Scan


def scan_data(data: DataConfig, *, seed: int) -> Scan:
    """The training and validation images of a configuration. Nothing is raised: see Scan.usable."""
    scan = scan_manifest(data, seed=seed) if data.name == "manifest" else scan_train_val(data, seed=seed)
    splits = {name: replace(images, max_pixels=data.max_pixels) for name, images in scan.splits.items()}
    return replace(scan, splits=splits)
