"""Numbers about predictions: loss, accuracy, per class, confusion."""
