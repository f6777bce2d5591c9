import asyncio
import json
import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from mcp.shared.exceptions import MCPError

from sessions_app.exceptions import Unparsable
from sessions_app.models import User
from sessions_app.pool import POOLS
from sessions_app.transport import strict_json
from sessions_app.transport.bus import bus
from tools_app.direct import Insider, Result, words_of
from tools_app.recorder import recorder

CLIENT = "manage.py"
"""The client's name in the record, and of the session."""
INTERRUPTED = 130
"""The exit status that shells know for Ctrl-C."""


class Command(BaseCommand):
    help = (
        "Call one tool as a user and print what it returns. It takes the same way as any call: it needs his"
        " permission, counts against his limits and is recorded. Progress and logs go to stderr."
    )
    is_stuck = False

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("tool", help="Its name; `manage.py tools` lists them.")
        parser.add_argument("--user", required=True, help="The username of whoever calls.")
        parser.add_argument(
            "--args",
            dest="arguments",  # Django has taken `args`
            default="{}",
            metavar="JSON",
            help="The tool's arguments, as a JSON object; - reads it from stdin (default: none).",
        )
        parser.add_argument("--json", action="store_true", help="Print the whole result as JSON.")

    def run_from_argv(self, argv: list[str]) -> None:
        """From a shell. Python would wait for a thread that is stuck in a tool, perhaps for ever."""
        status: Any = 0
        try:
            super().run_from_argv(argv)
        except SystemExit as end:
            status = end.code
        if self.is_stuck:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        sys.exit(status)

    def handle(self, *args: Any, tool: str, user: str, arguments: str, json: bool, **options: Any) -> None:
        insider = Insider.of(active_user(user), CLIENT)
        try:
            result = asyncio.run(self.call(insider, tool, read_arguments(arguments)))
        except MCPError as error:
            raise CommandError(error.message) from None
        except KeyboardInterrupt:
            raise CommandError("Stopped.", returncode=INTERRUPTED) from None
        finally:
            stuck = [pool for pool in POOLS if not pool.close()]
            self.is_stuck = bool(stuck)
        self.show(result, is_whole=json)
        if result.is_error:
            raise CommandError(result.text)

    async def call(self, insider: Insider, tool: str, arguments: dict[str, Any]) -> Result:
        bus.attach()  # the servers are told what a tool tells, and tell that the session was ended
        try:
            return await insider.call(tool, arguments, self.hear)
        finally:
            await recorder.drain()
            await bus.detach()

    def hear(self, notification: dict[str, Any]) -> None:
        self.stderr.write(words_of(notification), str)

    def show(self, result: Result, *, is_whole: bool) -> None:
        if is_whole:
            self.stdout.write(json.dumps(result.raw, ensure_ascii=False, indent=2))
        elif not result.is_error:
            self.stdout.write(result.text)
            if others := [block["type"] for block in result.content if block["type"] != "text"]:
                self.stderr.write(f"Besides: {', '.join(others)}. --json shows all of it.", str)


def active_user(username: str) -> User:
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"There is no user {username!r}.")
    if not user.is_active:
        raise CommandError(f"{username} is not active, and so may call nothing.")
    return user


def read_arguments(text: str) -> dict[str, Any]:
    raw = sys.stdin.read() if text == "-" else text
    try:
        arguments = strict_json.loads(raw.encode("utf-8", "surrogateescape"))
    except Unparsable as error:
        raise CommandError(f"--args: {error.message}") from None
    if not isinstance(arguments, dict):
        raise CommandError('--args: a JSON object is wanted, such as {"text": "hello"}.')
    return arguments
