"""Another process that revokes keys as it is told: a prefix on each line; answers when its commit had returned."""

import os
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.failure.settings")


def main() -> None:
    django.setup()
    from django.db import connection

    from sessions_app.models import ApiKey

    for line in sys.stdin:
        if ApiKey.objects.by_prefix(line.strip()).revoke() != 1:
            raise SystemExit(f"not revoked: {line}")
        print(time.monotonic(), flush=True)
        connection.close()  # as a command ends: the database may go away until the next line


if __name__ == "__main__":
    main()
