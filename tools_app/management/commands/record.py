import logging
from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand

from sessions_app.durations import parse_duration
from tools_app.export import FORMATS
from tools_app.models.tool_call import ToolCall, ToolCallQuerySet

logger = logging.getLogger(__name__)
NARROWED_BY = ("since", "user", "tool", "outcome")


class Command(BaseCommand):
    help = "Print the record of calls, newest first, as CSV or JSON lines. docs/record.md says what is in it."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "--since",
            type=length,
            default="7d",
            metavar="7d",
            help="How far back: 30m, 12h, 90d (default: 7d).",
        )
        parser.add_argument("--format", choices=FORMATS, default="csv", help="Default: csv.")
        parser.add_argument("--user", help="Only calls of whoever had this username then.")
        parser.add_argument("--tool", help="Only calls of the tool, resource or prompt of this name.")
        parser.add_argument("--outcome", choices=ToolCall.Outcome.values, help="Only calls with this outcome.")

    def handle(self, *args: Any, format: str, **options: Any) -> None:
        of = ", ".join(f"{name} {options[name]}" for name in NARROWED_BY if options[name] is not None)
        logger.info("The record is exported as %s by a command: %s", FORMATS[format].name, of)
        try:
            for text in FORMATS[format].text(chosen(**options)):
                self.stdout.write(text, ending="")
            self.stdout.flush()
        except BrokenPipeError:
            raise SystemExit(1) from None


def chosen(
    since: timedelta, user: str | None, tool: str | None, outcome: str | None, **options: Any
) -> ToolCallQuerySet:
    calls = ToolCall.objects.since(since)
    if user is not None:
        calls = calls.by(user)
    if tool is not None:
        calls = calls.named(tool)
    return calls if outcome is None else calls.with_outcome(outcome)


def length(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
