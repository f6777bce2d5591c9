"""Where the embedded database and generated secrets live."""

import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from .examination import Case, examination
from .finding import Away, Finding, ok, problem, reason, warning
from .shell import SERVE

MIB = 1024 * 1024
LEAST, LITTLE = 100 * MIB, 1024 * MIB
PRIVATE = ("secret-key", "first-run*.txt", "*.sqlite3*")
FOR_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@examination("data directory")
def data_directory(case: Case) -> Iterator[Finding]:
    place: Path = settings.CONFIG.data_dir
    if not place.is_dir():
        raise Away(problem("exists", f"There is no directory {place} (CONCIERGE_DATA_DIR).", f"{SERVE} makes it"))
    yield can_be_written(place)
    yield is_private(place)
    yield has_room(place)


def can_be_written(place: Path) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"doctor")
    except OSError as error:
        says = f"{place} cannot be written: {error.strerror or reason(error)}."
        return problem("writable", says, f"chown -R USER {place}, or another CONCIERGE_DATA_DIR")
    return ok("writable", f"{place} can be written.")


def is_private(place: Path) -> Finding:
    files = [path for pattern in PRIVATE for path in sorted(place.glob(pattern))]
    open_ones = [str(path) for path in files if path.stat().st_mode & FOR_OTHERS]
    if open_ones:
        says = (
            f"Others on this machine may read or write {', '.join(path.rpartition('/')[2] for path in open_ones)}."
        )
        return problem("permissions", says, f"chmod 600 {' '.join(open_ones)}")
    return ok("permissions", "Its secrets and its database are for their owner alone.")


def has_room(place: Path) -> Finding:
    free = shutil.disk_usage(place).free
    says = f"{free / MIB:,.0f} MiB are free there."
    if free < LITTLE:
        make = problem if free < LEAST else warning
        return make("disk space", f"Only {says}", f"df -h {place}, and make room or give it another disk")
    return ok("disk space", says)
