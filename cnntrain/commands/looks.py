"""For the page of an evaluation: where the network looked, and what lies inside it."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from cnntrain.commands.building import Rebuilt
from cnntrain.commands.review import Review
from cnntrain.data.shown import as_shown
from cnntrain.engine import attribution
from cnntrain.engine.insight import feature_maps, first_kernels, grad_cam
from cnntrain.report.page.pictures import heat_over, kernel_sheet, map_sheet, thumbnail
from cnntrain.report.page.text import name, plain, sentence

MOST_LOOKS = 12
MOST_ATTRIBUTIONS = 6  # each costs 32 passes forward and back
SIDE = 128  # pixels
MOST_MAPS, MAP_SIDE = 16, 72
MOST_KERNELS, KERNEL_SIDE = 64, 40
GRAD_CAM = "Bright is where the last feature maps of four rows or more speak for that output (Grad-CAM); dark parts were not needed for it."
GRADIENTS = "Beside it, the pixels that speak for or against what was said (integrated gradients)."


def looks_content(network: Rebuilt, review: Review, answers: Any, at: Mapping[int, int]) -> dict[str, Any] | None:
    """Heat maps of the first images of each ranking; None where the network has no map to look at."""
    chosen = chosen_inputs(review)
    if not chosen:
        return None
    numbers, inputs = list(chosen), torch.stack(list(chosen.values()))
    asked = [review.asked(answers, at[number]) for number in numbers]
    rounds = max(map(len, asked))
    model = network.model.eval()
    heats = []
    for turn in range(rounds):  # first what was said, then what is true
        outputs = torch.tensor([each[min(turn, len(each) - 1)][0] for each in asked])
        heats.append(grad_cam(model, inputs, outputs, network.arithmetic))
    said = torch.tensor([each[0][0] for each in asked])[:MOST_ATTRIBUTIONS]
    pixels = None
    if attribution.is_installed():
        pixels = attribution.as_heat(
            attribution.integrated_gradients(model, inputs[:MOST_ATTRIBUTIONS], said, network.arithmetic)[0]
        ).numpy()
    if heats[0] is None and pixels is None:
        return None
    rows = []
    for place, (number, picture) in enumerate(zip(numbers, as_shown(inputs, review.steps), strict=True)):
        file, words = review.images.files[number], answers.caption(at[number], review.names)
        shots = [(thumbnail(picture, SIDE), f"{plain(file)}: {words}", "the picture")]
        for (_, label), heat in zip(asked[place], heats, strict=False):
            if heat is not None:
                alt = f"What speaks for {plain(label)} in {plain(file)}"
                shots.append((heat_over(picture, heat[place].numpy(), SIDE), alt, sentence("for {}", name(label, 40))))
        if pixels is not None and place < len(pixels):
            alt = f"Pixels that count for {plain(asked[place][0][1])} in {plain(file)}"
            shots.append((heat_over(picture, pixels[place], SIDE), alt, "pixel by pixel"))
        rows.append({"file": file, "said": answers.html_caption(at[number], review.names), "shots": shots})
    return {
        "rows": rows,
        "columns": max(3, *(len(row["shots"]) for row in rows)),
        "said": f"{GRAD_CAM} {GRADIENTS}" if pixels is not None else GRAD_CAM,
    }


def chosen_inputs(review: Review) -> dict[int, Tensor]:
    """The network's inputs of the first images of the rankings, each ranking in turn."""
    chosen: dict[int, Tensor] = {}
    rankings = [ranking.best for ranking in review.best.values()]
    for place in range(max(map(len, rankings), default=0)):
        for best in rankings:
            if place < len(best) and len(chosen) < MOST_LOOKS:
                assert isinstance(best[place][2], Tensor), best[place]
                chosen.setdefault(best[place][1], best[place][2])  # type: ignore[arg-type]
    return chosen


def inside_content(network: Rebuilt, review: Review) -> dict[str, Any] | None:
    """The first kernels, and the first chosen picture's way through stem and stages."""
    chosen = chosen_inputs(review)
    if not chosen:
        return None
    number, image = next(iter(chosen.items()))
    model = network.model.eval()
    kernels = first_kernels(model, (image.shape[0], image.shape[1], image.shape[2]))
    maps = feature_maps(model, image, network.arithmetic)
    if kernels is None and not maps:
        return None
    shot = thumbnail(as_shown(image[None], review.steps)[0], SIDE)
    file = review.images.files[number]
    steps = [{"name": "the picture", "said": "as the network gets it", "shot": shot, "alt": plain(file)}]
    for part in maps:
        channels, height, width = part.maps.shape
        strongest = part.maps.abs().mean((1, 2)).argsort(descending=True, stable=True)[:MOST_MAPS].sort().values
        few = f"the {len(strongest)} strongest of " if len(strongest) < channels else ""
        said = f"{few}{channels} maps of {width} x {height}"
        shot = map_sheet(part.maps[strongest].numpy(), MAP_SIDE)
        steps.append({"name": part.name, "said": said, "shot": shot, "alt": f"{part.name}: {said}"})
    return {
        "kernels": kernel_content(kernels, image.shape[0]),
        "maps": steps if len(steps) > 1 else [],
        "maps_said": sentence("{}: each map from its own smallest value (dark) to its largest (bright).", name(file)),
    }


def kernel_content(kernels: Any, channels: int) -> dict[str, Any] | None:
    if kernels is None:
        return None
    total, _, height, width = kernels.weights.shape
    shown = kernels.weights[:MOST_KERNELS].numpy()
    few = f"the first {len(shown)} of " if len(shown) < total else ""
    what = f"{few}{total} kernels of {width} x {height}" if kernels.is_conv else f"{few}{total} units, each with a weight for every pixel"
    colours = "in the picture's own colours, gray is 0" if channels == 3 and kernels.weights.shape[1] == 3 else "blue below 0, red above"
    title = "First kernels" if kernels.is_conv else "First weights"
    advice = "Edges and blobs of colour are a good sign; noise asks for longer training or more weight decay."
    said = f"{kernels.path}: {what}, {colours}. {advice}"
    return {"title": title, "said": said, "shot": kernel_sheet(shown, KERNEL_SIDE), "alt": f"{kernels.path}: {what}"}
