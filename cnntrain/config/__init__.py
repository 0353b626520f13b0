"""From YAML and the command line to checked, typed dataclasses; the only room that knows Hydra."""
