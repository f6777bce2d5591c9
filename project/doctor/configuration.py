"""The environment, and what Django's system checks and ours say of the settings made of it.

What cannot be read at all is reported by unreadable.py: then there are no settings.
"""

from collections.abc import Iterator

from django.conf import settings
from django.core.checks import ERROR, CheckMessage, Tags, run_checks
from django.core.checks.registry import registry
from django.core.management.base import CommandError

from project.management.commands.serve import is_loopback, refuse_what_is_unsafe

from .examination import Case, examination
from .finding import Finding, ok, problem, warning

SAID_ELSEWHERE = ("security.W004", "security.W012", "security.W016", "mail.E001")
"""That the public URL is not HTTPS, which is said once below; and that mail goes to the console (mail.py)."""

OF_SETTINGS = sorted(registry.tags_available(deployment_checks=True) - {Tags.models, Tags.database})
"""The others are of the code, and ask the database: SQLite would make one."""


@examination("configuration")
def configuration(case: Case) -> Iterator[Finding]:
    yield ok("environment", f"The environment is read; this is Concierge {settings.VERSION}.")
    yield listening()
    yield from system_checks()
    yield encryption()
    yield secret_keys()


def listening() -> Finding:
    try:
        refuse_what_is_unsafe(settings.CONFIG)
    except CommandError:
        says = f"HOST={settings.CONFIG.host} can be reached from elsewhere, so `serve` refuses to start."
        return problem("host", says, "CONCIERGE_PUBLIC_URL=https://… (the URL that people use)")
    return ok("host", f"It listens on {settings.CONFIG.host}, port {settings.CONFIG.port}.")


def system_checks() -> Iterator[Finding]:
    found = run_checks(tags=OF_SETTINGS, include_deployment_checks=True)
    found = [each for each in found if not each.is_silenced() and each.id not in SAID_ELSEWHERE]
    for message in found:
        yield of_check(message)
    if not found:
        yield ok("system checks", "Django's system checks (manage.py check --deploy) find nothing.")


def of_check(message: CheckMessage) -> Finding:
    make = problem if message.level >= ERROR else warning
    hint = " ".join(str(message.hint or "docs/settings.md has all settings.").split())
    return make(str(message.id), " ".join(str(message.msg).split()), hint)


def encryption() -> Finding:
    config = settings.CONFIG
    if config.is_https:
        return ok("https", "People use HTTPS.")
    host = settings.OWN_NAME
    if is_loopback(host):
        return ok("https", "Only this machine can reach it, over plain HTTP.")
    return warning(
        "https",
        f"{config.origin} is plain HTTP: keys and passwords can be read on their way.",
        "CONCIERGE_PUBLIC_URL=https://…, with a proxy that has a certificate (docs/running.md)",
    )


def secret_keys() -> Finding:
    """Whether they can be guessed is a system check."""
    config = settings.CONFIG
    where = "is set in the environment" if config.secret_key else f"is the one in {config.data_dir / 'secret-key'}"
    earlier = len(config.secret_key_fallbacks)
    more = f"; {earlier} earlier {'one is' if earlier == 1 else 'ones are'} accepted, too" if earlier else ""
    return ok("secret keys", f"SECRET_KEY {where}{more}.")
