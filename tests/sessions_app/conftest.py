"""What tests of credentials and of the guard share."""

from collections.abc import Mapping
from typing import Any

import pytest

from sessions_app.models import ApiKey, User
from sessions_app.transport import http


@pytest.fixture
def key(alice: User) -> ApiKey:
    return ApiKey(user=alice, name="laptop")


@pytest.fixture
def secret(key: ApiKey) -> str:
    """alice's secret, to `key`."""
    token = key.give_secret()
    key.save()
    return token.value


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Whose credentials were looked at."""
    seen: list[Any] = []

    async def authenticate(headers: Mapping[str, str]) -> Any:
        seen.append(headers)
        raise AssertionError("asked who calls")

    monkeypatch.setattr(http, "authenticate", authenticate)
    return seen
