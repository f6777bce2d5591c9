#!/usr/bin/env python3
"""Concierge's command line: `manage.py serve`, `manage.py createkey`, and Django's own commands."""

import os
import sys


def main() -> None:
    os.umask(0o077)  # the database, keys and logs that we write are for our user alone
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as problem:
        if sys.argv[1:2] == ["doctor"]:
            from project.doctor.unreadable import report_unreadable

            sys.exit(report_unreadable(problem, sys.argv[2:]))
        sys.exit(f"Configuration: {problem}")


if __name__ == "__main__":
    main()
