"""The files that workers count in, so that whichever of them is asked tells what all of them counted.

prometheus_client reads where they are from the environment, when it is imported: so they are named before a
worker starts, and a worker makes room in its own before anything is imported that counts.
"""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

logger = logging.getLogger(__name__)

WHERE = "PROMETHEUS_MULTIPROC_DIR"
ROOM = 1024 * 1024
"""Bytes of each file: about 4000 series. One that needs more grows."""
COUNTED = ("counter", "histogram")
KINDS = (*COUNTED, "gauge_livesum", "gauge_liveall", "gauge_livemax")
THE_DEAD = "of-the-dead"
"""In place of a process id: where the sums are of those that are gone."""


def new_directory() -> "TemporaryDirectory[str]":
    """For workers that are started from now on. Nobody else may look into it. Raises: OSError."""
    directory = TemporaryDirectory(prefix="concierge-metrics-", ignore_cleanup_errors=True)
    os.environ[WHERE] = directory.name
    for kind in COUNTED:
        make_room(file_of(kind, THE_DEAD))
    return directory


def file_of(kind: str, process: object) -> Path:
    return Path(os.environ[WHERE], f"{kind}_{process}.db")


def make_room(path: Path) -> None:
    """They are written through memory: where the disk is full by then, the kernel kills who writes.

    Raises: OSError.
    """
    with path.open("ab") as file:
        if hasattr(os, "posix_fallocate"):  # macOS has none
            os.posix_fallocate(file.fileno(), 0, ROOM)


def reserve() -> None:
    """In a new worker: its files. One that finds no room counts in its own memory, and serves all the same."""
    if WHERE not in os.environ:
        return
    own = [file_of(kind, os.getpid()) for kind in KINDS]
    try:
        for path in own:
            make_room(path)
    except OSError as error:
        logger.error("What this worker counts will be missing in /metrics: %s", error)  # noqa: TRY400
        for path in own:
            path.unlink(missing_ok=True)
        del os.environ[WHERE]


def bury(pid: object) -> None:
    """In the parent: a worker has ended. What it counted is added to what others left; its other figures go.

    So there are never more files than workers, however many came and went.
    """
    if WHERE not in os.environ:
        return
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid)
    for kind in COUNTED:
        if (left := file_of(kind, pid)).exists():
            leave(left, file_of(kind, THE_DEAD))


def leave(left: Path, sums: Path) -> None:
    """Nobody reads meanwhile, or would see a part of it twice or not at all."""
    from prometheus_client.mmap_dict import MmapedDict

    try:
        with locked(sums.parent, fcntl.LOCK_EX | fcntl.LOCK_NB):
            counted = list(MmapedDict.read_all_values_from_file(str(left)))
            with closing(MmapedDict(str(sums))) as added:
                for key, value, _, _ in counted:
                    added.write_value(key, added.read_value(key)[0] + value, 0.0)
            left.unlink()
    except BlockingIOError:  # somebody reads, and a parent waits for nobody
        logger.debug("%s stays, and counts where it is", left.name)
    except Exception:  # whatever is wrong with it: the workers need their parent, and readers whole files
        logger.exception("What a worker counted is lost: %s", left.name)
        left.unlink(missing_ok=True)


@contextmanager
def locked(directory: Path, how: int) -> Iterator[None]:
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, how)
        yield
