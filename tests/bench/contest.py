"""Who takes part, the rounds, and what they come to."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from statistics import median

from tests.bench.load import HANDSHAKE, Call, Line, Load, WrongAnswer, run
from tests.bench.rows import USERNAME
from tests.bench.servers import ROOT, Entrant, Running, running
from tests.services import own_redis

OURS, MCPSERVER, LOWLEVEL = "Concierge", "SDK MCPServer", "SDK low-level"
ECHO = Call("echo", "hello", {"text": "hello"})


@dataclass(frozen=True)
class Contest:
    """What is called, and what our CPU is to be at most, as a part of MCPServer's: how people use the SDK."""

    call: Call
    target: float | None = None
    is_shared: bool = False
    """Ours keeps its state in Redis, as several workers do."""


CONTESTS = {
    "echo": Contest(ECHO, 0.55),
    "redis": Contest(ECHO, 0.75, is_shared=True),
    # Ours has a session, which is a row; the SDK's side has none.
    HANDSHAKE: Contest(replace(ECHO, revision=HANDSHAKE), 0.35),
    "orm": Contest(Call("read-one", USERNAME)),
}
HARMLESS = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
WARM_UP = 2
SETTLE = 0.5  # what is done behind the replies (records, sweeps) counts as the calls' CPU too


@dataclass(frozen=True)
class Plan:
    pairs: int
    seconds: int
    connections: int
    server_core: int
    load_core: int


@dataclass(frozen=True)
class Round:
    """One server's run; CPU in microseconds a call, memory in MiB after it."""

    rate: float
    p50: float
    p99: float
    cpu: float
    rss: float


@dataclass
class Standing:
    name: str
    rounds: list[Round] = field(default_factory=list)

    def middle(self) -> Round:
        """Each figure's median; together they need not be any one round."""
        return Round(*map(median, zip(*map(astuple, self.rounds), strict=True)))

    def rate_ratio(self, other: "Standing") -> float:
        return median(mine.rate / theirs.rate for mine, theirs in self.pairs(other))

    def cpu_ratio(self, other: "Standing") -> float:
        return median(mine.cpu / theirs.cpu for mine, theirs in self.pairs(other))

    def pairs(self, other: "Standing") -> Iterator[tuple[Round, Round]]:
        """Neighbours in time: a machine that slows down slows both."""
        return zip(self.rounds, other.rounds, strict=True)


def compete(call: Call, entrants: list[Entrant], plan: Plan, scratch: Path) -> list[Standing]:
    """All servers are up throughout and take turns; the idle ones cost next to nothing."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(running(entrant, call, core=plan.server_core, log=scratch / f"{number}.log"))
            for number, entrant in enumerate(entrants)
        ]
        lines = [server.line(call) for server in servers]
        for server, line in zip(servers, lines, strict=True):
            attack(server, line, call, plan, seconds=WARM_UP)
        standings = [Standing(entrant.name) for entrant in entrants]
        for _ in range(plan.pairs):
            for standing, server, line in zip(standings, servers, lines, strict=True):
                standing.rounds.append(one_round(server, line, call, plan))
    return standings


def profile(house: "House", call: Call, plan: Plan, report: Path, scratch: Path) -> None:
    """Our server alone under the sampler, which writes its report when the server stops."""
    with running(house.profiled(report), call, core=plan.server_core, log=scratch / "profile.log") as server:
        attack(server, server.line(call), call, plan, seconds=plan.seconds)


def one_round(server: Running, line: Line, call: Call, plan: Plan) -> Round:
    before = server.cpu()
    seen = attack(server, line, call, plan, seconds=plan.seconds)
    cpu = (server.cpu() - before) / seen.requests * 1e6
    return Round(seen.rate, seen.p50, seen.p99, cpu, server.rss())


def attack(server: Running, line: Line, call: Call, plan: Plan, *, seconds: int) -> Load:
    try:
        seen = run(line, call, seconds=seconds, connections=plan.connections, core=plan.load_core)
    except WrongAnswer as error:
        raise server.failed(f"under load: {error}") from None
    time.sleep(SETTLE)
    return seen


@dataclass(frozen=True)
class House:
    """A fresh Concierge in a directory of its own, with one user and one key."""

    environ: dict[str, str]
    key: str

    @classmethod
    def build(cls, data: Path) -> "House":
        data.mkdir(mode=0o700)
        environ = clean_environ() | {
            "DJANGO_SETTINGS_MODULE": "tests.bench.settings",
            "CONCIERGE_DATA_DIR": str(data),
            # Every call is counted; nobody is to be refused.
            "CONCIERGE_CALL_RATE": "999999/s",
            "CONCIERGE_KEY_RATE": "999999/s",
        }
        manage(environ, "migrate", "--verbosity=0")
        key = manage(environ, "createkey", USERNAME, "--name", "bench", "--create-user", "--quiet")
        return cls(environ, key.strip())

    def keys(self, count: int) -> list[str]:
        """Of as many users."""
        names = (f"idle-{number}" for number in range(count))
        made = (
            manage(self.environ, "createkey", name, "--name", "idle", "--create-user", "--quiet") for name in names
        )
        return [key.strip() for key in made]

    def concierge(self, redis_url: str | None) -> Entrant:
        shared = {} if redis_url is None else {"REDIS_URL": redis_url}
        return Entrant(OURS, ["project.asgi:application"], self.key, self.environ | shared)

    def profiled(self, report: Path) -> Entrant:
        environ = self.environ | {"CONCIERGE_BENCH_PROFILE": str(report.absolute())}
        return Entrant(OURS, ["tests.bench.asgi:application"], self.key, environ)


def sdk(name: str, factory: str, environ: dict[str, str]) -> Entrant:
    token = secrets.token_urlsafe(32)
    app = ["--factory", f"tests.bench.sdk:{factory}"]
    return Entrant(name, app, token, environ | {"CONCIERGE_BENCH_TOKEN": token})


@contextmanager
def entrants(contest: Contest, house: House) -> Iterator[list[Entrant]]:
    """For echo the SDK's side is bare; for the ORM it has Django and our database."""
    environ = house.environ if contest is CONTESTS["orm"] else clean_environ()
    with own_redis() if contest.is_shared else nullcontext() as redis_url:
        yield house_and_others(house.concierge(redis_url), environ)


def house_and_others(ours: Entrant, environ: dict[str, str]) -> list[Entrant]:
    return [
        ours,
        sdk(MCPSERVER, "mcpserver", environ),
        sdk(LOWLEVEL, "lowlevel", environ),
    ]


def clean_environ() -> dict[str, str]:
    """Nothing that would tune a server, or point a benchmark at a real installation."""
    return {name: os.environ[name] for name in HARMLESS if name in os.environ}


def manage(environ: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environ, check=True, stdout=subprocess.PIPE, text=True).stdout
