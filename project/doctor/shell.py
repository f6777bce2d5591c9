"""What is typed to mend things."""

import os
import sys

PYTHON = os.path.relpath(sys.executable)
SERVE = "make serve; or systemctl start concierge, docker compose up -d"


def manage(command: str) -> str:
    return f"{PYTHON} manage.py {command}"
