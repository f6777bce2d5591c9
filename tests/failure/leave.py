"""Leave sessions that were over long ago and never called anything: `python -m tests.failure.leave 100000`."""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.failure.settings")
django.setup()

from datetime import timedelta

from django.utils import timezone

from sessions_app.models import Session, User

long_ago = timezone.now() - timedelta(days=40)
user = User.objects.earliest("pk")
left = (
    Session(
        user=user, credential="api-key:0", label="left", transport="http", protocol_version="2025-11-25",
        opened_at=long_ago, last_activity_at=long_ago, expires_at=long_ago,
    )
    for _ in range(int(sys.argv[1]))
)  # fmt: skip
Session.objects.bulk_create(left, batch_size=1000)
