"""An operator tries a tool from a page: as himself, by the gate that every call takes."""

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session as SignIn
from django.db import transaction
from django.test import Client as Browser

from sessions_app.models import Preference, Session, User
from sessions_app.pool import identity_pool
from sessions_app.state import state
from tests.conftest import wire_for
from tests.sessions_app.conftest import quick as quick
from tests.shop import tools as shop
from tests.wire import until
from tools_app.models import ToolCall
from tools_app.recorder import Entry, recorder
from tools_app.trial import ASKS, LARGEST, Trial, try_tool

from .decisions import decide, off

Try = Callable[..., Trial]
SECRET = "correct-horse-battery-staple"


def signed_in(user: User) -> str:
    browser = Browser()
    browser.force_login(user)
    assert browser.session.session_key is not None
    return browser.session.session_key


@pytest.fixture
def key(admin: User) -> str:
    """Of the session by which admin is signed in."""
    return signed_in(admin)


@pytest.fixture
def attempt(key: str) -> Try:
    def attempt(name: str, arguments: str | None = None, **given: Any) -> Trial:
        return try_tool(key, "192.0.2.7", name, json.dumps(given) if arguments is None else arguments)

    return attempt


def outcome() -> str:
    return ToolCall.objects.get().outcome


# --- What it returns --------------------------------------------------------------------------------


def test_it_shows_what_the_tool_returned(attempt: Try) -> None:
    trial = attempt("order", number=7)
    assert (trial.text, trial.structured) == ("**Order 7**: tea", {"number": 7, "item": "tea"})
    assert (trial.is_error, trial.has_result, trial.error_id, trial.others) == (False, True, "", ())
    assert 0 < trial.duration_ms < 5000


@pytest.mark.parametrize("nothing", ["", "  \n", "{}"])
def test_no_arguments_are_an_empty_object(attempt: Try, nothing: str) -> None:
    assert attempt("restock", nothing).text == "restocked"


def test_content_that_is_no_text_is_named(attempt: Try) -> None:
    assert attempt("linked").others == ("resource_link",)


def test_it_shows_what_was_told_meanwhile(attempt: Try) -> None:
    assert attempt("count", to=3).told == ("1/3 at 1", "2/3 at 2", "3/3 at 3")
    assert attempt("count", to=300).told[-1] == "300/300 at 300"
    assert len(attempt("count", to=300).told) == 100


def test_it_changes_what_the_tool_changes(attempt: Try, admin: User) -> None:
    attempt("manage-preferences", action="set", key="drink", value="tea")
    assert Preference.objects.of(admin.pk).as_dict() == {"drink": "tea"}


# --- By the same gate -------------------------------------------------------------------------------


def test_it_is_recorded_and_has_a_session(attempt: Try, admin: User) -> None:
    attempt("echo", text="x")
    call, session = ToolCall.objects.get(), Session.objects.get()
    assert (call.name, call.outcome, call.user_id, call.credential) == ("echo", "ok", admin.pk, "browser")
    assert (call.client_name, call.ip, call.session_id) == ("Control room", "192.0.2.7", session.pk)
    assert (session.client_name, session.user, session.calls) == ("Control room", admin, 1)


def test_what_he_may_not_call_is_unknown_to_him(attempt: Try) -> None:
    hidden, unknown = attempt("close-shop"), attempt("no-such-tool")
    assert hidden.text == "Unknown tool: close-shop"
    assert hidden.text.replace("close-shop", "no-such-tool") == unknown.text
    assert not hidden.has_result
    assert set(ToolCall.objects.values_list("outcome", flat=True)) == {"refused"}


def test_so_is_what_is_switched_off(attempt: Try) -> None:
    off("restock")()
    trial = attempt("restock")
    assert (trial.text, trial.is_error, trial.has_result) == ("Unknown tool: restock", True, False)
    assert outcome() == "refused"


def test_what_he_may_is_what_the_database_says_now(attempt: Try, admin: User) -> None:
    assert attempt("restock").text == "restocked"
    admin.groups.clear()
    assert attempt("restock").text == "Unknown tool: restock"


def test_who_is_signed_out_may_nothing(attempt: Try) -> None:
    SignIn.objects.all().delete()
    trial = attempt("echo", text="x")
    assert (trial.is_error, trial.has_result) == (True, False)
    assert not ToolCall.objects.exists()


