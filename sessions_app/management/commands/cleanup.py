import logging
import signal
import time
from argparse import ArgumentTypeError
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseFailure
from django.db import close_old_connections
from django.utils.module_loading import autodiscover_modules

from sessions_app.chores import chores
from sessions_app.durations import parse_duration

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "End what has expired and delete what is old, in small batches. Safe while serving, and twice at once."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Say what would go, and change nothing.")
        parser.add_argument(
            "--every", type=interval, metavar="5m", help="Do it again and again until stopped (30m, 12h, 1d)."
        )

    def handle(self, *args: Any, dry_run: bool, every: timedelta | None, **options: Any) -> None:
        autodiscover_modules("cleanup")
        if dry_run:
            self.stdout.write("This is what would go. Nothing is changed.")
        if every is not None:
            self.keep_going(dry_run, every)
        elif not self.go_round(dry_run):
            raise CommandError("Not everything could be done; the log above says why.")

    def keep_going(self, dry_run: bool, every: timedelta) -> None:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends it as Ctrl-C does
        with suppress(KeyboardInterrupt):
            while True:
                self.go_round(dry_run)
                close_old_connections()
                self.stdout.flush()
                time.sleep(every.total_seconds())

    def go_round(self, dry_run: bool) -> bool:
        """Each chore, whatever became of the one before. False if the database did not let one end."""
        is_done = True
        for chore in chores:
            try:
                count = chore.count() if dry_run else chore.run(partial(self.show_progress, chore.name))
            except DatabaseFailure as failure:
                logger.error("Cleaning up stopped at %s: %s", chore.name, failure)  # noqa: TRY400
                close_old_connections()
                is_done = False
            else:
                self.stdout.write(f"{chore.name}: {count}")
        return is_done

    def show_progress(self, name: str, done: int) -> None:
        """For whoever watches: over itself, until the count takes its place."""
        if self.stdout.isatty():
            self.stdout.write(f"{name}: {done} …\r", ending="")
            self.stdout.flush()


def interval(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
