"""What does a client cost that is only there? A thousand of them are, and the server is weighed.

`python -m tests.bench.idle`, side by side: our sockets in both eras, a bare consumer of Channels, our SSE
listeners, and the SDK's.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from tests.bench.contest import MCPSERVER, OURS, House, clean_environ, sdk
from tests.bench.lines import DISCOVER, INITIALIZE, WebSocketLine, listen
from tests.bench.load import WrongAnswer
from tests.bench.servers import QUIET, UVICORN, Entrant, Running, started

FIRST, MORE = 20, 1000
"""Clients that come before the weighing, and those that are weighed. The SDK has room for 1024."""
OF_ONE_KEY = 100
SETTLE = 3.0
"""Seconds for what is done behind the replies."""
STARTS_WITHIN = 60.0
PATIENCE = "--timeout-graceful-shutdown=2"
"""Of a server that would wait for streams whose clients have left."""


class Held(Protocol):
    def close(self) -> None: ...


Hold = Callable[[int, str, int], Held]
"""Opens one client's connection to a port, with a token; the `number`-th."""


def socket_of_2026(port: int, token: str, number: int) -> WebSocketLine:
    line = WebSocketLine.open(port, token, number)
    if b'"supportedVersions"' not in line.ask(DISCOVER):
        raise WrongAnswer("server/discover")
    return line


def socket_of_2025(port: int, token: str, number: int) -> WebSocketLine:
    line = WebSocketLine.open(port, token, number)
    if b'"protocolVersion"' not in line.ask(INITIALIZE):
        raise WrongAnswer("initialize")
    return line


def bare_socket(port: int, token: str, number: int) -> WebSocketLine:
    line = WebSocketLine.open(port, token, number)
    line.ask(DISCOVER)
    return line


@dataclass(frozen=True)
class Kind:
    name: str
    hold: Hold
    entrant: Entrant
    keys: list[str]

    def weigh(self, log: Path) -> float:
        """KiB that each client adds to the server."""
        with started(self.entrant, core=0, log=log) as server:
            first = self.first_client(server)
            held = [first, *(self.client(server, number) for number in range(1, FIRST))]
            time.sleep(SETTLE)
            before = server.rss()
            held += [self.client(server, FIRST + number) for number in range(MORE)]
            time.sleep(SETTLE)
            after = server.rss()
            for client in held:
                client.close()
        return (after - before) * 1024 / MORE

    def client(self, server: Running, number: int) -> Held:
        try:
            return self.hold(server.port, self.keys[number // OF_ONE_KEY % len(self.keys)], number)
        except (WrongAnswer, OSError) as error:
            raise server.failed(f"refused client {number}: {error}") from None

    def first_client(self, server: Running) -> Held:
        """Once the server listens."""
        deadline = time.monotonic() + STARTS_WITHIN
        while True:
            try:
                return self.hold(server.port, self.keys[0], 0)
            except ConnectionError:
                if time.monotonic() > deadline or server.process.poll() is not None:
                    raise server.failed("did not listen") from None
                time.sleep(0.05)


def kinds(house: House) -> list[Kind]:
    keys = house.keys((FIRST + MORE) // OF_ONE_KEY + 1)
    program = [sys.executable, "-m", "tests.bench.served"]
    ours = Entrant(OURS, [], house.key, house.environ, program)
    bare_program = [*UVICORN, *QUIET, "--ws=websockets-sansio", "--ws-per-message-deflate=false"]
    bare = Entrant("Channels", ["tests.bench.bare:application"], "x", clean_environ(), bare_program)
    theirs = replace(sdk(MCPSERVER, "mcpserver", clean_environ()), program=[*UVICORN, *QUIET, PATIENCE])
    return [
        Kind("a socket, 2026-07-28", socket_of_2026, ours, keys),
        Kind("a socket, 2025-11-25", socket_of_2025, ours, keys),
        Kind("a socket of a bare Channels consumer", bare_socket, bare, ["x"]),
        Kind("an SSE listener", listen, ours, keys),
        Kind(f"an SSE listener of {MCPSERVER}", listen, theirs, [theirs.token]),
    ]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="concierge-bench-") as name:
        scratch = Path(name)
        print(f"{MORE} clients that are only there, after {FIRST} others: KiB of the server's memory for each")
        for number, kind in enumerate(kinds(House.build(scratch / "data"))):
            print(f"{kind.name:<40}{kind.weigh(scratch / f'{number}.log'):>8.1f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
