"""Formulas with their numbers, shortcuts with their reasons, warnings: worked out by hand."""

import json
from typing import Any

import pytest

from cnntrain.config.schema import ModelConfig
from cnntrain.model.explain import explain
from cnntrain.model.outline import outline

LINEAR = {"type": "linear"}


def net(*stages: dict[str, Any], image: tuple[int, int] = (32, 32), channels: int = 3, classes: int = 10, **keys: Any) -> dict[str, Any]:
    keys = {"stem": {"type": "none"}, "head": LINEAR, **keys}
    return explain(outline(ModelConfig(stages=list(stages), **keys), in_channels=channels, num_classes=classes, image_size=image))


def layer(found: dict[str, Any], path: str) -> dict[str, Any]:
    return next(each for each in found["layers"] if each["path"] == path)


def warned(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(warning["kind"], warning["path"]) for warning in found["warnings"]]


def imagenet_stem() -> dict[str, Any]:
    pool = {"type": "max", "kernel_size": 3, "stride": 2, "padding": 1}
    return net(
        image=(224, 224), stem={"type": "conv", "out_channels": 64, "kernel_size": 7, "stride": 2, "pool": pool}, head={"type": "linear"}
    )


def test_a_convolutions_numbers_stand_in_its_formulas() -> None:
    conv = layer(imagenet_stem(), "stem.conv")
    assert conv["size_formula"] == "floor((224 + 2*3 - 7) / 2) + 1 = 112"
    assert conv["parameters_formula"] == "7*7*3*64 = 9,408"
    assert conv["multiply_adds_formula"] == "7*7*3*64*112*112 = 118,013,952"
    assert conv["activation_bytes"] == 4 * 64 * 112 * 112
    # 150,528 inputs times 802,816 outputs
    assert conv["fully_connected"] == {"parameters": 120_846_286_848, "multiply_adds": 120_846_286_848}
    assert (conv["kernel_size"], conv["stride"], conv["padding"], conv["dilation"], conv["groups"]) == (7, 2, 3, 1, 1)


def test_dilation_groups_bias_and_two_axes_in_formulas() -> None:
    found = net(
        {"block": "conv", "out_channels": 6, "kernel_size": [3, 5], "dilation": 2, "groups": 3, "norm": "none", "padding": 0}, image=(9, 12)
    )
    conv = layer(found, "stages.0.blocks.0.conv")
    # a 3x3 kernel with dilation 2 reaches 5 rows, one of 5 reaches 9 columns
    assert (
        conv["size_formula"] == "floor((9 + 2*0 - (2*(3 - 1) + 1)) / 1) + 1 = 5 high, floor((12 + 2*0 - (2*(5 - 1) + 1)) / 1) + 1 = 4 wide"
    )
    assert conv["output_shape"] == [6, 5, 4]
    assert conv["kernel_size"] == [3, 5]
    assert conv["receptive_field"] == [5, 9]
    assert conv["parameters_formula"] == "3*5*(3/3)*6 + 6 = 96"
    assert conv["multiply_adds"] == 3 * 5 * 1 * 6 * 5 * 4
    assert conv["fully_connected"] == {"parameters": 324 * 120 + 120, "multiply_adds": 324 * 120}


def test_norms_linear_layers_and_pooling_have_formulas_too() -> None:
    found = imagenet_stem()
    assert layer(found, "stem.norm")["parameters_formula"] == "2*64 = 128"
    assert layer(found, "stem.norm")["multiply_adds_formula"] is None
    assert layer(found, "head.pool")["size_formula"] == "one mean of 56*56 positions for each of 64 channels"
    assert layer(found, "head.flatten")["size_formula"] == "64*1*1 = 64"
    assert layer(found, "head.linear")["parameters_formula"] == "64*10 + 10 = 650"
    assert layer(found, "head.linear")["multiply_adds_formula"] == "64*10 = 640"


def test_a_relu_in_place_takes_no_memory_of_its_own() -> None:
    found = net({"block": "conv", "out_channels": 4}, image=(8, 8))
    assert [layer(found, f"stages.0.blocks.0.{name}")["activation_bytes"] for name in ("conv", "norm", "act")] == [1024, 1024, 0]


@pytest.mark.parametrize(
    ("keys", "border", "pixels"),
    [
        ({"kernel_size": 2, "stride": 2, "padding": 0}, 1, 1),  # 9 rows: 4 windows of 2, the 9th row is left over
        ({"kernel_size": 3, "stride": 2, "padding": 1}, 0, 0),  # 11 padded rows: 5 windows at 0, 2, 4, 6, 8
        ({"kernel_size": 2, "stride": 2, "padding": 1}, 1, 0),  # 11 padded rows: the 11th is padding
        ({"kernel_size": 1, "stride": 4, "padding": 0}, 0, 0),  # windows at 0, 4, 8
    ],
)
def test_what_the_floor_drops(keys: dict[str, int], border: int, pixels: int) -> None:
    conv = layer(net({"block": "conv", "out_channels": 4, **keys}, image=(9, 9)), "stages.0.blocks.0.conv")
    assert (conv["dropped_border"], conv["dropped_pixels"]) == (border, pixels)


