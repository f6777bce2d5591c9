"""Django works on so many requests at once; the others wait in their order, and nobody waits for a slow reader."""

import asyncio
import gc
import weakref
from typing import Any

import pytest

from project import queue
from project.page_edge import PageEdge
from project.queue import Queue
from sessions_app.api.edge import ApiEdge
from sessions_app.exceptions import Refused
from sessions_app.metrics import REFUSALS
from sessions_app.refusals import Reason
from sessions_app.transport.guard import Guard

ORIGIN = "http://127.0.0.1:8000"


class App:
    """Answers when it is told to, and is done when its answer was read."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.may_answer, self.is_read = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun.append(scope["path"])
        await self.may_answer.wait()
        if scope["path"] == "/crash":
            raise LookupError
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await self.is_read.wait()


async def never() -> Any:
    raise AssertionError


def ask(web: Queue, path: str) -> asyncio.Task[None]:
    async def send(message: Any) -> None:
        pass

    return asyncio.create_task(web({"path": path}, never, send))


async def answer_of(edge: Any) -> list[Any]:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"127.0.0.1:8000")]
    scope = {"type": "http", "path": "second", "query_string": b"", "headers": headers, "client": None}
    await edge(scope, receive, send)
    return sent


def figure() -> float:
    return float(REFUSALS.labels(str(Reason.UNAVAILABLE))._value.get())


async def soon() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_requests_wait_in_their_order_until_others_are_answered(settings: Any) -> None:
    settings.WEB_THREADS = 2
    app = App()
    web = Queue(app)
    asked = [ask(web, path) for path in "abcd"]
    await soon()
    assert app.begun == ["a", "b"]
    app.may_answer.set()
    await soon()
    assert app.begun == ["a", "b", "c", "d"]  # though nobody has read what was answered
    app.is_read.set()
    await asyncio.gather(*asked)


async def test_health_does_not_wait(settings: Any) -> None:
    settings.WEB_THREADS = 1
    app = App()
    web = Queue(app)
    asked = [ask(web, path) for path in ("a", "b", "/livez", "/readyz")]
    await soon()
    assert app.begun == ["a", "/livez", "/readyz"]
    app.may_answer.set()
    app.is_read.set()
    await asyncio.gather(*asked)


async def test_strangers_who_ask_for_health_do_not_take_every_thread(settings: Any) -> None:
    app = App()
    web = Queue(app)
    asked = [ask(web, path) for path in ["/readyz"] * 50 + ["/livez"]]
    await soon()
    assert app.begun == ["/readyz", "/readyz", "/livez"]
    app.may_answer.set()
    app.is_read.set()
    await asyncio.gather(*asked)
    assert len(app.begun) == 51


async def test_a_crash_and_a_client_that_left_give_their_turns_back(settings: Any) -> None:
    settings.WEB_THREADS = 1
    app = App()
    web = Queue(app)
    left, crashed = ask(web, "left"), ask(web, "/crash")
    await soon()
    left.cancel()
    app.may_answer.set()
    with pytest.raises(LookupError):
        await crashed
    app.is_read.set()
    await ask(web, "last")
    assert app.begun == ["left", "/crash", "last"]


async def test_who_waits_too_long_is_told_to_come_back(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WEB_THREADS = 1
    monkeypatch.setattr(queue, "PATIENCE", 0.05)
    app = App()
    web = Queue(app)
    first = ask(web, "first")
    await soon()
    for edge, media_type in (
        (PageEdge(web), b"text/plain"),
        (ApiEdge(web, Guard(ORIGIN)), b"application/problem+json"),
    ):
        counted = figure()
        sent = await answer_of(edge)
        headers = dict(sent[0]["headers"])
        assert sent[0]["status"] == 503
        assert headers[b"retry-after"] == b"1"
        assert headers[b"content-type"].startswith(media_type)
        assert figure() == counted + 1
    app.may_answer.set()
    app.is_read.set()
    await first


async def test_nothing_is_kept_of_who_waited_in_vain(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WEB_THREADS = 1
    monkeypatch.setattr(queue, "PATIENCE", 0.05)
    web = Queue(App())
    first = ask(web, "first")
    await soon()

    async def receive() -> Any:
        """Which holds the request's body."""

    held = weakref.ref(receive)
    waiting = asyncio.create_task(web({"path": "second"}, receive, lambda message: soon()))
    await asyncio.wait([waiting])
    assert isinstance(waiting.exception(), Refused)
    del receive, waiting
    gc.collect()
    assert held() is None
    first.cancel()
