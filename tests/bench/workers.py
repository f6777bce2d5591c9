"""What does a call cost when several workers share the work? `python -m tests.bench --only workers`.

`manage.py serve` with one worker and with two, each on a PostgreSQL and a Redis of its own; calls paced by the
clock, in turn. CPU is that of all their processes, the parents included.

The target is about the same rate. Beside that stands one worker at half of it, which is as busy as each of two:
what a process pays for having less to do is no cost of the second.
"""

import os
import selectors
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import create_connection, socket
from statistics import median

from tests.bench.contest import ECHO, clean_environ, manage
from tests.bench.load import Call, Line, WrongAnswer
from tests.bench.rows import USERNAME
from tests.bench.servers import TICKS, ServerFailed
from tests.failure.servers import STARTS_WITHIN, Server
from tests.services import own_database, own_redis

ONE, TWO = 1, 2
TARGET = 1.1
"""How much more a call may cost with two, at the same rate."""
RATE = 1000.0
"""Calls a second, of all together."""
CONNECTIONS = 32
WARM_UP = 2.0
SETTLE = 0.5
"""Seconds, for what is done behind the replies."""
ANSWERED_WITHIN = 10.0
END_OF_HEAD = b"\r\n\r\n"


@dataclass
class House:
    """A server, and how many workers it has."""

    workers: int
    server: Server
    key: str
    database: str
    """Its URL."""

    def cpu(self) -> list[float]:
        """Seconds so far: of the parent, and of each worker."""
        return [cpu_of(pid) for pid in (self.server.process.pid, *self.server.workers())]


@dataclass
class Pace:
    """What calls at one rate cost one server."""

    house: House
    rate: float
    costs: list[float] = field(default_factory=list)
    """Microseconds of CPU a call, turn by turn."""
    shares: list[float] = field(default_factory=list)
    """The part of the workers' CPU that the busiest one had."""

    def turn(self, seconds: float) -> None:
        """Raises: WrongAnswer."""
        before = self.house.cpu()
        calls = attack(self.house.server.port, self.house.key, seconds, rate=self.rate)
        spent = [after - then for after, then in zip(self.house.cpu(), before, strict=True)]
        self.costs.append(sum(spent) / calls * 1e6)
        self.shares.append(max(spent[1:]) / sum(spent[1:]))

    def row(self) -> str:
        what = f"{self.house.workers}, {self.rate:,.0f} calls/s"
        return f"{what:<20}{median(self.costs):>13.1f}{median(self.shares):>16.0%}"

    def ratio(self, other: "Pace") -> float:
        """The median of the pairs."""
        return median(mine / its for mine, its in zip(self.costs, other.costs, strict=True))


def cpu_of(pid: int) -> float:
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / TICKS


class Connection:
    """Kept, with one call at a time on it."""

    def __init__(self, port: int, request: bytes) -> None:
        self.socket: socket = create_connection(("127.0.0.1", port))
        self._request = request
        self._answer = b""
        self.is_free = True

    def ask(self) -> None:
        self.socket.sendall(self._request)
        self.is_free = False

    def hear(self) -> bool:
        """Whether the answer is whole. Raises: WrongAnswer."""
        data = self.socket.recv(65536)
        self._answer += data
        head, _, body = self._answer.partition(END_OF_HEAD)
        if not data or (body and (not head.startswith(b"HTTP/1.1 200") or b'"isError":true' in body)):
            raise WrongAnswer(self._answer.decode())
        if not body.endswith(b"}") or len(body) < length_of(head):
            return False
        self._answer, self.is_free = b"", True
        return True


def length_of(head: bytes) -> int:
    lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    return next(int(value) for name, _, value in lines if name == b"content-length")


