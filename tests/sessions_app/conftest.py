"""What tests of credentials, of the guard and of durable sessions share."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest

from sessions_app import deadline
from sessions_app.deadline import watch
from sessions_app.jwt.key_set import key_sets
from sessions_app.models import ApiKey, OutsideIdentity, Session, User
from sessions_app.pool import identity_pool
from sessions_app.transport import asking, http
from sessions_app.transport import ends as ends_module
from sessions_app.transport.asking import waiting
from sessions_app.transport.ends import ends
from tests.conftest import key_for
from tests.issuer import Authority, OutsideIssuer, serving
from tests.wire import HANDSHAKE_VERSION, Durable, Wire, until


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

    def presented(headers: Mapping[str, str], network: str) -> Any:
        seen.append(headers)
        raise AssertionError("asked who calls")

    monkeypatch.setattr(http, "presented", presented)
    return seen


@pytest.fixture
async def durable(wire: Wire) -> AsyncIterator[Durable]:
    """alice's client of the handshake era. When its test is over, nothing of it is left in the process."""
    yield await Durable.open(wire.key)
    await nothing_left()


async def nothing_left() -> None:
    """No call, stream or waiting reply; nothing that is looked at each tick; no task but the test's own."""

    def others() -> set[asyncio.Task[Any]]:
        return asyncio.all_tasks() - {asyncio.current_task()}

    await until(lambda: not others())
    assert not ends._calls
    assert not ends._listeners
    assert not waiting._waiting
    assert not watch._watched


async def durable_for(user: User, version: str = HANDSHAKE_VERSION, **details: Any) -> Durable:
    """A client of `user`'s, with a key of its own."""
    return await Durable.open(await new_key(user), version, **details)


async def new_key(user: User) -> str:
    return await identity_pool.run(lambda: key_for(user))


async def row_of(client: Durable) -> Session:
    return await Session.objects.aget(public_id=client.session_id)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def issuer(authority: Authority, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[OutsideIssuer]:
    """Configured, and trusted by its certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    key_sets.forget()
    with serving(authority.context) as server:
        settings.JWT_ISSUERS = [server.settings()]
        yield server
    key_sets.forget()


@pytest.fixture
def link(alice: User, issuer: OutsideIssuer) -> OutsideIdentity:
    return OutsideIdentity.objects.create(user=alice, issuer=issuer.url, subject="a-subject")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked at now and then is looked at often."""
    monkeypatch.setattr(deadline, "TICK", 0.005)
    monkeypatch.setattr(ends_module, "SWEEP_EVERY", 0.02)
    monkeypatch.setattr(asking, "LOOK_EVERY", 0.02)
    monkeypatch.setattr(ends, "_next_sweep", 0.0)
    monkeypatch.setattr(waiting, "_next_look", 0.0)
