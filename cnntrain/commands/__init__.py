"""One file a command: compose, check, build, run, report."""
