"""Our application under a sampling profiler: `--profile` serves this instead of `project.asgi`.

A timer of CPU time interrupts the event loop's thread; where it stands then is written, when the server
stops, to the file named by CONCIERGE_BENCH_PROFILE. What other threads compute is booked where the loop
stands meanwhile; of `echo` that is the recorder alone, of `orm` a good part.
"""

import os
import signal
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from project.asgi import Receive, Send
from project.asgi import application as profiled
from tests.bench.servers import ROOT

INTERVAL = 0.001


class Sampler:
    """Counts the functions on the stack: on top of it, and anywhere in it."""

    def __init__(self) -> None:
        self.samples = 0
        self.itself: Counter[CodeType] = Counter()
        self.cumulative: Counter[CodeType] = Counter()

    def start(self) -> None:
        signal.signal(signal.SIGPROF, self.sample)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def sample(self, signum: int, frame: FrameType | None) -> None:
        if frame is None:
            return
        self.samples += 1
        self.itself[frame.f_code] += 1
        stack: set[CodeType] = set()
        while frame is not None:
            stack.add(frame.f_code)
            frame = frame.f_back
        self.cumulative.update(stack)

    def write(self, path: Path) -> None:
        path.write_text(self.report())

    def report(self, top: int = 60) -> str:
        parts = [f"{self.samples} samples"]
        for title, counts in (("itself", self.itself), ("with what it calls", self.cumulative)):
            shares = [f"{100 * n / self.samples:5.1f} %  {where(code)}" for code, n in counts.most_common(top)]
            parts.append("\n".join([title, *shares]))
        return "\n\n".join(parts) + "\n"


def where(code: CodeType) -> str:
    path = Path(code.co_filename)
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else Path(*path.parts[-3:])
    return f"{code.co_qualname}  {name}:{code.co_firstlineno}"


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """The lifespan call spans the server's life, so the sampler does too."""
    if scope["type"] != "lifespan":
        return await profiled(scope, receive, send)
    sampler = Sampler()
    sampler.start()
    try:
        await profiled(scope, receive, send)
    finally:
        sampler.stop()
        sampler.write(Path(os.environ["CONCIERGE_BENCH_PROFILE"]))
