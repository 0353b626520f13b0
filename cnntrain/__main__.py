"""`python -m cnntrain` is `cnntrain`."""

import sys

from cnntrain.cli import main

sys.exit(main())
