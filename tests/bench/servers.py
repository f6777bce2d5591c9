"""One server process at a time: started on its core, asked for its CPU and memory, stopped. Linux only."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.bench.load import Call, Line, WrongAnswer

ROOT = Path(__file__).parents[2]
STARTS_WITHIN = 60
STOPS_WITHIN = 20
TICKS = os.sysconf("SC_CLK_TCK")
UVICORN = [sys.executable, "-m", "uvicorn", "--loop=uvloop", "--http=httptools", "--workers=1"]
QUIET = ["--no-access-log", "--log-level=warning", "--host=127.0.0.1"]


class ServerFailed(Exception):
    """It did not start, answered wrongly or did not stop; carries the end of its log."""


@dataclass(frozen=True)
class Entrant:
    """A server that takes part: what to run, with what environment, and the token it accepts."""

    name: str
    app: list[str]
    token: str
    environ: dict[str, str]
    program: list[str] = field(default_factory=lambda: [*UVICORN, *QUIET])
    """What is given the port and the app."""


@dataclass(frozen=True)
class Running:
    entrant: Entrant
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def line(self, call: Call) -> Line:
        """A client's, ready for `call`."""
        try:
            return Line.open(self.port, self.entrant.token, call)
        except WrongAnswer as error:
            raise self.failed(f"at the handshake: {error}") from None

    def cpu(self) -> float:
        """CPU seconds so far, of all its threads, in user and kernel."""
        after_name = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) / TICKS

    def rss(self) -> float:
        """Resident memory in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024

    def wait_until_ready(self, call: Call) -> None:
        """Ready is when it listens; its first answer must be right."""
        deadline = time.monotonic() + STARTS_WITHIN
        while True:
            if self.process.poll() is not None:
                raise self.failed("ended while starting")
            try:
                return self.line(call).verify(call)
            except WrongAnswer as error:
                raise self.failed(f"at its first call: {error}") from None
            except ConnectionError:
                if time.monotonic() > deadline:
                    raise self.failed("did not listen in time") from None
                time.sleep(0.05)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise self.failed("did not stop when asked") from None

    def failed(self, what: str) -> ServerFailed:
        return ServerFailed(f"{self.entrant.name} {what}.\n{self.log.read_text()[-3000:]}")


@contextmanager
def running(entrant: Entrant, call: Call, *, core: int, log: Path) -> Iterator[Running]:
    """A server that answers `call` rightly."""
    with started(entrant, core=core, log=log) as server:
        server.wait_until_ready(call)
        yield server


@contextmanager
def started(entrant: Entrant, *, core: int, log: Path) -> Iterator[Running]:
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*entrant.program, f"--port={port}", *entrant.app],
            cwd=ROOT,
            env=entrant.environ,
            stdout=output,
            stderr=output,
            preexec_fn=partial(os.sched_setaffinity, 0, {core}),
        )
    server = Running(entrant, process, port, log)
    try:
        yield server
    finally:
        if process.poll() is None:
            server.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