def test_another_s_session_is_another_s_authority(alice: User, key: str) -> None:
    """The key alone proves who calls."""
    assert try_tool(signed_in(alice), None, "restock", "{}").text == "Unknown tool: restock"


def test_limits_count_it(attempt: Try) -> None:
    assert [attempt("rationed").text for _ in range(3)] == ["granted"] * 3
    trial = attempt("rationed")
    assert trial.text.startswith("Rate limit exceeded.")
    assert not trial.has_result
    assert ToolCall.objects.count() == 3


async def test_limits_count_it_with_what_he_sends_from_elsewhere(admin: User, recorded: Any) -> None:
    wire = await wire_for(admin)
    for _ in range(3):
        await wire.call("rationed")
    key = await identity_pool.run(lambda: signed_in(admin))
    trial = await sync_to_async(try_tool)(key, None, "rationed", "")
    assert trial.text.startswith("Rate limit exceeded.")


@pytest.mark.parametrize(("tool", "arguments"), [("brief", {}), ("slow-write", {"seconds": 0.4})])
def test_its_time_is_the_tool_s(attempt: Try, tool: str, arguments: dict[str, Any]) -> None:
    trial = attempt(tool, **arguments)
    assert trial.is_error
    assert trial.text.startswith("Stopped after 0.")
    assert outcome() == "timeout"
    assert not Preference.objects.exists()


def test_operators_time_counts_here_too(attempt: Try) -> None:
    decide("wait", timeout=1)()
    assert attempt("wait", seconds=3).text == "Stopped after 1 s."


def test_what_fails_is_undone(attempt: Try) -> None:
    trial = attempt("refuse")
    assert (trial.text, trial.is_error, trial.has_result) == ("Out of tea", True, True)
    assert not Preference.objects.exists()
    assert outcome() == "error"


def test_a_crash_shows_its_id_and_no_more(attempt: Try, caplog: pytest.LogCaptureFixture) -> None:
    trial = attempt("crash")
    assert trial.error_id == ToolCall.objects.get().error_id != ""
    assert shop.SECRET not in str(trial)
    assert trial.error_id in caplog.text


# --- What it is given -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "Not valid JSON: "),
        ('{"text": "x"', "Not valid JSON: "),
        ("{'text': 1}", "Not valid JSON: "),
        ("[1]", "the arguments are a JSON object"),
        ("null", "the arguments are a JSON object"),
        ("7", "the arguments are a JSON object"),
        ('{"a": 1, "a": 2}', "Not valid JSON: "),
        ('{"a": NaN}', "Not valid JSON: "),
        ('{"a": "\\u0000"}', "a NUL character"),
        ('{"a": "\ud800"}', "Not valid JSON: "),
        ("[" * 100_000, "more than 10000 arrays"),
        ('{"text": "' + "x" * LARGEST + '"}', "larger than 262144 bytes"),
    ],
)
def test_what_are_no_arguments_is_said_plainly(attempt: Try, text: str, says: str) -> None:
    trial = attempt("echo", text)
    assert says in trial.text
    assert len(trial.text) < 200
    assert (trial.is_error, trial.has_result) == (True, False)
    assert not ToolCall.objects.exists()


def test_arguments_that_do_not_fit_are_named(attempt: Try) -> None:
    trial = attempt("typed", number="5", tags=[])
    assert trial.text.startswith("Invalid arguments for typed: number: ")
    assert outcome() == "invalid"


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 5000, "\ud800", "a\nb", "échapper"])
def test_any_name_is_answered(attempt: Try, name: str) -> None:
    trial = attempt(name)
    assert (trial.is_error, trial.has_result) == (True, False)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("typed", {"number": SECRET, "tags": []}),
        ("crash-on", {"text": SECRET}),
        ("brief-with", {"text": SECRET}),
        ("no-such-tool", {"password": SECRET}),
        ("typed", '{"number": "' + SECRET),
        ("typed", '{"' + SECRET + '": 1, "' + SECRET + '": 2}'),
    ],
)
def test_no_argument_appears_in_what_is_shown_logged_or_recorded(
    attempt: Try, key: str, tool: str, arguments: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    trial = attempt(tool, arguments if isinstance(arguments, str) else json.dumps(arguments))
    rows = [str(row) for model in (ToolCall, Session) for row in model.objects.values()]
    for secret in (SECRET, key):
        assert secret not in str(trial)
        assert secret not in caplog.text
        assert not any(secret in row for row in rows)


# --- What asks --------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:The (sampling|roots) capability")
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("ask", {"text": "Tea"}),
        ("ask-and-write", {"text": "Tea"}),
        ("ask-by", {"mode": "form"}),
        ("ask-briefly", {}),
        ("sample", {}),
        ("roots", {}),
    ],
)
def test_a_tool_that_asks_says_that_it_cannot_be_tried(attempt: Try, tool: str, arguments: Any) -> None:
    trial = attempt(tool, **arguments)
    assert (trial.text, trial.is_error) == (ASKS, True)
    assert not Preference.objects.exists()


