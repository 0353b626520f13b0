"""What `cnntrain train` would do without further words: what a run's configuration is compared with."""

from collections.abc import Mapping
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from cnntrain.config.configs import conf_dir
from cnntrain.config.explain import TOLD
from cnntrain.config.hydra_setup import VERSION_BASE, store_schema
from cnntrain.config.resuming import leaves
from cnntrain.config.schema import TrainConfig
from cnntrain.config.stored import plain

OF_THE_PLACE = ("name", "resume", "dry_run", "data.root", "data.train_dir", "data.val_dir", "data.file")  # say where, not how


def default_config(data: str) -> dict[str, Any]:
    """The configuration of `cnntrain train data=DATA`, as plain data; empty where that name is no packaged one."""
    store_schema("train_schema", TrainConfig)
    before = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(config_dir=str(conf_dir()), **VERSION_BASE):
            composed = hydra.compose(config_name="train", overrides=[f"data={data}"])
            found = OmegaConf.to_container(composed, resolve=True)
    except TOLD:
        return {}
    finally:
        GlobalHydra.instance().hydra = before
    return plain(found) if isinstance(found, dict) else {}


def differences(own: Mapping[str, Any], default: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """(dotted key, value, default) of what differs; None where there is none."""
    mine, theirs = dict(leaves(plain(dict(own)))), dict(leaves(plain(dict(default))))
    keys = [*mine, *(key for key in theirs if key not in mine)]
    return [(key, mine.get(key), theirs.get(key)) for key in keys if key not in OF_THE_PLACE and mine.get(key) != theirs.get(key)]
