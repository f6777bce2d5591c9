"""`python -m tests.failure.keys alice bob`: a key for each, one a line, by one process for all of them."""

import sys

import django

django.setup()

from django.contrib.auth.models import Group

from sessions_app.models import ApiKey, User
from sessions_app.permissions import MEMBERS

for name in sys.argv[1:]:
    user, _ = User.objects.get_or_create(username=name)
    user.groups.add(Group.objects.get(name=MEMBERS))
    print(ApiKey.mint(user, f"{name}'s")[1].value)
