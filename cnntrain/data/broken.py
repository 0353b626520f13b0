"""What is raised where bytes are no whole picture. No torch."""


class Broken(ValueError):
    """The bytes are no whole picture.

    Args:
        kind: a key of findings.KINDS.
        detail: a few words.
    """

    def __init__(self, kind: str, detail: str):
        super().__init__(detail)
        self.kind, self.detail = kind, detail
