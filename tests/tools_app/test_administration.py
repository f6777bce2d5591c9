"""The seed's admin-operations: who may do what to whom, that it is asked first, and what it leaves."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.core.mail.backends.smtp import EmailBackend
from django.db import connection
from django.test import Client as Browser

from sessions_app import limits
from sessions_app.models import ApiKey, Session, SessionToken, TokenFamily, User
from sessions_app.permissions import ADMINISTRATORS
from sessions_app.pool import identity_pool, tool_pool
from tests.clients import Client
from tests.conftest import key_for, make_user, wire_for
from tests.consenting import CONSENTING, DECLINED, FORMS, NO, answered, call_and_answer, left
from tests.wire import Wire
from tools_app.builtin.administration import delete_user
from tools_app.builtin.people import check_deletable
from tools_app.consent import Consent
from tools_app.exceptions import ToolError
from tools_app.execution import Job
from tools_app.models import Confirmation, ToolCall

from .test_record import every_value

NAME = "admin-operations"
CANARY = "canary-hunter2-battery"


async def on_thread(work: Any) -> Any:
    return await identity_pool.run(work)


@pytest.fixture(params=CONSENTING)
async def asking(request: pytest.FixtureRequest, admin: User, recorded: Any) -> AsyncIterator[Client]:
    """The administrator's client, which can ask him, of either era on either wire."""
    client = await CONSENTING[request.param](await on_thread(lambda: key_for(admin)))
    yield client
    await left(client)


@pytest.fixture
async def mute(admin: User, recorded: Any) -> Wire:
    """The administrator's client, which cannot ask him."""
    return await wire_for(admin)


async def administer(client: Client, operation: str, **arguments: Any) -> Any:
    return (await client.call(NAME, {"operation": operation, **arguments})).result


def text_of(result: Any) -> str:
    return ("! " if result["isError"] else "") + str(result["content"][0]["text"])


# --- Looking ---


async def test_it_lists_users_with_role_and_last_seen_and_no_secret(mute: Wire, admin: User, alice: User) -> None:
    await on_thread(lambda: key_for(alice))
    result = await administer(mute, "list-users")
    by_name = {user["username"]: user for user in result["structuredContent"]["users"]}
    assert by_name["alice"]["id"] == str(alice.pk)
    assert (by_name["alice"]["role"], by_name["admin"]["role"]) == ("Members", "Administrators")
    session = await admin.mcp_sessions.aget()
    assert by_name["admin"]["lastSeen"] >= session.opened_at.isoformat()[:19]
    assert text_of(result).startswith("## 👥 User List\n\n- **")
    assert f"- **alice** ({alice.pk}) - Members - Last seen: " in text_of(result)
    assert not any(word in str(result) for word in ("password", "digest", "example.com", "md5$"))