def test_what_wants_consent_takes_it_as_an_argument(attempt: Try, alice: User) -> None:
    """As from any client that cannot ask: the question is shown, and `confirm` answers it."""
    trial = attempt("admin-operations", operation="delete-user", target=str(alice.pk))
    assert "confirm: true" in trial.text
    assert User.objects.filter(pk=alice.pk).exists()


# --- In a server ------------------------------------------------------------------------------------


async def test_a_view_s_call_runs_on_the_server_s_own_loop(
    admin: User, recorded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Django serves a view that is no coroutine: in a thread, below the loop."""
    key = await identity_pool.run(lambda: signed_in(admin))
    loops: list[Any] = []
    add = recorder.add

    def view() -> Trial:
        assert threading.current_thread() is not threading.main_thread()
        return try_tool(key, None, "manage-preferences", '{"action": "set", "key": "a", "value": 1}')

    def noted(entry: Entry) -> None:
        loops.append(asyncio.get_running_loop())
        add(entry)

    monkeypatch.setattr(recorder, "add", noted)
    trials = await asyncio.gather(*(sync_to_async(view, thread_sensitive=False)() for _ in range(3)))
    assert not any(trial.is_error for trial in trials)
    assert set(loops) == {asyncio.get_running_loop()}
    assert await ToolCall.objects.acount() == 3


@pytest.mark.parametrize("end", [lambda: Session.objects.all().end("by an operator"), SignIn.objects.all().delete])
async def test_it_ends_with_its_session_and_when_he_signs_out(
    admin: User, recorded: Any, attached: None, quick: None, end: Callable[[], Any]
) -> None:
    shop.finished.clear()
    key = await identity_pool.run(lambda: signed_in(admin))
    view = sync_to_async(try_tool, thread_sensitive=False)
    trying = asyncio.ensure_future(view(key, None, "wait", '{"seconds": 20}'))
    await until(lambda: any(state._running.values()))  # type: ignore[attr-defined]  # of memory
    await asyncio.sleep(0.1)  # it is past the gate
    began = time.monotonic()
    await identity_pool.run(end)
    trial = await trying
    assert time.monotonic() - began < 10
    assert (trial.is_error, trial.has_result) == (True, False)
    assert shop.finished == []
    assert (await ToolCall.objects.aget()).outcome == "cancelled"


def test_a_real_server_s_page_tries_tools(served: str, key: str, settings: Any) -> None:
    """Many at once, with others than these calling meanwhile: no view's thread waits for another's."""
    settings.ROOT_URLCONF = "tests.tools_app.trial_page"

    def fetch(number: int) -> Any:
        arguments = json.dumps({"action": "set", "key": f"key-{number}", "value": number})
        cookies = {settings.SESSION_COOKIE_NAME: key}
        page = f"{served}/try/manage-preferences"
        return httpx2.get(page, params={"arguments": arguments}, cookies=cookies, timeout=20).json()

    with ThreadPoolExecutor(8) as pages:
        trials = list(pages.map(fetch, range(8)))
    assert [trial["is_error"] for trial in trials] == [False] * 8
    assert Preference.objects.count() == 8
    assert set(ToolCall.objects.values_list("client_name", "outcome", "ip")) == {
        ("Control room", "ok", "127.0.0.1")
    }
    assert ToolCall.objects.count() == 8


def test_a_view_with_a_transaction_open_is_a_mistake(attempt: Try) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="outside of any transaction"):
        attempt("echo", text="x")