def test_each_shortcut_says_why_it_is_what_it_is() -> None:
    found = net(
        {"block": "residual", "out_channels": 8, "num_blocks": 2, "stride": 2},
        {"block": "residual", "out_channels": 12, "stride": 2, "shortcut": "zero_pad"},
        {"block": "residual", "out_channels": 12, "shortcut": "projection"},
        {"block": "conv", "out_channels": 12},
    )
    assert [(block["path"], block["shortcut"]) for block in found["blocks"]] == [
        ("stages.0.blocks.0", "projection"),
        ("stages.0.blocks.1", "identity"),
        ("stages.1.blocks.0", "zero_pad"),
        ("stages.2.blocks.0", "projection"),
        ("stages.3.blocks.0", None),
    ]
    why = [block["why"] for block in found["blocks"]]
    assert why[0] == "3 channels become 8 and stride 2 shrinks the map: a 1x1 convolution brings the input to the sum's shape"
    assert why[1] == "8 channels and stride 1 keep the shape, so the input is added as it is"
    assert why[2] == (
        "8 channels become 12 and stride 2 shrinks the map: the input of every 2nd row and column is added, with 4 channels of zeros"
    )
    assert why[3] == "shortcut projection asks for a 1x1 convolution even where the shape stays"
    assert why[4] is None


def test_parts_add_up_to_the_totals() -> None:
    found = net({"block": "residual", "out_channels": 8, "num_blocks": 2}, {"block": "conv", "out_channels": 8, "stride": 2})
    for name in ("parameters", "multiply_adds", "activation_bytes"):
        assert sum(part[name] for part in found["parts"]) == found["totals"][name]
    assert [part["path"] for part in found["parts"]] == ["stages.0", "stages.1", "head"]
    assert found["parts"][0]["num_blocks"] == 2


def test_it_is_plain_data() -> None:
    found = net({"block": "residual", "out_channels": 8})
    assert json.loads(json.dumps(found)) == found


WIDE = {"block": "conv", "out_channels": 64}


@pytest.mark.parametrize(
    ("found", "kind", "path", "words"),
    [
        (net({"block": "conv", "out_channels": 8, "num_blocks": 3}, WIDE, image=(6, 6)), "sees_more_than_the_image",
         "stages.0.blocks.2.conv", "one position sees 7 pixels, more than the 6 of the image: what follows only mixes what it knows"),
        (net({"block": "conv", "out_channels": 8, "num_blocks": 3}, image=(6, 6)), "sees_more_than_the_image",
         "stages.0.blocks.2.conv", "usual in the last stage"),
        (net({"block": "conv", "out_channels": 8}, image=(64, 64)), "sees_little_of_the_image", "stages.0.blocks.0.conv",
         "see 3 of the image's 64 pixels"),
        (net({"block": "conv", "out_channels": 8, "stride": 4}, {"block": "conv", "out_channels": 8}, WIDE, image=(4, 4)),
         "works_on_one_position", "stages.1.blocks.0.conv",
         "its map is 1x1 already before the last stage: 8 of the 9 weights of each kernel meet only padding"),
        (net({"block": "conv", "out_channels": 8}, {"block": "conv", "out_channels": 512}, image=(8, 8), classes=2),
         "holds_most_parameters", "stages.1", "are here: halving model.stages.1.out_channels leaves a quarter"),
        (net({"block": "conv", "out_channels": 8}, head={"type": "mlp", "pool": "none"}), "holds_most_parameters", "head",
         "its first layer has a weight for each position of the 32x32 map"),
        (net({"block": "conv", "out_channels": 20}), "channels_do_not_divide", "stages.0.blocks.0.conv",
         "20 channels do not divide by 8: a GPU computes them like 24"),
        (net({"block": "conv", "out_channels": 8, "pool": {"type": "max"}}, image=(15, 32)), "drops_the_border", "stages.0.blocks.0.pool",
         "the floor drops 1 row of its 15x32 map"),
        (net({"block": "conv", "out_channels": 8, "kernel_size": 1, "stride": 2}), "skips_positions", "stages.0.blocks.0.conv",
         "it never looks at 3 of 4 positions"),
        (net({"block": "conv", "out_channels": 8, "num_blocks": 21}), "is_deep_without_shortcuts", "stages",
         "21 convolutions without a shortcut"),
        (net({"block": "conv", "out_channels": 8, "norm": "group"}), "normalises_over_the_map", "stages.0.blocks.0.norm",
         "taken over the whole map"),
    ],
)  # fmt: skip
def test_a_warning_teaches(found: dict[str, Any], kind: str, path: str, words: str) -> None:
    assert (kind, path) in warned(found)
    assert any(words in warning["message"] for warning in found["warnings"] if warning["kind"] == kind)


def test_a_sound_network_is_warned_of_nothing() -> None:
    # sees 3 + 2*2 + 2*2 + 4*2 = 19 of 24 pixels, its largest stage holds less than 90 %, all maps halve evenly
    found = net(
        {"block": "residual", "out_channels": 16},
        {"block": "residual", "out_channels": 16, "stride": 2},
        stem={"type": "conv", "out_channels": 16},
        image=(24, 24),
    )
    assert found["warnings"] == []
