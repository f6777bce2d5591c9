"""`python -m tests.failure.cookies alice bob`: a browser's cookie for each, signed in, one a line."""

import sys

import django

django.setup()

from django.test import Client

from sessions_app.models import User

for name in sys.argv[1:]:
    browser = Client()
    browser.force_login(User.objects.get(username=name))
    print(f"sessionid={browser.cookies['sessionid'].value}")
