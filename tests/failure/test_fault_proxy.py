"""The proxy that spoils connections does what its name for each fault says."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from .fault_proxy import FaultProxy, fault_proxy

SOON = 5.0
"""Seconds: more than anything here takes."""
SILENT = 0.3
"""Seconds in which nothing comes."""


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that says again what it is told."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]


def serve(listener: socket.socket) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=repeat, args=(connection,), daemon=True).start()


def repeat(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        while data := connection.recv(4096):
            connection.sendall(data)


@pytest.fixture
def proxy(echo: int) -> Iterator[FaultProxy]:
    with fault_proxy(echo) as one:
        yield one


def connected(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=SOON)


def talk(connection: socket.socket, words: bytes = b"hello") -> bytes:
    connection.sendall(words)
    return hear(connection, len(words))


def hear(connection: socket.socket, size: int) -> bytes:
    heard = b""
    while len(heard) < size and (data := connection.recv(size - len(heard))):
        heard += data
    return heard


def is_silent(connection: socket.socket) -> bool:
    connection.settimeout(SILENT)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(SOON)
    return False


def test_it_passes_on_what_is_said(proxy: FaultProxy) -> None:
    with connected(proxy) as one:
        long = bytes(range(256)) * 20_000
        threading.Thread(target=one.sendall, args=(long,)).start()
        assert hear(one, len(long)) == long
        one.shutdown(socket.SHUT_WR)
        assert one.recv(1) == b""


def test_it_is_late(proxy: FaultProxy) -> None:
    with connected(proxy) as one:
        proxy.delay(0.2)
        began = time.monotonic()
        assert talk(one) == b"hello"
        assert time.monotonic() - began >= 0.4  # there and back
        proxy.heal()
        began = time.monotonic()
        assert talk(one) == b"hello"
        assert time.monotonic() - began < 0.2


def test_it_is_slow(proxy: FaultProxy) -> None:
    with connected(proxy) as one:
        proxy.throttle(100_000)
        began = time.monotonic()
        assert talk(one, b"a" * 30_000) == b"a" * 30_000
        assert time.monotonic() - began >= 0.2


def test_it_swallows_what_is_said_until_it_is_healed(proxy: FaultProxy) -> None:
    with connected(proxy) as before:
        assert talk(before) == b"hello"
        proxy.black_hole()
        with connected(proxy) as meanwhile:
            for one in (before, meanwhile):
                one.sendall(b"lost?")
                assert is_silent(one)
            proxy.heal()
            for one in (before, meanwhile):
                assert hear(one, 5) == b"lost?"


def test_it_resets_connections_old_and_new(proxy: FaultProxy) -> None:
    with connected(proxy) as before:
        assert talk(before) == b"hello"
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            before.recv(1)
    with pytest.raises(ConnectionResetError), connected(proxy) as new:
        new.recv(1)
    proxy.heal()
    with connected(proxy) as after:
        assert talk(after) == b"hello"


def test_it_closes_half_of_connections_old_and_new(proxy: FaultProxy) -> None:
    with connected(proxy) as before:
        assert talk(before) == b"hello"
        proxy.half_close()
        with connected(proxy) as new:
            for one in (before, new):
                assert one.recv(1) == b""
                one.sendall(b"a" * 100_000)  # is read by nobody, and refused by nobody
                assert one.recv(1) == b""
    proxy.heal()
    with connected(proxy) as after:
        assert talk(after) == b"hello"


def test_it_refuses_new_connections_only(proxy: FaultProxy) -> None:
    with connected(proxy) as before:
        assert talk(before) == b"hello"
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            connected(proxy)
        assert talk(before) == b"hello"
        proxy.heal()
        with connected(proxy) as after:
            assert talk(after) == b"hello"


def test_it_breaks_off_when_what_is_behind_it_is_gone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port: int = nobody.getsockname()[1]
    with fault_proxy(port) as proxy, connected(proxy) as one, pytest.raises(ConnectionResetError):
        one.recv(1)


def test_it_forgets_connections_that_ended(proxy: FaultProxy) -> None:
    with connected(proxy) as one:
        assert talk(one) == b"hello"
        assert proxy.connections == 1
    deadline = time.monotonic() + SOON
    while proxy.connections:
        assert time.monotonic() < deadline
        time.sleep(0.01)