def attack(port: int, key: str, seconds: float, call: Call = ECHO, rate: float = RATE) -> int:
    """Calls that were answered, all of them rightly; `rate`: a second. Raises: WrongAnswer."""
    request = request_of(port, key, call)
    connections = [Connection(port, request) for _ in range(CONNECTIONS)]
    sent = answered = 0
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        began = time.monotonic()
        while (now := time.monotonic() - began) < seconds or answered < sent:
            if now > seconds + ANSWERED_WITHIN:
                raise WrongAnswer(f"{sent - answered} calls were not answered")
            due = int(min(now, seconds) * rate)
            for number in range(sent, due):
                if not (connection := connections[number % CONNECTIONS]).is_free:
                    break  # the server is behind; what is due is sent as it catches up
                connection.ask()
                sent += 1
            for chosen, _ in selector.select(1 / rate):
                answered += chosen.data.hear()
    for connection in connections:
        connection.socket.close()
    time.sleep(SETTLE)
    return answered


def request_of(port: int, key: str, call: Call) -> bytes:
    body = call.body()
    headers = Line(port, key).headers() | call.headers()
    lines = [f"{name}: {value}" for name, value in (headers | {"Content-Length": str(len(body))}).items()]
    return "\r\n".join(["POST /mcp HTTP/1.1", f"Host: 127.0.0.1:{port}", *lines, "", body]).encode()


@contextmanager
def house(
    name: str, scratch: Path, workers: int = ONE, environment: Mapping[str, str] | None = None
) -> Iterator[House]:
    with own_database(f"concierge_bench_{os.getpid()}_{name}") as database, own_redis() as redis:
        home = scratch / name
        home.mkdir(mode=0o700)
        environ = clean_environ() | {
            "DJANGO_SETTINGS_MODULE": "tests.bench.settings",
            "CONCIERGE_DATA_DIR": str(home),
            "DATABASE_URL": database,
            "REDIS_URL": redis,
            "WORKERS": str(workers),
            "CONCIERGE_CALL_RATE": "999999/s",
            "CONCIERGE_KEY_RATE": "999999/s",
            "CONCIERGE_STOP_NOTICE": "0",
            "CONCIERGE_LOG_LEVEL": "WARNING",
            **(environment or {}),
        }
        manage(environ, "migrate", "--verbosity=0")
        key = manage(environ, "createkey", USERNAME, "--name", "bench", "--create-user", "--quiet").strip()
        server = Server(home, environ)
        try:
            server.wait_until_ready()
            wait_for_all(server, workers)
            yield House(workers, server, key, database)
        finally:
            server.end()


def wait_for_all(server: Server, workers: int) -> None:
    """The first that is ready answers for all; the others must have started, too."""
    deadline = time.monotonic() + STARTS_WITHIN
    before = -1.0
    while len(pids := server.workers()) < workers or (now := sum(map(cpu_of, pids))) - before > 0.1:
        if time.monotonic() > deadline:
            raise ServerFailed(server.log.read_text())
        before = now if len(pids) == workers else -1.0
        time.sleep(1)


def measure(scratch: Path, pairs: int, seconds: float) -> list[Pace]:
    """One worker that is as busy as each of two, one that does as much as both, and two."""
    with ExitStack() as stack:
        one, two = (stack.enter_context(house(str(workers), scratch, workers)) for workers in (ONE, TWO))
        for each in (one, two):
            attack(each.server.port, each.key, WARM_UP)
        paces = [Pace(one, RATE / TWO), Pace(one, RATE), Pace(two, RATE)]
        for _ in range(pairs):
            for pace in paces:
                pace.turn(seconds)
    return paces


def main(*, check: bool, pairs: int, seconds: float) -> int:
    with tempfile.TemporaryDirectory(prefix="concierge-bench-") as name:
        paces = measure(Path(name), pairs, seconds)
    print(f"echo over {CONNECTIONS} connections; medians of {pairs} turns of {seconds} s")
    print(f"{'workers':<20}{'CPU µs/call':>13}{'busiest worker':>16}", *map(Pace.row, paces), sep="\n")
    as_busy, alone, two = paces
    ratio = two.ratio(alone)
    is_met = ratio <= TARGET
    print(f"two / one that is as busy as each of them: {two.ratio(as_busy):.3f}")
    print(f"target: CPU with two ≤ {TARGET} × with one: {'met' if is_met else 'missed'} ({ratio:.3f})")
    return 1 if check and not is_met else 0


if __name__ == "__main__":
    sys.exit(main(check=True, pairs=5, seconds=5))
