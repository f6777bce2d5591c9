"""What PostgreSQL works for one database, where it runs on this machine."""

import time
from dataclasses import dataclass
from pathlib import Path

import psycopg


@dataclass(frozen=True)
class Backends:
    """The processes that PostgreSQL has for one database."""

    database: str
    connection: "psycopg.Connection[tuple[int]]"
    """To another database of the same cluster, so as not to be among them."""

    def cpu(self) -> dict[int, float] | None:
        """CPU seconds so far, by process id; nothing where they run on another machine."""
        rows = self.connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'",
            [self.database],
        )
        pids = [pid for (pid,) in rows]
        return {pid: cpu_of(pid) for pid in pids} if all(map(is_here, pids)) else None


def is_here(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().startswith("postgres")
    except OSError:
        return False


def cpu_of(pid: int) -> float:
    """CPU seconds so far of a process and all threads that it has or had: its clock, as clock_getcpuclockid(3) has
    it. Linux only, and finer than the hundredths of a second in /proc."""
    return time.clock_gettime(~pid << 3 | 2)


def since(before: dict[int, float] | None, after: dict[int, float] | None) -> float | None:
    """What was worked in between, in seconds: by a process that is new, all that it did."""
    if before is None or after is None:
        return None
    return sum(cpu - before.get(pid, 0.0) for pid, cpu in after.items())
