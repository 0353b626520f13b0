"""Rules between the settings of `explain`."""

from pathlib import Path

from cnntrain.config.model_schema import ExplainConfig

DIAGRAMS = (".svg", ".png")


def explain_rules(config: ExplainConfig) -> list[str]:
    """All faults between the settings of `explain`."""
    faults = []
    if config.diagram is not None and Path(config.diagram).suffix.lower() not in DIAGRAMS:
        faults.append(f"diagram={config.diagram} must end in {' or '.join(DIAGRAMS)}, such as diagram=net.svg")
    if config.model.zero_init_residual:
        faults.append("model.zero_init_residual=true has no effect here: no weights are made; leave it out")
    if config.layer is not None and config.diagram is not None:
        faults.append("layer has no effect on a diagram, which shows the whole network; leave one of them out")
    return faults
