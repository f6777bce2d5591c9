"""alice owns things, bob is her teammate, charlie is an outsider: a user in no group."""

import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import wait
from functools import cache
from typing import Any

import pytest
import uvicorn
from asgiref.sync import SyncToAsync
from django.apps import apps
from django.contrib.auth.models import Group
from django.core.cache import cache as django_cache
from django.db import connection, connections, transaction
from django.test.utils import setup_databases, teardown_databases

from collab_app.rosters import rosters
from project.server import LARGEST_MESSAGE
from project.wire.connection import GuardedConnection
from project.wire.sockets import GuardedSocket
from sessions_app.callers import callers
from sessions_app.models import ApiKey, User, session_room
from sessions_app.permissions import ADMINISTRATORS, EVERYONE, MEMBERS
from sessions_app.pool import POOLS, background_pool, identity_pool
from sessions_app.refusals import refusals
from sessions_app.session_cache import shelf
from sessions_app.state import state
from sessions_app.state.memory import MemoryState
from sessions_app.transport import presence
from sessions_app.transport.asking import waiting
from sessions_app.transport.bus import bus
from sessions_app.transport.ends import ends
from sessions_app.transport.sockets import sockets
from tests.clients import CLIENTS, Client
from tests.services import FIND, is_required
from tests.socket import SocketWire
from tests.wire import Wire
from tools_app.models import ToolPolicy
from tools_app.policies import policies
from tools_app.recorder import recorder

Grants = dict[str, list[int]]


def pytest_configure(config: pytest.Config) -> None:
    """A shell's background jobs ignore SIGINT, and whatever they start: also what tests mean to end by it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[Any]) -> None:
    """On PostgreSQL only what reads or writes a database is run: the rest cannot turn out otherwise."""
    if connection.vendor == "postgresql":
        uses_it = (item for item in items if "db_for_threads" in item.fixturenames)
        kept = [item for item in uses_it if item.get_closest_marker("alike") is None]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


def pytest_runtest_setup(item: pytest.Item) -> None:
    for service, find in FIND.items():
        if item.get_closest_marker(service) and find() is None:
            message = f"{service} does not answer"
            if is_required(service):
                pytest.fail(f"{message}, and CONCIERGE_REQUIRE asks for it")
            pytest.skip(message)


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any) -> Iterator[None]:
    """The test database, for the whole run. pytest-django's own makes one only for its own marks."""
    with django_db_blocker.unblock():
        databases = setup_databases(verbosity=0, interactive=False)
    yield
    # Every thread lets go of it before it is dropped: the pools', and the one behind the async ORM.
    for pool in POOLS:
        pool.close()
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            connection.close_pool()  # type: ignore[attr-defined]
        teardown_databases(databases, verbosity=0)


@pytest.fixture(autouse=True)
def nobody_remembered() -> Iterator[None]:
    """Databases are emptied between tests, and ids begin anew; what was read before must not answer."""
    yield
    callers.forget()
    callers.pardon()
    presence.forget()
    policies.forget()
    refusals.forget()
    shelf.forget()
    session_room.of_everybody.forget()
    session_room.of_guests.forget()
    rosters.forget()
    django_cache.clear()
    assert isinstance(state, MemoryState)
    state.clear()
    ends.reopen()
    sockets.reopen()
    waiting.reopen()


@pytest.fixture(scope="session")
def grants_that_ship(django_db_setup: None, django_db_blocker: Any) -> Grants:
    with django_db_blocker.unblock():
        return read_grants()


@pytest.fixture
def db_for_threads(grants_that_ship: Grants, django_db_blocker: Any) -> Iterator[None]:
    """Rows that pool threads see, because they are committed; afterwards they are deleted.

    pytest-django's `transactional_db` would empty and refill every table, a tenth of a second a test.
    """
    with django_db_blocker.unblock():
        ToolPolicy.objects.all().delete()  # those of migrate, which say nothing: tests make what they want said
        yield
        wait(background_pool._jobs, timeout=5)  # such as the end of a socket's session
        with transaction.atomic():
            clean_up(grants_that_ship)


