"""The first run: an operator and an API key, made once, where there is nobody yet."""

import os
import secrets
import sys
from pathlib import Path
from typing import TextIO

from django.conf import settings
from django.db import transaction

from sessions_app.connect import instructions
from sessions_app.models import ApiKey, User

from .secrets import write_private

OPERATOR = "operator"


def welcome(out: TextIO) -> None:
    """Make the first operator if there is no user, and tell the one who started the server.

    On a terminal the secrets are printed. Elsewhere output ends in a log, so they go to a file that only
    its owner can read, and its path is printed.
    """
    with transaction.atomic():
        if User.objects.exists():
            return
        text = letter(*first_operator())
        if not out.isatty():
            path = unused(settings.CONFIG.data_dir / "first-run.txt")
            write_private(path, text + "\n")
            text = f"First run: the operator's password and an API key are in {path}"
    print(text, file=out, flush=True)


def first_operator() -> tuple[User, str, str]:
    """The operator, a password and a key; neither is kept in clear."""
    password = secrets.token_urlsafe(15)
    operator = User.objects.create_superuser(OPERATOR, password=password)
    _, token = ApiKey.mint(operator, "First key")
    return operator, password, token.value


def letter(operator: User, password: str, key: str) -> str:
    origin = settings.CONFIG.origin
    return f"""
First run. These secrets are shown once; Concierge keeps only digests of them.

  Admin      {origin}/admin/
  Rooms      {origin}/rooms/
  User       {operator.username}
  Password   {password}
  API key    {key}   (valid for 90 days)

Connect Claude Code:

  {instructions("claude-code", origin, key)}

Or list the tools with the MCP Inspector:

  {instructions("inspector", origin, key)}

Other clients: {origin}/me/, or {os.path.relpath(sys.executable)} manage.py connect --help
"""


def unused(path: Path) -> Path:
    """`path`, or the same with a number if an earlier database left its letter there."""
    number = 1
    candidate = path
    while candidate.exists():
        number += 1
        candidate = path.with_stem(f"{path.stem}-{number}")
    return candidate
