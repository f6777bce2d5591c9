"""The record as a file: what is filtered, as CSV or JSON lines, however much; noted, and harmless to open."""

import csv
import json
import logging
import resource
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from asgiref.sync import async_to_sync
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from project.logs import OneLine
from sessions_app.models import User
from tests.control_room import ControlRoom, history_of, list_of, make_staff, make_superuser
from tests.tools_app.calls import HOSTILE, SPELLED_OUT, make_call, make_calls
from tools_app.export import COLUMNS, FORMATS
from tools_app.models import ToolCall

LIST = list_of(ToolCall)
EXPORT = f"{LIST}export/"
FORMULAS = ("=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\uff1d1", "  =1")


@pytest.fixture
def room(db_for_threads: None) -> ControlRoom:
    return ControlRoom(make_superuser())


def ask(room: ControlRoom, extension: str, **query: str) -> Any:
    return room.post(f"{EXPORT}?{urlencode(query)}", format=extension)


def export(room: ControlRoom, extension: str, **query: str) -> str:
    response = ask(room, extension, **query)
    assert response.status_code == 200
    return async_to_sync(whole)(response)


async def whole(response: Any) -> str:
    return b"".join([part async for part in response]).decode()


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text, newline="")))


def read_json_lines(text: str) -> list[dict[str, Any]]:
    assert text.isascii()
    return [json.loads(line) for line in text.splitlines()]


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("record", *arguments, stdout=out)
    return out.getvalue()


# --- What is in it ---


def test_both_formats_hold_all_that_is_kept(room: ControlRoom) -> None:
    call = make_call(error_id="abcd1234", outcome="crashed", session_id=None, ip=None)
    [row] = read_json_lines(export(room, "jsonl"))
    assert set(row) == {field.name for field in ToolCall._meta.fields}
    assert row["started_at"] == call.started_at.isoformat()
    assert (row["session_id"], row["ip"], row["duration_ms"]) == (None, None, 1.25)
    [cells] = read_csv(export(room, "csv"))
    assert list(cells) == list(COLUMNS)
    assert cells == {name: "" if value is None else str(value) for name, value in row.items()}


def test_a_file_is_a_download_with_a_name(room: ControlRoom) -> None:
    for extension, kind in (("csv", "text/csv; charset=utf-8"), ("jsonl", "application/jsonl; charset=utf-8")):
        response = ask(room, extension)
        assert response["Content-Type"] == kind
        assert response["Content-Disposition"].startswith('attachment; filename="record-2')
        assert response["Content-Disposition"].endswith(f'.{extension}"')
        assert "no-store" in response["Cache-Control"]


def test_it_holds_what_the_list_is_narrowed_to_and_not_its_page_alone(room: ControlRoom) -> None:
    make_calls(120)
    wanted = make_call(username="bob", outcome="error")
    assert len(read_json_lines(export(room, "jsonl", p="9999999999999999-1"))) == 121
    for query in ({"user": "bob"}, {"outcome": "failed"}, {"q": "bob"}, {"user": "bob", "outcome": "error"}):
        assert [row["id"] for row in read_json_lines(export(room, "jsonl", **query))] == [wanted.pk]


def test_a_filter_that_makes_no_sense_exports_nothing(room: ControlRoom) -> None:
    make_call()
    assert export(room, "jsonl", since="yesterday") == ""
    assert read_csv(export(room, "csv", outcome="fine")) == []
    for query in ({"name__contains": "e"}, {"q": "a\x00"}):
        assert ask(room, "csv", **query).status_code == 400


# --- Who may, and what is noted ---


@pytest.mark.parametrize(
    ("may", "status"),
    [("^view_", 403), ("^export_toolcall$", 403), ("^$", 403), ("^(view|export)_toolcall$", 200)],
)
def test_exporting_takes_a_permission_of_its_own(db_for_threads: None, may: str, status: int) -> None:
    assert ask(ControlRoom(make_staff("staff", may=may)), "csv").status_code == status
    assert LogEntry.objects.exists() == (status == 200)


def test_who_is_not_staff_is_asked_to_sign_in(alice: User) -> None:
    for visitor in (ControlRoom(), ControlRoom(alice)):
        assert ask(visitor, "csv")["Location"].startswith("/admin/login/")


def test_no_link_and_no_foreign_page_can_start_an_export(room: ControlRoom, db_for_threads: None) -> None:
    assert room.get(EXPORT, format="csv").status_code == 405
    forged = ControlRoom(make_superuser("other"), enforce_csrf_checks=True)
    assert ask(forged, "csv").status_code == 403
    assert not LogEntry.objects.exists()


def test_an_unknown_format_is_refused(room: ControlRoom) -> None:
    for extension in ("xlsx", ""):
        response = ask(room, extension)
        assert (response.status_code, response.text) == (400, "There is no such format.")


