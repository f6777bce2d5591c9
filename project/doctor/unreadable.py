"""An environment that cannot be read: then there are no settings, and this is all that can be said."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured
from django.core.management.color import color_style, no_style

from .finding import Verdict, problem
from .report import as_json, as_text, summary

NOUN = "configuration"
MEND = "docs/settings.md says what each takes"


def report_unreadable(error: ImproperlyConfigured, arguments: Sequence[str]) -> int:
    """The exit status. The error names variables, and no secret's value."""
    said = str(error).splitlines()
    findings = [problem("environment", line.strip(), MEND) for line in said[1:] or said]
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-color", action="store_true")
    given, _ = parser.parse_known_args(arguments)
    if given.json:
        lines = [as_json(NOUN, finding) for finding in findings]
    else:
        style = no_style() if given.no_color else color_style()
        counts = Counter({Verdict.PROBLEM: len(findings)})
        lines = [*as_text(NOUN, findings, style), "", f"{summary(counts)} Nothing else can be looked at before."]
    sys.stdout.write("\n".join([*lines, ""]))
    return 1
