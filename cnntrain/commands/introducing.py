"""What is about to run, said before it does: data, device, network."""

from cnntrain.commands.building import Parts
from cnntrain.commands.data_sets import image_size_of
from cnntrain.config.progressive import size_at
from cnntrain.data.images import ImageSet
from cnntrain.measures import CLASSIFICATION, MULTILABEL
from cnntrain.model.factory import check_model
from cnntrain.report.console import say
from cnntrain.report.figures import counted
from cnntrain.report.screen import stderr
from cnntrain.report.tables import net_table, show
from cnntrain.report.text import as_text

MOST_NAMED = 5


def introduce(parts: Parts, *, briefly: bool = False) -> str:
    """Say what is about to run: data, device, network; returns the network's table as text.

    Args:
        briefly: for the later runs of a sweep, which have told the same before.
    """
    config, data = parts.config, parts.data
    for note in (*data.notes, *parts.train.notes(), *parts.val.notes()):
        say(note)
    height, width = image_size_of(config.data)
    colour = "gray" if data.channels == 1 else "colour"
    say(
        f"data: {len(data.train):,} training and {len(data.val):,} validation images, {asked_for(data.train)}, "
        f"{colour}, {height}x{width} pixels"
    )
    assert config.epochs is not None
    steps = f"{counted(config.epochs, 'epoch')} of {counted(len(parts.train), 'step')} of {counted(config.batch_size, 'image')}"
    left_out = len(data.train) - parts.train.num_images_per_epoch
    dropped = f" ({counted(left_out, 'image')} left out of each, in turn)" if left_out else ""
    say(f"{steps}{dropped}")
    say(f"on {parts.arithmetic}")
    growth = config.trainer.progressive_size
    if growth is not None:
        first = "x".join(map(str, size_at(0, (height, width), **growth)))
        say(f"training images grow from {first} to {height}x{width} pixels, reached after {growth['until']:.0%} of the training")
    if config.trainer.tta != "none":
        say(f"validation averages over views of each image: trainer.tta={config.trainer.tta}")
    layers = check_model(config.model, in_channels=data.channels, num_classes=parts.task.num_outputs, image_size=(height, width))
    table = net_table(layers, config.model.name)
    if not briefly:
        show(table, screen=stderr())
    return as_text(table)


def asked_for(images: ImageSet) -> str:
    """What the network is asked: 10 classes; 3 labels, any number of them an image; 2 numbers an image: age, height."""
    number = len(images.classes)
    if images.task == CLASSIFICATION:
        return f"{number} classes"
    if images.task == MULTILABEL:
        return f"{counted(number, 'label')}, any number of them an image"
    named = ", ".join(images.classes[:MOST_NAMED]) + (", ..." if number > MOST_NAMED else "")
    return f"{counted(number, 'number')} an image ({named})"