def test_an_export_is_noted_before_its_first_row_leaves(
    room: ControlRoom, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    call = make_call()
    ask(room, "csv", user="bob", outcome="failed")  # nobody reads it
    entry = LogEntry.objects.get()
    assert str(entry) == "Changed “The record” — Exported as CSV: outcome failed, user bob."
    assert entry.user.username == "operator"
    assert "operator exported the record as CSV: outcome failed, user bob" in caplog.text
    assert "Exported as CSV" in room.read(list_of(LogEntry))
    assert "Exported as CSV" not in room.read(history_of(call))
    ask(room, "jsonl", user="", tool="")
    assert LogEntry.objects.first().get_change_message() == "Exported as JSON lines: everything."  # type: ignore[union-attr]


# --- What somebody else wrote ---


@pytest.mark.parametrize("text", [*FORMULAS, HOSTILE, 'a","b', "a;=1", "a\n=1", "a\u2028b", "né ok"])
def test_no_cell_is_a_formula_and_no_character_acts(room: ControlRoom, text: str) -> None:
    make_call(name=text, username=text, client_name=text, client_version=text[:100], credential=text)
    written = export(room, "csv")
    assert not any(char in written for char in "\x1b\u202e\t\u2028")
    assert written.count("\n") == written.count("\r\n") == 2
    [cells] = read_csv(written)
    for column in ("name", "username", "client_name", "client_version", "credential"):
        assert not cells[column].lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d"))
        assert cells[column].removeprefix("'") == cells["name"].removeprefix("'")
    assert f'"{cells["name"]}"' in written.replace('""', '"')


def test_json_lines_bring_back_what_was_written(room: ControlRoom) -> None:
    for text in (*FORMULAS, HOSTILE, "é\u2028"):
        ToolCall.objects.all().delete()
        make_call(name=text)
        [row] = read_json_lines(export(room, "jsonl"))
        assert row["name"] == text


def test_hostile_names_start_no_line_in_the_log(db_for_threads: None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    operator = User.objects.create_superuser(HOSTILE, "x@example.com", "correct horse")
    ask(ControlRoom(operator), "csv", user=HOSTILE, tool="order\nforged")
    [record] = [record for record in caplog.records if "exported" in record.getMessage()]
    line = OneLine("{levelname} {message}", style="{").format(record)
    assert SPELLED_OUT in line
    assert line.isprintable()
    note = LogEntry.objects.get().get_change_message()
    assert note.isprintable()
    assert "order\\nforged" in note


# --- However much ---


def memory() -> int:
    """What this process has in memory, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.alike
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_hundred_thousand_rows_pass_without_gathering(db_for_threads: None) -> None:
    make_calls(100_000)
    for extension, chosen in FORMATS.items():
        rows, before, grown = 0, memory(), 0
        for piece in chosen.text(ToolCall.objects.all()):
            rows += piece.count("\n")
            grown = max(grown, memory() - before)
        assert rows == 100_000 + (extension == "csv")
        assert grown < 15_000_000  # in all they are 150 MB, and 20 as text


def test_rows_are_read_as_they_leave(db_for_threads: None) -> None:
    make_calls(2500)
    pieces = FORMATS["csv"].text(ToolCall.objects.all())
    for asked in (0, 1, 1, 1):
        with CaptureQueriesContext(connection) as queries:
            next(pieces)
        assert len(queries) == asked
        assert not connection.in_atomic_block


# --- The command ---


def test_the_command_prints_what_was_asked_for(db_for_threads: None) -> None:
    wanted = make_call(timedelta(hours=1), username="bob", name="order", outcome="error")
    for details in ({}, {"username": "bob"}, {"name": "order"}, {"outcome": "error"}):
        make_call(timedelta(hours=1), **details)
    make_call(timedelta(hours=3), username="bob", name="order", outcome="error")
    narrowed = ("--since", "2h", "--user", "bob", "--tool", "order", "--outcome", "error")
    assert [row["id"] for row in read_json_lines(command(*narrowed, "--format", "jsonl"))] == [wanted.pk]
    assert [row["id"] for row in read_csv(command(*narrowed))] == [str(wanted.pk)]


def test_the_command_goes_a_week_back_unless_told(db_for_threads: None) -> None:
    recent, _ = make_call(timedelta(days=6)), make_call(timedelta(days=8))
    assert [row["id"] for row in read_json_lines(command("--format", "jsonl"))] == [recent.pk]
    assert len(read_json_lines(command("--format", "jsonl", "--since", "52w"))) == 2


def test_the_command_is_logged(db_for_threads: None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    command("--user", "bob")
    assert "The record is exported as CSV by a command: since 7 days, 0:00:00, user bob" in caplog.text


@pytest.mark.parametrize("wrong", [("--since", "soon"), ("--outcome", "fine"), ("--format", "xlsx")])
def test_the_command_refuses_what_makes_no_sense(db_for_threads: None, wrong: tuple[str, str]) -> None:
    with pytest.raises(CommandError, match=f"argument {wrong[0]}"):
        command(*wrong)


def test_nothing_found_is_an_empty_table(db_for_threads: None) -> None:
    make_call()
    assert read_csv(command("--user", "nobody")) == []
    assert command("--user", "nobody", "--format", "jsonl") == ""
