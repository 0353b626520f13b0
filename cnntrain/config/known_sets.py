"""The data sets that torchvision downloads and cnntrain reads where they lie, with the side of their images in pixels."""

KNOWN_SETS = {"MNIST": 28, "FashionMNIST": 28, "KMNIST": 28, "CIFAR10": 32, "CIFAR100": 32}


def side_of(name: str | None) -> int:
    """`${side_of:${data.dataset}}` in YAML; of a set that is not known any number, since the rules refuse it."""
    return KNOWN_SETS.get(str(name), 32)