OWN_APPS = ("collab_app", "sessions_app", "tools_app", "bakery", "admin")


@cache
def own_tables() -> list[str]:
    models = apps.get_models(include_auto_created=True)
    return [model._meta.db_table for model in models if model._meta.app_label in OWN_APPS]


def clean_up(grants_that_ship: Grants) -> None:
    """In plain SQL: the ORM would look for all that hangs on each user, which took a fifth of the suite's time."""
    with connection.cursor() as cursor:
        for table in own_tables():
            cursor.execute(f'DELETE FROM "{table}"')
    if read_grants() != grants_that_ship:
        Group.objects.exclude(name__in=EVERYONE).delete()
        for name, permissions in grants_that_ship.items():
            Group.objects.get(name=name).permissions.set(permissions)


def read_grants() -> Grants:
    grants: Grants = {name: [] for name in Group.objects.values_list("name", flat=True)}
    rows = Group.permissions.through.objects.order_by("permission_id")
    for name, permission in rows.values_list("group__name", "permission_id"):
        grants[name].append(permission)
    return grants


@pytest.fixture
async def attached() -> AsyncIterator[None]:
    """The bus as in a server: what pool threads publish is heard at once."""
    bus.attach()
    yield
    await bus.detach()


@pytest.fixture
async def recorded() -> AsyncIterator[Callable[[], Any]]:
    """Write what the recorder still holds, so that a test can read the record."""
    yield recorder.drain
    await recorder.drain()


def make_user(name: str, *groups: str) -> User:
    user = User.objects.create_user(name, f"{name}@example.com", "correct horse")
    user.groups.add(*Group.objects.filter(name__in=groups))
    return user


@pytest.fixture
def alice(db_for_threads: None) -> User:
    return make_user("alice", MEMBERS)


@pytest.fixture
def bob(db_for_threads: None) -> User:
    return make_user("bob", MEMBERS)


@pytest.fixture
def charlie(db_for_threads: None) -> User:
    return make_user("charlie")


@pytest.fixture
def admin(db_for_threads: None) -> User:
    return make_user("admin", ADMINISTRATORS)


def key_for(user: User, **kwargs: Any) -> str:
    return ApiKey.mint(user, f"{user.username}'s key", **kwargs)[1].value


@pytest.fixture(params=CLIENTS)
async def client(request: pytest.FixtureRequest, wire: Wire) -> AsyncIterator[Client]:
    """alice's, of either era, on either wire."""
    assert wire.key
    opened = await CLIENTS[request.param](wire.key)
    yield opened
    if isinstance(opened, SocketWire):
        await opened.leave()


@pytest.fixture
async def wire(alice: User, recorded: Any) -> Wire:
    """alice's client."""
    return await wire_for(alice)


async def wire_for(user: User, **kwargs: Any) -> Wire:
    return Wire(await identity_pool.run(lambda: key_for(user, **kwargs)))


class Served(uvicorn.Server):
    """The application on a real socket, in a thread of this process."""

    url = ""

    def install_signal_handlers(self) -> None:
        """Signals are pytest's."""

    async def startup(self, *args: Any, **kwargs: Any) -> None:
        """What threads publish is heard at once, as after the lifespan's start."""
        bus.attach()
        await super().startup(*args, **kwargs)

    async def shutdown(self, *args: Any, **kwargs: Any) -> None:
        await super().shutdown(*args, **kwargs)
        await bus.detach()


@pytest.fixture
def served(db_for_threads: None) -> Iterator[str]:
    """The URL of a real uvicorn with the real application on the test database."""
    config = uvicorn.Config(
        "project.asgi:application", host="127.0.0.1", port=0, log_config=None, access_log=False, lifespan="off",
        timeout_graceful_shutdown=2, http=GuardedConnection, loop="uvloop", proxy_headers=False,
        ws=GuardedSocket, ws_max_size=LARGEST_MESSAGE, ws_per_message_deflate=False,
    )  # fmt: skip
    server = Served(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()
