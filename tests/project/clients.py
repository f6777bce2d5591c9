"""Clients that call one tool over and over, to see what a stop or a restart costs them."""

import itertools
import json
import threading
from http.client import HTTPConnection, HTTPException
from typing import Any

from tests.process import Process
from tests.wire import Durable

ANSWER_WITHIN = 30


class Clients:
    """Each keeps its connection for as long as the server does, and leaves when it is refused a new one.

    With a `session`, all are of the handshake era, and of that session.
    """

    def __init__(
        self, process: Process, count: int, tool: str, *, session: Durable | None = None, **arguments: Any
    ) -> None:
        self.answered = 0
        self.wrong: list[str] = []
        self.lost: list[str] = []
        """Requests that left on an established connection and were not answered in full."""
        self._port = int(process.port)
        request = process.request("tools/call", {"name": tool, "arguments": arguments})
        self._headers, self._message = request["headers"], request["json"]
        if session is not None:
            self._headers, self._message = process.headers(session), session.calling(tool, arguments)
        self._ids = itertools.count(1)
        self._may_leave = threading.Event()
        self._threads = [threading.Thread(target=self._visit, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def leave(self) -> None:
        self._may_leave.set()
        for thread in self._threads:
            thread.join(ANSWER_WITHIN)
            assert not thread.is_alive()

    def wait_until_refused(self) -> None:
        for thread in self._threads:
            thread.join(ANSWER_WITHIN)
            assert not thread.is_alive()

    def _visit(self) -> None:
        while not self._may_leave.is_set():
            connection = HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_WITHIN)
            try:
                connection.connect()
            except ConnectionRefusedError:
                return
            self._call_while_open(connection)
            connection.close()

    def _call_while_open(self, connection: HTTPConnection) -> None:
        while connection.sock is not None and not self._may_leave.is_set():
            try:
                body = json.dumps(self._message | {"id": next(self._ids)})
                connection.request("POST", "/mcp", body, self._headers)
                answer = connection.getresponse()
                text = answer.read().decode()
            except (OSError, HTTPException) as error:
                self.lost.append(repr(error))
                return
            if answer.status == 200 and not json.loads(text).get("result", {}).get("isError", True):
                self.answered += 1
            else:
                self.wrong.append(f"{answer.status} {text}")


def cling(process: Process, tool: str, **arguments: Any) -> HTTPConnection:
    """Call, and do not read the answer."""
    request = process.request("tools/call", {"name": tool, "arguments": arguments})
    request["json"]["params"]["_meta"]["progressToken"] = 1
    connection = HTTPConnection("127.0.0.1", int(process.port))
    connection.request("POST", "/mcp", json.dumps(request["json"]), request["headers"])
    return connection
