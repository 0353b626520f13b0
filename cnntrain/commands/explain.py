"""`cnntrain explain`: a network in numbers, without data and, for shipped parts, without torch."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnntrain.config.command import Command, Job
from cnntrain.config.schema import ExplainConfig
from cnntrain.errors import ConfigError, did_you_mean
from cnntrain.model.explain import explain
from cnntrain.model.layers import NoOutline
from cnntrain.model.outline import Outline, outline


def check(jobs: Sequence[Job]) -> None:
    """Nothing: the job writes only at its end."""


def run(job: Job) -> None:
    """Print the table, the formulas or the JSON; draw the diagram.

    Raises:
        UserError: a layer does not fit, or there is none of that name.
    """
    config = job.config
    assert isinstance(config, ExplainConfig)
    nets = [explained(config)]
    if job.against is not None:
        assert isinstance(job.against.config, ExplainConfig)
        nets.append(explained(job.against.config))
        if config.layer is not None or config.format == "full":
            raise ConfigError("two networks are shown part by part; leave out --against to see their layers with every formula")
    if config.layer is not None:
        nets[0] |= {"layers": named(nets[0], "layers", config.layer), "blocks": named(nets[0], "blocks", config.layer)}
    if config.format == "json":
        print(json.dumps(compared(job, nets) if len(nets) > 1 else nets[0], ensure_ascii=True))
    else:
        tell(config, job, nets)
    if config.diagram is not None:
        draw(config.diagram, nets, quiet=config.format == "json")


def explained(config: ExplainConfig) -> dict[str, Any]:
    """The network as plain data; see model/explain.py."""
    size = config.data.image_size
    height, width = (size, size) if isinstance(size, int) else size
    return explain(network(config, (height, width)))


def network(config: ExplainConfig, image_size: tuple[int, int]) -> Outline:
    """By pencil where every part is known; else torch makes the network on its meta device, and says what does not fit."""
    try:
        return outline(config.model, in_channels=config.data.channels, num_classes=config.num_classes, image_size=image_size)
    except NoOutline:
        from cnntrain.model.watched import watched

        return watched(config.model, in_channels=config.data.channels, num_classes=config.num_classes, image_size=image_size)


def named(net: dict[str, Any], kind: str, asked: str) -> list[dict[str, Any]]:
    """The layers (or blocks) of that name, or below it; model.stages[1] and stages.1 are the same.

    Raises:
        ConfigError: there is no such layer.
    """
    path = asked.removeprefix("model.").replace("[", ".").replace("]", "")
    found = [each for each in net[kind] if f"{each['path']}.".startswith(f"{path}.")]
    if not found and kind == "layers":
        known = [each["path"] for name in ("parts", "blocks", "layers") for each in net[name]]
        near = did_you_mean(path, known, head="layer=")
        raise ConfigError(f"layer={asked}: no such layer; {near if 'mean' in near else 'the table names them all: leave out layer'}")
    return found


def compared(job: Job, nets: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What format=json prints for two networks: both, and their differences."""
    names = ("parameters", "multiply_adds", "activation_bytes")
    this, other = nets
    return {
        "networks": list(nets),
        "settings": differences(job),
        "difference": {name: other["totals"][name] - this["totals"][name] for name in names},
    }


def differences(job: Job) -> list[dict[str, Any]]:
    """[{key, this, against}] of the settings that differ, as the YAML has them."""
    assert job.against is not None
    this, other = flat(job.stored), flat(job.against.stored)
    keys = [key for key in dict.fromkeys([*this, *other]) if this.get(key) != other.get(key) and key != "model.name"]
    return [{"key": key, "this": this.get(key), "against": other.get(key)} for key in keys]


def flat(value: Any, key: str = "") -> dict[str, Any]:
    """{"model.stages.0.block": "residual", ...}."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: dict[str, Any] = {}
    for name, below in items:
        found |= flat(below, f"{key}.{name}" if key else str(name))
    return found or {key: value}


def tell(config: ExplainConfig, job: Job, nets: Sequence[dict[str, Any]]) -> None:
    """The terminal's form."""
    from cnntrain.report.net_formulas import show_beside, show_formulas
    from cnntrain.report.net_text import show_net

    if len(nets) > 1:
        show_beside(nets[0], nets[1], differences(job))
    elif config.layer is not None or config.format == "full":
        show_formulas(nets[0], whole=config.layer is None)
    else:
        show_net(nets[0])


def draw(file: str, nets: Sequence[dict[str, Any]], *, quiet: bool) -> None:
    """Writes the diagram; told on stderr where stdout is for a program."""
    from cnntrain.report.net_diagram import net_figure, write_figure
    from cnntrain.report.screen import stderr, stdout

    path = Path(file)
    if path.is_dir():
        raise ConfigError(f"diagram={file} is a folder; name a file such as {path / 'net.svg'}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_figure(path, net_figure(nets))
    (stderr() if quiet else stdout()).tell(f"written: {path}")


COMMAND = Command(name="explain", config_name="explain", schema=ExplainConfig, check=check, job=run, makes_folder=False, only_tells=True)
