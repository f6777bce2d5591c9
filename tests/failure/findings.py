"""`python -m tests.failure.findings`: what the integrity checks find, one a line."""

import django

django.setup()

from tools_app.integrity import checks, findings_of

for check in checks.values():
    for finding in findings_of(check):
        print(finding)
