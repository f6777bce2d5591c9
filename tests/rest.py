"""Speaking to the REST API as a client would: through the whole application, without sockets."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from django.test import Client

from sessions_app.models import User
from tests.wire import Answer as WireAnswer
from tests.wire import Exchange, encoded

PROBLEM = {"type", "title", "status", "detail"}
NO_BODY: Any = object()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.body) if self.body else None

    @property
    def problem(self) -> dict[str, Any]:
        """What went wrong, in the one shape that there is."""
        assert self.headers["content-type"] == "application/problem+json", self
        problem: dict[str, Any] = self.data
        assert set(problem) >= PROBLEM, problem
        assert problem["status"] == self.status
        return problem

    @property
    def everything(self) -> tuple[int, dict[str, str], bytes]:
        return self.status, self.headers, self.body


@dataclass
class Rest:
    """A client with one credential, or none."""

    secret: str | None = None
    ip: str = "127.0.0.1"
    headers: Mapping[str, str | None] = field(default_factory=dict)

    def ask(
        self, method: str, path: str, data: Any = NO_BODY, *, headers: Mapping[str, str | None] | None = None
    ) -> Answer:
        """`data` is sent as JSON, bytes as they are. `headers` replace the usual ones; None takes one away."""
        body = b"" if data is NO_BODY else data if isinstance(data, bytes) else json.dumps(data).encode()
        usual: dict[str, str | None] = {"host": "127.0.0.1:8000", "accept": "*/*"}
        if data is not NO_BODY:
            usual |= {"content-type": "application/json", "content-length": str(len(body))}
        if self.secret is not None:
            usual["authorization"] = f"Bearer {self.secret}"
        sent = {**usual, **self.headers, **(headers or {})}
        answer = asyncio.run(self._exchange(method, f"/api/{path}", body, sent))
        return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.body)

    async def _exchange(self, method: str, url: str, body: bytes, headers: Mapping[str, str | None]) -> WireAnswer:
        path, _, query = url.partition("?")
        scope: dict[str, Any] = {"path": unquote(path), "raw_path": path.encode(), "query_string": query.encode()}
        return await Exchange(
            body, encoded(headers), method=method, client=(self.ip, 5), http_version="1.1", **scope
        ).wait()

    def get(self, path: str, **kwargs: Any) -> Answer:
        return self.ask("GET", path, **kwargs)

    def post(self, path: str, data: Any = NO_BODY, **kwargs: Any) -> Answer:
        return self.ask("POST", path, data, **kwargs)

    def put(self, path: str, data: Any = NO_BODY, **kwargs: Any) -> Answer:
        return self.ask("PUT", path, data, **kwargs)

    def delete(self, path: str, **kwargs: Any) -> Answer:
        return self.ask("DELETE", path, **kwargs)


def browser(user: User, *, csrf: bool = True, **headers: str | None) -> Rest:
    """Signed in to the admin; with the CSRF token, as a page of ours sends it."""
    client = Client()
    client.force_login(user)
    cookies = {name: morsel.value for name, morsel in client.cookies.items()}
    if csrf:
        token = "a" * 32
        cookies["csrftoken"] = token
        headers = {"x-csrftoken": token, **headers}
    return Rest(headers={"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()), **headers})
