"""Whether two command lines ask for the same run."""

import hashlib
import json
from typing import Any

from cnntrain.config.command import OF_THIS_CALL


def asked_digest(stored: dict[str, Any]) -> str:
    """sha256 of a composed configuration, before the data fills in what is left open."""
    asked = {key: value for key, value in stored.items() if key not in OF_THIS_CALL}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
