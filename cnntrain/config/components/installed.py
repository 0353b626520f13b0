"""Components of installed packages: an entry point in the group `cnntrain.components` names a module that registers them.

[project.entry-points."cnntrain.components"]
my_blocks = "my_package.blocks"
"""

from functools import cache

from cnntrain.errors import ConfigError

GROUP = "cnntrain.components"


@cache
def load_installed() -> None:
    """Imports what the installed packages name; a second call does nothing.

    Raises:
        ConfigError: one of them fails.
    """
    from importlib.metadata import entry_points  # late: it costs 30 ms

    for point in entry_points(group=GROUP):
        try:
            point.load()
        except Exception as error:
            package = f"the installed package {point.dist.name}" if point.dist is not None else "an installed package"
            reason = f"{type(error).__name__}: {error}".partition("\n")[0]
            raise ConfigError(f"{package} offers components in {point.value}, which fails: {reason}; mend it or uninstall it") from error
