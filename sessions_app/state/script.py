from hashlib import sha1
from pathlib import Path


class Script:
    """A Lua script of ours. Redis keeps it by its digest until it is restarted or flushed."""

    def __init__(self, name: str) -> None:
        self.text = Path(__file__).with_name(name).read_text()
        self.digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()
