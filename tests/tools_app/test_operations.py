"""The seed's rate-limited-operation, the operations that ship, and those that apps add."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import ForeignKey, OneToOneField
from django.utils import timezone

from sessions_app import holding
from sessions_app.models import ApiKey, Preference, Session, User
from sessions_app.pool import identity_pool, tool_pool
from tests.clients import Client
from tests.conftest import wire_for
from tests.wire import Durable, Wire, until
from tools_app import integrity
from tools_app.models import ToolCall, ToolPolicy
from tools_app.registry import Registry, registry

from .calls import make_call

NAME = "rate-limited-operation"


async def do(client: Client, operation: str) -> dict[str, Any]:
    result: dict[str, Any] = (await client.call(NAME, {"operation": operation})).result
    return result


async def test_it_does_it_and_says_what_remains(client: Client) -> None:
    for remaining in (99, 98):
        result = await do(client, "usage-report")
        assert result["structuredContent"]["remainingRequests"] == remaining
        text = result["content"][0]["text"]
        assert text.startswith(
            f"✅ Operation completed: usage-report\n\n**Remaining requests:** {remaining}\n**Result:** {{"
        )


async def test_beyond_the_limit_it_says_so_in_the_seed_s_words(wire: Wire) -> None:
    await ToolPolicy.objects.acreate(tool=NAME, rate="2/h")
    await wire.call("echo", {"text": "the rate is known"})
    results = [await do(wire, "usage-report") for _ in range(2)]
    assert [result["structuredContent"]["remainingRequests"] for result in results] == [1, 0]
    refused = await wire.call(NAME, {"operation": "usage-report"})
    assert refused.status == 429
    assert refused.error["message"].startswith(
        "Rate limit exceeded. Remaining requests: 0. Please try again later."
    )
    assert refused.error["data"]["limit"] == "operation"


async def test_an_unknown_one_is_answered_with_those_that_there_are(
    wire: Wire, admin: User, recorded: Any
) -> None:
    for name in ("nonsense", "verify-integrity"):
        result = await do(wire, name)
        assert result["isError"]
        said = f"Unknown operation: {name}. There are: export-my-data, usage-report."
        assert result["content"][0]["text"] == said
    assert "verify-integrity" in (await do(await wire_for(admin), "x"))["content"][0]["text"]


async def test_a_copy_of_all_that_is_held_of_the_caller(client: Client, alice: User, bob: User) -> None:
    def prepare() -> None:
        Preference.objects.put(alice.pk, "tea", "green")
        Preference.objects.put(bob.pk, "tea", "canary-bob")

    await identity_pool.run(prepare)
    result = await do(client, "export-my-data")
    _, link = result["content"]
    assert (link["type"], link["uri"]) == ("resource_link", "concierge://me/export")
    assert result["structuredContent"]["result"]["rows"]["preferences"] == 1
    index = await read(client, link["uri"])
    everything = {kind: await rows_of(client, about["first"]) for kind, about in index.items()}
    assert {kind for kind, rows in everything.items() if rows} >= {"account", "preferences", "api-keys", "groups"}
    [preference] = everything["preferences"]
    assert (preference["key"], preference["value"]) == ("tea", "green")
    assert everything["account"][0]["username"] == "alice"
    spelled = json.dumps(everything)
    assert "canary-bob" not in spelled
    key = await ApiKey.objects.aget(user=alice)
    assert key.digest not in spelled
    assert alice.password not in spelled


async def read(client: Client, uri: str) -> Any:
    [content] = (await client.ask("resources/read", {"uri": uri})).result["contents"]
    return json.loads(content["text"])


async def rows_of(client: Client, uri: str | None) -> list[dict[str, Any]]:
    rows = []
    while uri is not None:
        page = await read(client, uri)
        rows += page["rows"]
        uri = page["next"]
    return rows


async def test_it_comes_in_pages(wire: Wire, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "PAGE", 2)
    monkeypatch.setattr("tools_app.builtin.resources.PAGE", 2)
    await identity_pool.run(lambda: [Preference.objects.put(alice.pk, str(number), number) for number in range(5)])
    rows = await rows_of(wire, "concierge://me/export/preferences/0")
    assert [row["value"] for row in rows] == [0, 1, 2, 3, 4]


async def test_a_narrowed_key_does_not_get_all_of_its_user_s(alice: User, recorded: Any) -> None:
    scopes = ["tools_app.run_export-my-data", f"tools_app.call_{NAME}"]
    narrowed = await wire_for(alice, scopes=scopes)
    assert "your credential is narrowed" in (await do(narrowed, "export-my-data"))["content"][0]["text"]
    for uri in ("concierge://me/export", "concierge://me/export/api-keys/0"):
        assert (
            "your credential is narrowed" in (await narrowed.ask("resources/read", {"uri": uri})).error["message"]
        )


async def test_an_older_client_gets_no_kind_of_content_that_it_does_not_know(wire: Wire) -> None:
    client = await Durable.open(wire.key, "2025-03-26")
    result = await do(client, "export-my-data")
    assert [block["type"] for block in result["content"]] == ["text"]
    assert "structuredContent" not in result


@pytest.mark.parametrize("page", ["nothing/0", "preferences/-1", "preferences/x", f"preferences/{'9' * 30}"])
async def test_a_page_that_there_is_not(wire: Wire, page: str) -> None:
    answer = await wire.ask("resources/read", {"uri": f"concierge://me/export/{page}"})
    assert answer.error["code"] == -32602


def test_whatever_refers_to_a_user_is_in_his_copy() -> None:
    """A new model with a user fails here until it says what of it is his to read."""
    held = {model for found in holding.holdings.values() for model in [found.rows(User(pk=0)).model]}
    parts_of_what_is_held = {"WebSocketTicket", "Subscription", "RefreshToken", "RevokedToken"}
    for model in apps.get_models():
        refers = any(
            isinstance(field, ForeignKey | OneToOneField) and field.related_model is User
            for field in model._meta.fields
        )
        is_ours = model._meta.app_label in (*integrity.OWN_APPS, "admin")
        assert not (refers and is_ours) or model in held or model.__name__ in parts_of_what_is_held, model


def test_no_secret_is_in_it() -> None:
    secret = {"password", "digest", "proof", "session_data", "reply"}
    for found in holding.holdings.values():
        assert not secret & set(found.fields), found.name


# --- Integrity ---


async def test_what_is_sound_is_said_to_be(admin: User, recorded: Any) -> None:
    wire = await wire_for(admin)
    result = (await do(wire, "verify-integrity"))["structuredContent"]["result"]
    assert (result["sound"], result["findings"]) == (True, {})
    assert result["checks"] == len(integrity.checks) >= 5


async def test_what_is_wrong_is_found(admin: User, alice: User, recorded: Any) -> None:
    def spoil() -> int:
        long_ago = make_call().started_at
        session = Session.objects.create(
            user=alice, credential="api-key:1", label="x", transport="http", protocol_version="2025-11-25",
            calls=3, errors=4,
        )  # fmt: skip
        Session.objects.filter(pk=session.pk).update(
            last_activity_at=session.opened_at.replace(year=2020), expires_at=session.opened_at.replace(year=2020)
        )
        ToolCall.objects.update(started_at=long_ago.replace(year=2019))
        return session.pk

    pk = await identity_pool.run(spoil)
    result = (await do(await wire_for(admin), "verify-integrity"))["structuredContent"]["result"]
    assert not result["sound"]
    assert result["findings"] == {
        "a session has counted the calls that the record has": [
            f"Session {pk} has counted 3 calls, and the record has 0"
        ],
        "a session has no more errors than calls": [f"Session {pk} has counted more errors than calls"],
        "a live session's time is not over before it began": [f"Session {pk} was over before it was opened"],
    }


async def test_it_tells_how_far_it_is(admin: User, recorded: Any) -> None:
    wire = await wire_for(admin)
    call = {"name": NAME, "arguments": {"operation": "verify-integrity"}}
    messages = (await wire.post(wire.request("tools/call", call, progressToken="p"))).messages
    told = [message["params"] for message in messages if message.get("method") == "notifications/progress"]
    assert [step["progress"] for step in told] == list(range(len(integrity.checks)))
    assert {step["total"] for step in told} == {len(integrity.checks)}


async def test_who_leaves_ends_it(admin: User, recorded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    may_go_on, done = threading.Event(), []

    def slow() -> Iterator[str]:
        done.append("slow")
        may_go_on.wait(5)
        yield from ()

    def never() -> Iterator[str]:
        done.append("never")
        yield from ()

    monkeypatch.setattr(integrity, "checks", {"slow": slow, "never": never})
    monkeypatch.setattr("tools_app.builtin.operations.checks", integrity.checks)
    wire = await wire_for(admin)
    call = wire.open(wire.request("tools/call", {"name": NAME, "arguments": {"operation": "verify-integrity"}}))
    await until(lambda: done)
    call.leave()
    await call.wait()
    may_go_on.set()
    await until(lambda: not tool_pool._jobs)
    assert done == ["slow"]
    await recorded()
    assert [row.outcome async for row in ToolCall.objects.all()] == ["cancelled"]


async def test_a_record_that_is_kept_for_a_day_is_counted_for_a_day(
    alice: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or else each session of the day before would seem to have lost its calls."""

    def two_days_ago() -> list[str]:
        before = timezone.now() - timedelta(days=2)
        Session.objects.create(
            user=alice, credential="api-key:1", label="x", transport="http", protocol_version="2025-11-25",
            calls=3, opened_at=before, last_activity_at=before,
        )  # fmt: skip
        return integrity.findings_of(integrity.counted_calls)

    assert len(await identity_pool.run(two_days_ago)) == 1
    monkeypatch.setattr(settings.CONFIG, "record_days", 1)
    assert await identity_pool.run(two_days_ago) == []


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite numbers rows by what is there")
def test_a_number_that_would_be_given_twice_is_found(alice: User) -> None:
    assert integrity.findings_of(integrity.sequences) == []
    User.objects.create(pk=10**9, username="restored")
    [found] = integrity.findings_of(integrity.sequences)
    assert found.startswith("sessions_user has a row 1000000000, and the database would number the next ")


# --- Of apps ---


async def test_an_app_adds_one_with_a_function(admin: User, recorded: Any) -> None:
    """It writes, so it runs in the transaction of the record; `tests/shop/tools.py`."""
    wire = await wire_for(admin)
    result = await do(wire, "count-the-till")
    assert result["structuredContent"]["result"] == {"counted": 42}
    assert await Preference.objects.filter(user=admin, key="till").aexists()
    assert registry.operations["count-the-till"].permission == "tools_app.run_count-the-till"


async def test_one_that_fails_leaves_nothing(admin: User, recorded: Any) -> None:
    result = await do(await wire_for(admin), "drop-the-till")
    assert result["content"][0]["text"] == "The till fell down"
    assert not await Preference.objects.filter(user=admin, key="till").aexists()


def test_one_that_takes_arguments_is_none() -> None:
    def with_arguments(number: int) -> dict[str, Any]:
        return {}

    with pytest.raises(TypeError, match="an operation is a plain function"):
        Registry().operation("x", groups=["Members"])(with_arguments)
