"""Whether there is somebody who can let others in."""

from collections.abc import Iterator

from sessions_app.models import User

from .examination import Case, examination
from .finding import Away, Finding, ok, problem, warning
from .hurried import hurry
from .shell import SERVE, manage


@examination("people", needs=("migrations",))
def people(case: Case) -> Iterator[Finding]:
    hurry()
    if not User.objects.exists():
        raise Away(warning("operator", "There is nobody yet; the first start makes an operator.", SERVE))
    operators = list(User.objects.filter(is_superuser=True, is_staff=True, is_active=True).order_by("pk")[:100])
    if not operators:
        says = "No active user is an operator (superuser and staff), so nobody can let anybody in."
        raise Away(problem("operator", says, manage("createsuperuser")))
    able = [user for user in operators if user.has_usable_password()]
    if not able:
        says = "No operator has a password, so none can sign in to the control room."
        yield problem("sign in", says, manage(f"changepassword {operators[0].username}"))
    else:
        yield ok("sign in", f"{len(able)} operator{'s' if len(able) > 1 else ''} can sign in to the control room.")
