"""Freed memory goes back to the system. In a process of its own: this one's heap is full of other tests' gaps."""

import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from project import heap, server
from project.config import BASE_DIR

PROGRAM = """
import sys
from pathlib import Path
from project.heap import Heap

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

heap = Heap.of_process()
before = resident()
blocks = [bytes(16_000) for _ in range(12_000)]
stay = blocks[::100]
del blocks
kept = resident() - before
heap.look()
left = resident() - before
assert kept > 150, f"glibc gave it back by itself: {kept} MiB are left"
assert left < 30, f"{left} MiB are left of {kept}"
trimmed = []
heap._trim = trimmed.append
for _ in range(3):
    heap.look()
assert trimmed == [], "given back again and again"
again = [bytes(16_000) for _ in range(6_000)]
heap.look()
del again
heap.look()
assert trimmed == [0], trimmed
"""


def test_what_was_freed_between_what_stays_is_given_back_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=BASE_DIR, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_whoever_serves_looks_after_its_heap(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = threading.Event()

    def look(own: heap.Heap) -> None:
        own.look()
        looked.set()

    monkeypatch.setattr(heap, "keep_looking", look)
    monkeypatch.setattr(server, "Server", lambda *about: SimpleNamespace(run=lambda sockets: looked.wait(5)))
    monkeypatch.setattr(server, "end_within", lambda seconds: None)
    monkeypatch.setattr(server, "allow_many_files", lambda: None)
    nobody: Any = None
    server.serve(nobody)
    assert looked.is_set()
