"""What to paste into a client: it says where, and nothing is left to fill in but what the client asks for."""

import json
from io import StringIO

import pytest
from django.core.management import call_command

from sessions_app.connect import CLIENTS, instructions

ORIGIN, KEY = "https://mcp.example.com", "cgk_key"


@pytest.mark.parametrize("name", list(CLIENTS))
def test_the_key_and_the_endpoint_are_filled_in(name: str) -> None:
    text = instructions(name, ORIGIN, KEY)
    assert (f"wss://{ORIGIN[8:]}/ws/mcp" if name.endswith("-websocket") else f"{ORIGIN}/mcp") in text
    assert (KEY in text) == (name != "vscode"), "which asks for it"


@pytest.mark.parametrize("name", list(CLIENTS))
def test_it_is_said_what_to_do_with_it(name: str) -> None:
    client = CLIENTS[name]
    assert client.title
    assert client.where.endswith(".")


def test_the_command_prints_the_same() -> None:
    out = StringIO()
    call_command("connect", "typescript", key=KEY, stdout=out)
    assert out.getvalue().strip() == instructions("typescript", "http://127.0.0.1:8000", KEY)


def test_no_argument_of_claude_desktop_s_has_a_space() -> None:
    """Some systems split one there; what has a space is in the environment."""
    server = json.loads(instructions("claude-desktop", ORIGIN, KEY))["mcpServers"]["concierge"]
    assert not any(" " in argument for argument in server["args"])
    assert server["env"] == {"AUTHORIZATION": f"Bearer {KEY}"}


def test_plain_http_is_allowed_only_where_it_is_meant() -> None:
    assert "--allow-http" not in instructions("claude-desktop", ORIGIN, KEY)
    assert "--allow-http" in instructions("claude-desktop", "http://mcp.lan:8000", KEY)
