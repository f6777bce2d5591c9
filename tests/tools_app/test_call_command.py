"""`manage.py call`: one tool as one user, through the whole gate."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from sessions_app.models import Preference, Session, User
from sessions_app.pool import POOLS
from tests.shop import tools as shop
from tools_app.direct import words_of
from tools_app.models import ToolCall

CALLED = pytest.mark.usefixtures("alice")


def call(tool: str, *arguments: str, user: str = "alice", out: Any = None, err: Any = None) -> tuple[str, str]:
    """What was printed: to stdout, to stderr."""
    out, err = out or io.StringIO(), err or io.StringIO()
    call_command("call", tool, "--user", user, *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


@CALLED
def test_it_prints_the_text() -> None:
    assert call("echo", "--args", '{"text": "tea for two"}') == ("tea for two\n", "")
    assert call("order", "--args", '{"number": 7}') == ("**Order 7**: tea\n", "")


@CALLED
def test_it_prints_the_whole_result_as_json() -> None:
    out, err = call("order", "--args", '{"number": 7}', "--json")
    result = json.loads(out)
    assert (result["structuredContent"], result["isError"], err) == ({"number": 7, "item": "tea"}, False, "")


@CALLED
def test_what_is_no_text_is_mentioned() -> None:
    assert call("linked") == ("x\n", "Besides: resource_link. --json shows all of it.\n")


@CALLED
def test_progress_goes_to_stderr() -> None:
    assert call("count", "--args", '{"to": 2}') == ("counted to 2\n", "1/2 at 1\n2/2 at 2\n")


@CALLED
@pytest.mark.filterwarnings("ignore:The logging capability")
def test_log_messages_go_to_stderr() -> None:
    out, err = call("chatter")
    assert out == "logged\n"
    assert err.splitlines()[0] == "debug: it is debug"
    assert len(err.splitlines()) == 8


def test_whatever_else_is_told_is_shown_as_it_is() -> None:
    note = {"method": "notifications/message", "params": {"level": "info", "data": {"é": 1}}}
    assert words_of(note) == 'info: {"é": 1}'
    assert words_of({"method": "notifications/other"}) == "notifications/other {}"
    assert words_of({"method": "notifications/progress", "params": {"progress": 0.5}}) == "0.5"


@CALLED
def test_arguments_come_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"text": "é from stdin"}'))
    assert call("echo", "--args", "-")[0] == "é from stdin\n"


def test_the_record_and_a_session_have_it(alice: User) -> None:
    call("echo", "--args", '{"text": "x"}')
    call("manage-preferences", "--args", '{"action": "set", "key": "a", "value": 1}')
    session = Session.objects.get()
    assert (session.user, session.client_name, session.calls) == (alice, "manage.py", 2)
    for row in ToolCall.objects.all():
        assert (row.user_id, row.username, row.outcome) == (alice.pk, "alice", "ok")
        assert (row.session_id, row.credential) == (session.pk, f"command:{alice.pk}")
    assert ToolCall.objects.count() == 2
    assert Preference.objects.get().user == alice


@CALLED
def test_its_pools_are_closed() -> None:
    call("order", "--args", '{"number": 7}')
    assert [pool._executor for pool in POOLS] == [None] * len(POOLS)


@CALLED
@pytest.mark.parametrize("tool", ["restock", "no-such-tool"])
def test_a_hidden_tool_is_an_unknown_one(tool: str) -> None:
    with pytest.raises(CommandError, match=f"^Unknown tool: {tool}$"):
        call(tool)
    assert ToolCall.objects.get().outcome == "refused"


@CALLED
@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("refuse", "{}", "^Out of tea$"),
        ("typed", '{"number": "5", "tags": []}', "^Invalid arguments for typed: number: "),
        ("brief", "{}", r"^Stopped after 0\.1 s\.$"),
        ("crash", "{}", "^crash failed unexpectedly. Error id: [0-9a-f]{8}$"),
        ("ask", '{"text": "Tea"}', "did not declare the form elicitation"),
    ],
)
def test_an_error_is_an_error(tool: str, arguments: str, said: str) -> None:
    out = io.StringIO()
    with pytest.raises(CommandError, match=said) as raised:
        call(tool, "--args", arguments, out=out)
    assert (out.getvalue(), raised.value.returncode) == ("", 1)
    assert shop.SECRET not in str(raised.value)
    assert ToolCall.objects.get().outcome != "ok"


@CALLED
def test_an_error_result_is_one_in_json_too() -> None:
    out = io.StringIO()
    with pytest.raises(CommandError, match="Out of tea"):
        call("refuse", "--json", out=out)
    assert json.loads(out.getvalue())["isError"] is True


@CALLED
def test_a_limit_counts_it() -> None:
    for _ in range(3):
        call("rationed")
    with pytest.raises(CommandError, match=r"^Rate limit exceeded\..*rationed: 3/h"):
        call("rationed")


@CALLED
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("{", "^--args: Not valid JSON"),
        ("", "^--args: Not valid JSON"),
        ('{"a": 1, "a": 2}', "^--args: Not valid JSON"),
        ('{"a": NaN}', "^--args: Not valid JSON"),
        ("\udcff", "^--args: Not valid JSON"),
        ("[1]", "^--args: a JSON object is wanted"),
        ("null", "^--args: a JSON object is wanted"),
    ],
)
def test_arguments_are_one_json_object(arguments: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call("echo", "--args", arguments)
    assert not ToolCall.objects.exists()


@CALLED
def test_the_user_is_one_who_may_call() -> None:
    with pytest.raises(CommandError, match=r"^There is no user 'nobody'\.$"):
        call("echo", user="nobody")
    User.objects.filter(username="alice").update(is_active=False)
    with pytest.raises(CommandError, match=r"^alice is not active"):
        call("echo")
    assert not Session.objects.exists()


def test_who_may_less_sees_less(charlie: User, admin: User) -> None:
    with pytest.raises(CommandError, match="Unknown tool"):
        call("echo", "--args", '{"text": "x"}', user="charlie")
    assert call("restock", user="admin")[0] == "restocked\n"