async def test_the_list_comes_in_pages(mute: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools_app.builtin.people.PAGE", 2)
    await on_thread(lambda: [make_user(f"user{number}") for number in range(4)])
    names: list[str] = []
    target: dict[str, str] = {}
    for _ in range(3):
        result = await administer(mute, "list-users", **target)
        names += [user["username"] for user in result["structuredContent"]["users"]]
        target = {"target": result["structuredContent"]["nextTarget"]}
    assert sorted(names) == ["admin", "user0", "user1", "user2", "user3"]
    assert target == {"target": None}
    assert text_of(await administer(mute, "list-users", target="x")).startswith("! The target of list-users")


async def test_the_list_costs_as_many_queries_for_many_as_for_few(mute: Wire, alice: User) -> None:
    from django.test.utils import CaptureQueriesContext

    from tools_app.builtin.administration import list_users

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            list_users(None)
        return len(captured)

    few = await on_thread(queries)
    await on_thread(lambda: [make_user(f"user{number}", "Members") for number in range(5)])
    assert await on_thread(queries) == few


async def test_it_says_how_the_server_does(mute: Wire) -> None:
    await mute.call("echo", {"text": "one"})
    stats = (await administer(mute, "system-stats"))["structuredContent"]["stats"]
    assert (stats["activeUsers"], stats["totalSessions"]) == (1, 1)
    assert 10 * 2**20 < stats["memoryBytes"] < 2**32
    assert stats["uptimeSeconds"] > 0
    assert stats["backends"]["database"] == connection.display_name
    assert stats["backends"]["state"] == "memory, of a single process"
    text = text_of(await administer(mute, "system-stats"))
    assert text.startswith(
        "## 📊 System Statistics\n\n**Active Users:** 1\n**Total Sessions:** 1\n**Server Uptime:** "
    )
    assert "**Memory Usage:** " in text
    assert "**API Calls Today:** " in text


# --- Who may ---


@pytest.mark.parametrize("who", ["alice", "charlie"])
async def test_for_who_may_not_it_does_not_exist(who: str, alice: User, charlie: User, recorded: Any) -> None:
    wire = await wire_for({"alice": alice, "charlie": charlie}[who])
    answer = await wire.call(NAME, {"operation": "system-stats"})
    assert answer.error == (await wire.call("no-such-tool", {"operation": "system-stats"})).error | {
        "message": f"Unknown tool: {NAME}"
    }


@pytest.mark.parametrize("operation", ["reset-password", "delete-user"])
async def test_nobody_acts_on_who_has_more_than_himself(mute: Wire, operation: str, db_for_threads: None) -> None:
    def better() -> User:
        user = make_user("root")
        User.objects.filter(pk=user.pk).update(is_superuser=True)
        make_user("other-root").__class__.objects.filter(username="other-root").update(is_superuser=True)
        return user

    root = await on_thread(better)
    result = await administer(mute, operation, target=str(root.pk), confirm=True)
    assert (
        text_of(result) == f"! root (user {root.pk}) has privileges that you lack, so you may not do that to him."
    )
    assert await User.objects.filter(pk=root.pk, password=root.password).aexists()


async def test_a_narrowed_key_does_not_reach_further_than_its_scopes(
    admin: User, alice: User, recorded: Any
) -> None:
    wire = await wire_for(admin, scopes=[f"tools_app.call_{NAME}"])
    result = await administer(wire, "delete-user", target=str(alice.pk), confirm=True)
    assert "privileges that you lack" in text_of(result)


@pytest.mark.parametrize("operation", ["reset-password", "delete-user"])
async def test_it_needs_a_target_that_there_is(mute: Wire, operation: str) -> None:
    sentence = {"reset-password": "for password reset", "delete-user": "for deletion"}[operation]
    assert text_of(await administer(mute, operation)) == f"! Target user ID required {sentence}"
    for target in ("0", "999999", "-1", "alice", "1 OR 1=1", "٣", "9" * 40, "1\n"):
        result = await administer(mute, operation, target=target, confirm=True)
        assert "not found" in text_of(result), target


async def test_an_unknown_operation_and_a_password_as_an_argument_are_refused(mute: Wire) -> None:
    assert "Invalid arguments" in text_of(await administer(mute, "drop-tables"))
    for argument in ("password", "newPassword", "new_password"):
        refused = await administer(mute, "reset-password", target="1", **{argument: "canary-hunter2"})
        assert "Extra inputs are not permitted" in text_of(refused)
        assert "canary-hunter2" not in str(refused)


# --- Asking ---


async def test_it_asks_first_and_then_does_it(asking: Client, alice: User) -> None:
    question, answer = await call_and_answer(asking, NAME, {"operation": "delete-user", "target": str(alice.pk)})
    assert question.startswith(f"Delete alice (user {alice.pk}) for good")
    assert answer.text == f"User {alice.pk} has been deleted"
    assert not await User.objects.filter(pk=alice.pk).aexists()
    assert await Confirmation.objects.acount() == 0


@pytest.mark.parametrize("answer", [NO, DECLINED, {"action": "cancel"}])
async def test_who_does_not_agree_changes_nothing(asking: Client, alice: User, answer: dict[str, Any]) -> None:
    arguments = {"operation": "delete-user", "target": str(alice.pk)}
    _, said = await call_and_answer(asking, NAME, arguments, answer)
    assert said.result["isError"]
    assert said.text == "Not confirmed, so nothing was changed."
    assert await User.objects.filter(pk=alice.pk).aexists()


async def test_a_model_cannot_agree_for_its_user(asking: Client, alice: User) -> None:
    """Where he can be asked, he is, whatever the arguments say."""
    arguments = {"operation": "delete-user", "target": str(alice.pk), "confirm": True}
    _, said = await call_and_answer(asking, NAME, arguments, DECLINED)
    assert said.result["isError"]
    assert await User.objects.filter(pk=alice.pk).aexists()


async def test_who_cannot_be_asked_has_to_say_so(mute: Wire, alice: User) -> None:
    refused = text_of(await administer(mute, "delete-user", target=str(alice.pk)))
    assert refused.startswith(f"! Delete alice (user {alice.pk}) for good")
    assert "call again with confirm: true" in refused
    done = await administer(mute, "delete-user", target=str(alice.pk), confirm=True)
    assert text_of(done) == f"User {alice.pk} has been deleted"


async def test_an_answer_is_good_once(admin: User, alice: User, recorded: Any) -> None:
    client = Wire((await wire_for(admin)).key, capabilities=FORMS)
    arguments = {"operation": "reset-password", "target": str(alice.pk)}
    asked = (await client.call(NAME, arguments)).result
    assert not (await answered(client, NAME, arguments, asked)).result["isError"]
    again = (await answered(client, NAME, arguments, asked)).result
    assert again["resultType"] == "input_required"  # asked anew, in other words
    assert again["inputRequests"] != asked["inputRequests"]
    assert len(mail.outbox) == 1


async def test_of_answers_that_are_sent_at_once_one_counts(admin: User, alice: User, recorded: Any) -> None:
    client = Wire((await wire_for(admin)).key, capabilities=FORMS)
    arguments = {"operation": "reset-password", "target": str(alice.pk)}
    asked = (await client.call(NAME, arguments)).result
    said = await asyncio.gather(*(answered(client, NAME, arguments, asked) for _ in range(5)))
    done = [answer for answer in said if answer.result.get("isError") is False]
    assert len(done) == len(mail.outbox) == 1


async def test_an_answer_to_one_question_is_none_to_another(
    admin: User, alice: User, bob: User, recorded: Any
) -> None:
    client = Wire((await wire_for(admin)).key, capabilities=FORMS)
    asked = (await client.call(NAME, {"operation": "delete-user", "target": str(alice.pk)})).result
    for other in (
        {"operation": "delete-user", "target": str(bob.pk)},
        {"operation": "reset-password", "target": str(alice.pk)},
    ):
        answer = await answered(client, NAME, other, asked)
        assert "error" in answer.messages[-1] or answer.result["resultType"] == "input_required"
    assert await User.objects.acount() == 3


# --- Resetting a password ---


async def test_it_takes_the_password_ends_everything_and_mails_a_link(asking: Client, alice: User) -> None:
    def prepare() -> None:
        SessionToken.mint(alice)
        TokenFamily.open(alice)
        Session.objects.create(
            user=alice, credential="api-key:9", label="x", transport="http", protocol_version="2025-11-25"
        )

    await on_thread(prepare)
    _, answer = await call_and_answer(asking, NAME, {"operation": "reset-password", "target": str(alice.pk)})
    assert answer.text.startswith(
        f"Password reset for user {alice.pk} completed. A link to choose a new one went to a***@example.com"
    )
    user = await User.objects.aget(pk=alice.pk)
    assert not user.has_usable_password()

    def open_things() -> tuple[int, int, int]:
        return (
            alice.session_tokens.valid().count(),
            alice.token_families.valid().count(),
            alice.mcp_sessions.live().count(),
        )

    assert await on_thread(open_things) == (0, 0, 0)
    [sent] = mail.outbox
    assert sent.to == ["alice@example.com"]
    assert "http://127.0.0.1:8000/password/" in sent.body
    link = sent.body.split("http://127.0.0.1:8000")[1].split()[0]
    assert link not in str(answer.messages)


async def test_a_mail_that_fails_changes_nothing(mute: Wire, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> int:
        raise ConnectionRefusedError("canary.mail.example")

    monkeypatch.setattr("django.core.mail.EmailMessage.send", fail)
    result = await administer(mute, "reset-password", target=str(alice.pk), confirm=True)
    assert text_of(result) == "! The mail could not be sent, so nothing was changed."
    assert (await User.objects.aget(pk=alice.pk)).password == alice.password


async def test_without_an_address_an_operator_hands_the_link_over(mute: Wire, alice: User) -> None:
    await User.objects.filter(pk=alice.pk).aupdate(email="")
    result = await administer(mute, "reset-password", target=str(alice.pk), confirm=True)
    assert f"http://127.0.0.1:8000/admin/sessions_app/user/{alice.pk}/change/" in text_of(result)
    user = await User.objects.aget(pk=alice.pk)
    assert user.reset_link_until is not None
    assert not user.has_usable_password()
    assert mail.outbox == []


@pytest.mark.parametrize("address", ["not an address", "a@b\nBcc: c@d"])
async def test_an_address_that_is_none_changes_nothing(
    mute: Wire, alice: User, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the SMTP backend that refuses it, so here that prepares the mail."""

    def send(message: mail.EmailMessage) -> None:
        EmailBackend.prep_address(object(), message.to[0])  # type: ignore[arg-type]

    monkeypatch.setattr("django.core.mail.EmailMessage.send", send)
    await User.objects.filter(pk=alice.pk).aupdate(email=address)
    result = await administer(mute, "reset-password", target=str(alice.pk), confirm=True)
    assert text_of(result) == "! The mail could not be sent, so nothing was changed."
    assert (await User.objects.aget(pk=alice.pk)).password == alice.password


async def test_a_server_that_sends_no_mail_leaves_the_link_to_an_operator(
    mute: Wire, alice: User, settings: Any
) -> None:
    settings.MAIL_IS_SENT = False
    result = await administer(mute, "reset-password", target=str(alice.pk), confirm=True)
    assert "The server sends no mail. An operator finds a link to hand over" in text_of(result)
    assert (await User.objects.aget(pk=alice.pk)).has_waiting_link
    assert mail.outbox == []


async def test_what_is_typed_into_the_wrong_field_is_not_logged(
    mute: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    for operation in ("system-stats", "list-users", "reset-password"):
        await administer(mute, operation, target=CANARY)
    await administer(mute, "system-stats", target=CANARY * 100)
    assert CANARY not in caplog.text


async def test_api_keys_stay_and_that_is_said(mute: Wire, alice: User) -> None:
    key = await wire_for(alice)
    result = await administer(mute, "reset-password", target=str(alice.pk), confirm=True)
    assert "1 API keys stay valid" in text_of(result)
    assert (await key.call("echo", {"text": "still"})).text == "still"


async def test_no_password_is_in_an_answer_a_log_line_or_a_row(
    mute: Wire, alice: User, caplog: pytest.LogCaptureFixture, recorded: Any
) -> None:
    """Neither one that a model sends nor one that its owner chooses, nor the link."""
    caplog.set_level("DEBUG")
    sent = await mute.call(NAME, {"operation": "reset-password", "target": str(alice.pk), "password": CANARY})
    done = await mute.call(NAME, {"operation": "reset-password", "target": str(alice.pk), "confirm": True})
    path = mail.outbox[0].body.split("http://127.0.0.1:8000")[1].split()[0]

    def choose() -> None:
        browser = Browser()
        form = browser.get(path, follow=True, HTTP_HOST="127.0.0.1:8000").request["PATH_INFO"]
        words = {"new_password1": CANARY, "new_password2": CANARY}
        chosen = browser.post(form, words, HTTP_HOST="127.0.0.1:8000")
        assert chosen.status_code == 302

    await on_thread(choose)
    assert (await User.objects.aget(pk=alice.pk)).check_password(CANARY)
    await recorded()
    rows = await on_thread(every_value)
    for secret in (CANARY, path.split("/")[-2]):
        assert secret not in rows
        assert secret not in caplog.text
        assert secret not in f"{sent.messages}{done.messages}"


# --- Deleting ---


async def test_nobody_deletes_himself(mute: Wire, admin: User) -> None:
    result = await administer(mute, "delete-user", target=str(admin.pk), confirm=True)
    assert text_of(result) == "! Cannot delete your own account"


async def test_the_last_active_superuser_stays(db_for_threads: None, recorded: Any) -> None:
    """Whoever reaches him is one too, so what counts is how many there are when it is done."""

    def make() -> list[User]:
        for name in ("acting", "other"):
            make_user(name, ADMINISTRATORS)
        User.objects.filter(username__in=("acting", "other")).update(is_superuser=True)
        return list(User.objects.order_by("pk"))

    acting, other = await on_thread(make)
    principal = await on_thread(lambda: ApiKey(user=acting, pk=1, name="k").principal())
    check = partial(check_deletable, principal, other)
    await on_thread(check)
    await User.objects.filter(pk=acting.pk).aupdate(is_active=False)
    with pytest.raises(ToolError, match="is the last active superuser"):
        await on_thread(check)


async def test_who_acted_in_the_admin_is_not_deleted_with_that_history(mute: Wire, alice: User) -> None:
    await LogEntry.objects.acreate(user=alice, object_repr="x", action_flag=1, change_message="")
    result = await administer(mute, "delete-user", target=str(alice.pk), confirm=True)
    assert "has acted in the admin" in text_of(result)
    assert await User.objects.filter(pk=alice.pk).aexists()


async def test_his_credentials_are_over_and_the_record_keeps_his_name(
    mute: Wire, alice: User, recorded: Any
) -> None:
    his = await wire_for(alice)
    await his.call("echo", {"text": "once"})
    await administer(mute, "delete-user", target=str(alice.pk), confirm=True)
    assert (await his.call("echo", {"text": "again"})).status == 401
    await recorded()
    assert await ToolCall.objects.filter(username="alice", name="echo", outcome="ok").acount() == 1
    second = await administer(mute, "delete-user", target=str(alice.pk), confirm=True)
    assert "not found" in text_of(second)


async def test_it_is_recorded_with_what_it_did_or_not_at_all(
    mute: Wire, alice: User, monkeypatch: pytest.MonkeyPatch, recorded: Any
) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr("tools_app.recorder.Entry.store", fail)
        result = await administer(mute, "delete-user", target=str(alice.pk), confirm=True)
    assert "failed unexpectedly" in text_of(result)
    assert await User.objects.filter(pk=alice.pk).aexists()


@pytest.mark.parametrize(
    ("operation", "limit"), [("delete-user", "DELETE_USER"), ("reset-password", "RESET_PASSWORD")]
)
async def test_each_has_a_low_limit_of_its_own(
    mute: Wire, operation: str, limit: str, db_for_threads: None, monkeypatch: pytest.MonkeyPatch, recorded: Any
) -> None:
    from sessions_app.limits import Limit
    from tools_app.builtin import administration

    assert getattr(limits, limit).most == 10
    assert getattr(limits, limit).is_closed_without_redis
    monkeypatch.setitem(administration.LIMITS, operation, Limit(operation, 1, 3600))
    users = await on_thread(lambda: [make_user(f"user{number}") for number in range(2)])
    assert not (await administer(mute, operation, target=str(users[0].pk), confirm=True))["isError"]
    refused = await mute.call(NAME, {"operation": operation, "target": str(users[1].pk), "confirm": True})
    assert refused.status == 429
    assert refused.error["message"].startswith("Rate limit exceeded. Remaining requests: 0.")
    assert await User.objects.filter(pk=users[1].pk, password=users[1].password).aexists()
    await recorded()
    assert (await ToolCall.objects.order_by("-id").afirst()).outcome == "refused"  # type: ignore[union-attr]


ROUNDS = 200


def delete(actor: User, target: User) -> bool:
    principal = ApiKey(user=actor, pk=1, name="k").principal()
    work = partial(delete_user, principal, str(target.pk), Consent(), lambda *what, **about: None)
    try:
        Job(work, writes=True)()
    except ToolError:
        return False
    return True


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time anyway")
async def test_of_two_who_delete_each_other_one_is_left(db_for_threads: None) -> None:
    for _ in range(ROUNDS):
        one, two = await on_thread(lambda: [make_user(name, ADMINISTRATORS) for name in ("one", "two")])
        won = await asyncio.gather(*(tool_pool.run(partial(delete, *pair)) for pair in ((one, two), (two, one))))
        left_over = User.objects.filter(pk__in=[one.pk, two.pk])
        assert (sorted(won), await left_over.acount()) == ([False, True], 1)
        await left_over.adelete()
