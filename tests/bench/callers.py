"""Those who call in a benchmark: `python -m tests.bench.callers come 50` prints a key for each, one a line.

`--among CALLS` first fills a database that nobody has filled; `go` takes away whatever is the callers', so that a
database which is kept is as it was.
"""

import argparse

import django

django.setup()

from django.contrib.auth.models import Group, Permission

from sessions_app.models import ApiKey, User
from sessions_app.permissions import MEMBERS
from tests.bench import crowd
from tests.bench.kinds import caller_name
from tools_app.models import HourOfName, HourOfUser, ToolCall
from tools_app.registry import registry

CALLERS = User.objects.filter(username__startswith=caller_name(""))
OUR_TOOLS = ("echo", "read-one")


def come(number: int, among: int) -> None:
    if among and not User.objects.filter(username=crowd.OPERATOR).exists():
        crowd.fill(among)
    members = Group.objects.get(name=MEMBERS)
    for each in range(number):
        user = User.objects.create(username=caller_name(each))
        user.groups.add(members)
        print(ApiKey.mint(user, "bench")[1].value)


def go() -> None:
    ours = [registry.tools[name] for name in OUR_TOOLS]
    Permission.objects.filter(codename__in=[tool.codename for tool in ours]).delete()
    HourOfName.objects.filter(name__in=OUR_TOOLS).delete()
    ids = list(CALLERS.values_list("pk", flat=True))
    ToolCall.objects.filter(user_id__in=ids).delete()
    HourOfUser.objects.filter(user_id__in=ids).delete()
    CALLERS.delete()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["come", "go"])
    parser.add_argument("number", type=int, nargs="?", default=1)
    parser.add_argument("--among", type=int, default=0, metavar="CALLS")
    options = parser.parse_args()
    come(options.number, options.among) if options.what == "come" else go()
