"""Secrets that Concierge makes for itself: files in the data directory that only their owner can read."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def own_secret_key(data_dir: Path) -> str:
    """The embedded server's SECRET_KEY: made on first use, the same ever after."""
    path = data_dir / "secret-key"
    try:
        with suppress(FileExistsError):
            write_private(path, secrets.token_urlsafe(48))
        return path.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(f"CONCIERGE_DATA_DIR {data_dir} cannot be used: {error.strerror}") from None


def write_private(path: Path, text: str) -> None:
    """Write a new file of mode 0600, whole or not at all.

    Two processes may start at once: the text is linked into place only when it is complete, and the
    first one wins. Raises: FileExistsError if there is one already.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink()
