import logging
import os
import sys
from collections import Counter
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.module_loading import import_string

from project.doctor.discretion import Discretion
from project.doctor.examination import Case, examine
from project.doctor.finding import Verdict
from project.doctor.report import as_json, as_text, summary

KEY = "CONCIERGE_DOCTOR_KEY"
NOUNS = (
    "configuration", "data_directory", "database", "migrations", "redis", "channel_layer", "cache", "server",
    "public_url", "proxy", "mcp", "websocket", "mail", "people", "workers", "cleanup",
)  # fmt: skip
"""Of `project.doctor`, in the order in which they are reported."""


class Command(BaseCommand):
    help = (
        "Try everything that Concierge needs, and say what is wrong and what mends it. It ends within 15 seconds,"
        " with status 1 if there are problems. docs/doctor.md says what it looks at."
    )
    # It makes them itself, and says more; and it needs no migrations.
    requires_system_checks = []

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "--key",
            default=os.environ.get(KEY, ""),
            help=f"Show this API key to the server ({KEY} says it more discreetly). Without one, a key that may"
            " do nothing is made and deleted.",
        )
        parser.add_argument("--mail", default="", metavar="ADDRESS", help="Send a test message there.")
        parser.add_argument("--json", action="store_true", help="A line of JSON a check, for programs.")

    def handle(self, *args: Any, key: str, mail: str, json: bool, traceback: bool, **options: Any) -> None:
        for noun in NOUNS:
            import_string(f"project.doctor.{noun}.{noun}")
        if not traceback:
            logging.disable(logging.CRITICAL)  # what is wrong is said once
        discretion = Discretion(settings.CONFIG, settings.SECRET_KEY, key)
        counts: Counter[Verdict] = Counter()
        for noun, found in examine(Case(key, mail)):
            findings = [discretion.of(finding) for finding in found]
            counts.update(finding.verdict for finding in findings)
            lines = (as_json(noun, each) for each in findings) if json else as_text(noun, findings, self.style)
            for line in lines:
                self.stdout.write(line)
            self.stdout.flush()
        if not json:
            self.stdout.write("")
            self.stdout.write(summary(counts))
        if counts[Verdict.PROBLEM]:
            self.leave(1)

    def leave(self, status: int) -> None:
        self.stdout.flush()
        sys.exit(status)
