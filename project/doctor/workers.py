"""The processes that serve, as they say of themselves every five seconds."""

from collections.abc import Iterator

from django.conf import settings

from sessions_app.models import Worker

from .examination import Case, examination
from .finding import Away, Finding, ok, problem, skipped, warning
from .hurried import hurry

RELOAD = "kill -HUP to the parent (systemctl reload), on each machine"


@examination("workers", needs=("migrations",), after=("server",))
def workers(case: Case) -> Iterator[Finding]:
    hurry()
    alive = list(Worker.objects.alive())
    if not alive and not case.has("server"):
        raise Away(skipped("alive", "There are none: no server runs."))
    if not alive:
        says = "A server runs here, but no worker says so in this command's database."
        mend = "Give both the same DATABASE_URL, and see the server's log for `cannot say that it serves`"
        raise Away(problem("alive", says, mend))
    yield ok("alive", f"{len(alive)} said within 15 s that they serve: {', '.join(map(str, alive[:8]))}.")
    yield release(alive)


def release(alive: list[Worker]) -> Finding:
    versions = sorted({worker.version for worker in alive} | {settings.VERSION})
    if len(versions) > 1:
        says = f"Not all are of release {settings.VERSION}, as this command is: there are {', '.join(versions)}."
        return warning("release", says, RELOAD)
    return ok("release", f"All are of release {settings.VERSION}.")
