"""What the record says of arguments is for who may see that, besides the record itself."""

from typing import Any

import pytest
from asgiref.sync import async_to_sync

from tests.control_room import ControlRoom, list_of, make_staff, page_of
from tools_app.models import ToolCall

DIGEST = "0123456789abcdef0123456789abcdef"
MAY = {"may": "^(view_toolcall|export_toolcall|view_arguments)$", "may not": "^(view_toolcall|export_toolcall)$"}


@pytest.fixture
def call(db_for_threads: None) -> ToolCall:
    call: ToolCall = ToolCall.objects.create(
        kind="tool", name="echo", outcome="ok", username="alice", credential="api-key:1", arguments_digest=DIGEST,
        arguments_size=4711, started_at="2026-11-26T12:00:00Z", duration_ms=1.5,
    )  # fmt: skip
    return call


async def whole(answer: Any) -> str:
    return b"".join([part async for part in answer]).decode()


@pytest.mark.parametrize("who", MAY)
def test_its_page_says_it_only_to_them(call: ToolCall, who: str) -> None:
    page = ControlRoom(make_staff("clerk", may=MAY[who])).read(page_of(call))
    assert "echo" in page
    assert (DIGEST in page, "4711" in page) == ((who == "may"),) * 2


@pytest.mark.parametrize("format", ["csv", "jsonl"])
@pytest.mark.parametrize("who", MAY)
def test_an_export_has_it_only_for_them(call: ToolCall, who: str, format: str) -> None:
    clerk = ControlRoom(make_staff("clerk", may=MAY[who]))
    answer = clerk.post(f"{list_of(ToolCall)}export/", format=format)
    text = async_to_sync(whole)(answer)
    assert "echo" in text
    assert ("arguments_digest" in text, DIGEST in text) == ((who == "may"),) * 2
