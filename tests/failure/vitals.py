"""What a server has and uses, read from outside: of its processes, its database and its Redis. Linux only."""

import os
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis

from .servers import Server

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Vitals:
    """Of all that serve, together; the parent only counts for the CPU."""

    workers: tuple[int, ...]
    """Their process ids."""
    memory: float
    """MiB: what the largest of them has resident."""
    descriptors: int
    threads: int
    cpu: float
    """Seconds so far, in user and kernel."""


def vitals_of(server: Server) -> Vitals:
    workers = tuple(server.workers())
    return Vitals(
        workers,
        max(map(memory, workers)),
        sum(map(descriptors, workers)),
        sum(int(status(pid, "Threads")) for pid in workers),
        sum(map(cpu, (server.process.pid, *workers))),
    )


def memory(pid: int) -> float:
    """MiB."""
    return int(status(pid, "VmRSS")) / 1024


def descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def cpu(pid: int) -> float:
    """Seconds."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / TICKS


def status(pid: int, name: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{name}:"))


def connections_to(database: str) -> int:
    """Of others than who asks."""
    asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(database) as connection:
        row = connection.execute(asked).fetchone()
    return int(row[0]) if row else 0


@dataclass(frozen=True)
class Kept:
    """What a Redis keeps."""

    keys: int
    memory: float
    """MiB."""
    clients: int
    """Others than who asks."""

    @classmethod
    def by(cls, url: str) -> "Kept":
        with redis.Redis.from_url(url) as client:
            about = client.info("memory")["used_memory"] / 1024**2
            return cls(client.dbsize(), about, client.info("clients")["connected_clients"] - 1)
