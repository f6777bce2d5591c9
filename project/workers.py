"""Several processes that serve on one socket, and the parent that looks after them.

uvicorn has a supervisor too. It starts its own `Server` by a name that is fixed in four methods, looks up
twice a second, waits for the answer of one worker while others die, kills one that is slow to start, and does
not hear a second signal. See docs/why.md.
"""

import logging
import math
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from multiprocessing.connection import wait

from django.conf import settings

from .metrics import files
from .server import LAST_STEPS, SAME_STOP, serve

logger = logging.getLogger(__name__)
spawn = multiprocessing.get_context("spawn")  # a fork would copy connections, locks and an unknown state

PAUSE = 2.0
"""Seconds before the next try when a worker ended before it could serve."""
CHANCES = 2
"""Starts of each worker that may be killed from outside without a pause. More, and the machine has no memory."""
LATE = 0.5
"""Seconds beyond its own limits after which a worker is killed: it needs Python's lock to keep to them."""


class Worker:
    """A process that serves, as its parent sees it."""

    def __init__(self, listener: socket.socket) -> None:
        self.lifeline, theirs = socket.socketpair()
        self.process = spawn.Process(target=work, args=(listener, theirs), daemon=True)
        with theirs:
            self.process.start()
        self.is_ready = False
        self.is_stale = False
        self.is_leaving = False
        self.ends_by = time.monotonic() + settings.WORKER_SILENCE
        """When it is killed: unless it shows a sign of life, or, once it was told to end, in any case."""
        self._is_told = False

    def hear(self) -> bool:
        """Whether it says for the first time that it serves."""
        was_ready = self.is_ready
        with suppress(OSError):
            if self.lifeline.recv(4096, socket.MSG_DONTWAIT):
                self.is_ready = True
                if not self._is_told:
                    self.ends_by = time.monotonic() + settings.WORKER_SILENCE
        return self.is_ready and not was_ready

    def tell(self, number: int) -> None:
        """Pass a signal on. One that is not ready yet has nothing to finish, and may not handle others."""
        soon = time.monotonic() + LAST_STEPS + LATE
        self.ends_by = min(self.ends_by, soon) if self._is_told else soon + settings.STOP_GRACE
        self._is_told = True
        if self.process.is_alive():
            os.kill(self.process.pid or 0, number if self.is_ready else signal.SIGTERM)

    def retire(self) -> None:
        """Go without notice: the others stay, so nobody need be told."""
        self.is_leaving = True
        self.tell(signal.SIGINT)

    def kill(self) -> None:
        what = "was told to end and did not" if self._is_told else "has not moved for too long"
        logger.error("Worker %s %s: killed", self.process.pid, what)
        self.process.kill()
        self.ends_by = math.inf


def is_on_a_terminal() -> bool:
    return sys.stderr.isatty()


def work(listener: socket.socket, lifeline: socket.socket) -> None:
    """The worker's side, in a process of its own."""
    files.reserve()
    os.setpgid(0, 0)  # a terminal's Ctrl-C is for the parent, which passes it on
    threading.Thread(target=follow, args=(lifeline,), daemon=True).start()

    def beat() -> None:
        with suppress(OSError):  # a parent that is stopped does not read, one that has ended cannot
            lifeline.send(b".", socket.MSG_DONTWAIT)

    serve(listener, beat)


def follow(lifeline: socket.socket) -> None:
    """Nothing is ever sent this way: it ends when the parent has, and then the port must soon be free."""
    with suppress(OSError):  # a parent that was killed with beats unread resets it
        lifeline.recv(1)
    os.kill(os.getpid(), signal.SIGINT)


class Workers:
    """As many as wanted, until told to stop. SIGHUP replaces them one by one, each when its successor serves."""

    def __init__(self, count: int, listener: socket.socket) -> None:
        self.has_failed = False
        self._count = count
        self._listener = listener
        self._workers: list[Worker] = []
        self._signals: list[int] = []
        self._is_stopping = False
        self._told_at = 0.0
        self._has_served = False
        self._chances = CHANCES * count
        self._may_start_at = 0.0

    def run(self) -> None:
        alarm = self._note_signals()
        self._tend()
        while self._workers or not self._is_stopping:
            self._wait(alarm)
            while self._signals:
                self._handle(self._signals.pop(0))
            self._kill_who_is_late()
            self._bury()
            if not self._is_stopping:
                self._tend()

    def _wait(self, alarm: socket.socket) -> None:
        """For a signal, a sign of life, a death or the time for one; a second at most."""
        soonest = min((worker.ends_by for worker in self._workers), default=math.inf) - time.monotonic()
        ends = [end for worker in self._workers for end in (worker.process.sentinel, worker.lifeline)]
        wait([alarm, *ends], timeout=max(0, min(1, soonest)))
        with suppress(BlockingIOError):
            alarm.recv(4096)
        for worker in self._workers:
            if worker.hear():
                self._chances = CHANCES * self._count

    def _note_signals(self) -> socket.socket:
        """Handlers only take notes; what is returned becomes readable when one has."""
        alarm, raised = socket.socketpair()
        alarm.setblocking(False)
        raised.setblocking(False)
        signal.set_wakeup_fd(raised.detach(), warn_on_full_buffer=False)
        # From a terminal, SIGHUP means that it was closed, and ends us as it ends any program.
        numbers = [signal.SIGINT, signal.SIGTERM, *([] if is_on_a_terminal() else [signal.SIGHUP])]
        for number in numbers:
            signal.signal(number, lambda number, _: self._signals.append(number))
        return alarm

    def _handle(self, number: int) -> None:
        if number == signal.SIGHUP:
            for worker in self._workers:
                worker.is_stale = True
            return
        if not self._is_stopping:
            self._is_stopping, self._told_at = True, time.monotonic()
            self._listener.close()  # else connections would wait in a queue that no worker takes them from
            self._tell([worker for worker in self._workers if not worker.is_leaving], number)
        elif time.monotonic() > self._told_at + SAME_STOP:
            self._tell(self._workers, number)

    def _tell(self, workers: list[Worker], number: int) -> None:
        for worker in workers:
            worker.tell(number)

    def _kill_who_is_late(self) -> None:
        for worker in self._workers:
            if time.monotonic() >= worker.ends_by:
                worker.kill()

    def _bury(self) -> None:
        for worker in [worker for worker in self._workers if not worker.process.is_alive()]:
            self._workers.remove(worker)
            worker.lifeline.close()
            files.bury(worker.process.pid)
            self._has_served |= worker.is_ready
            if not worker.is_leaving and not self._is_stopping:
                status = worker.process.exitcode
                logger.error("Worker %s ended with status %s", worker.process.pid, status)
                if not worker.is_ready:
                    self._could_not_start(worker)

    def _could_not_start(self, worker: Worker) -> None:
        if worker.process.exitcode == -signal.SIGKILL and self._chances:
            self._chances -= 1  # it was killed from outside, and the next may well live
            return
        self._may_start_at = time.monotonic() + PAUSE
        if not self._has_served and not any(worker.is_ready for worker in self._workers):
            self.has_failed = True
            self._handle(signal.SIGTERM)

    def _tend(self) -> None:
        staying = [worker for worker in self._workers if not worker.is_leaving]
        stale = [worker for worker in staying if worker.is_stale]
        if stale and sum(worker.is_ready for worker in staying) > self._count:
            staying.remove(stale[0])
            stale.pop(0).retire()
        if time.monotonic() >= self._may_start_at:
            for _ in range(len(staying), self._count + bool(stale)):
                self._workers.append(Worker(self._listener))
