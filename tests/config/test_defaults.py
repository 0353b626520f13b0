"""What a run's configuration is compared with."""

from cnntrain.config.defaults import default_config, differences


def test_the_defaults_are_those_of_the_data_at_hand() -> None:
    digits, folder = default_config("digits"), default_config("folder")
    assert (digits["epochs"], digits["data"]["image_size"]) == (30, 8)
    assert (folder["epochs"], folder["batch_size"]) == (None, 32)
    assert default_config("nothing of that name") == {}


def test_differences_name_key_value_and_default() -> None:
    own = {"epochs": 3, "data": {"root": "/elsewhere", "limit": None}, "optimizer": {"type": "sgd", "lr": 0.1}, "new": (1, 2)}
    default = {"epochs": 30, "data": {"root": "data", "limit": None}, "optimizer": {"type": "sgd", "lr": 0.1, "nesterov": True}}
    assert differences(own, default) == [("epochs", 3, 30), ("new", [1, 2], None), ("optimizer.nesterov", None, True)]
