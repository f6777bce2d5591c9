"""What a developer may write, and what is refused at import."""

from typing import Annotated, Any

import pytest
from mcp.server.mcpserver.resolve import Resolve

from sessions_app.permissions import EVERYONE, MEMBERS
from tools_app.registry import Registry, registry


def test_who_may_use_it_is_required() -> None:
    with pytest.raises(TypeError, match="say who may use it"):
        Registry().tool("open-door")(lambda: None)
    with pytest.raises(TypeError, match="say who may use it"):
        Registry().tool("both", groups=EVERYONE, permission="shop.view_order")(lambda: None)
    with pytest.raises(TypeError, match="say who may use it"):
        Registry().resource("x://y", name="y")(lambda: None)
    with pytest.raises(TypeError, match="say who may use it"):
        Registry().prompt("p")(lambda: None)


def test_one_string_is_not_several_groups() -> None:
    with pytest.raises(TypeError, match="several names"):
        Registry().tool("t", groups=MEMBERS)(lambda: None)


def test_open_ended_arguments_are_no_schema() -> None:
    with pytest.raises(TypeError, match="name each argument"):
        Registry().tool("any", groups=EVERYONE)(lambda *args, **kwargs: None)


def test_an_async_tool_may_only_read() -> None:
    async def write() -> str:
        return ""

    with pytest.raises(TypeError, match="read_only=True"):
        Registry().tool("write", groups=EVERYONE)(write)


def test_a_name_is_registered_once() -> None:
    own = Registry()
    own.tool("t", groups=EVERYONE)(named)
    with pytest.raises(ValueError, match="registered twice"):
        own.tool("t", groups=EVERYONE)(named)


def test_a_name_fits_its_permission() -> None:
    with pytest.raises(ValueError, match="at most 90"):
        Registry().tool("t" * 91, groups=EVERYONE)(named)


def test_a_sync_resolver_is_refused() -> None:
    def resolver() -> int:
        return 1

    def asks(number: Annotated[int, Resolve(resolver)]) -> int:
        return number

    with pytest.raises(TypeError, match="resolver must be async"):
        Registry().tool("asks", groups=EVERYONE)(asks)


def test_the_decorated_function_stays_a_function() -> None:
    assert Registry().tool("named", groups=EVERYONE)(named) is named


def named() -> str:
    """Say nothing much."""
    return "named"


def test_no_groups_means_nobody() -> None:
    own = Registry()
    own.tool("t", groups=())(named)
    assert own.tools["t"].groups == ()
    assert own.tools["t"].owns_permission


def test_tools_of_every_app_are_found() -> None:
    assert {"get-user-profile", "manage-preferences", "echo"} <= registry.tools.keys()


def test_each_capability_has_one_permission(transactional_grants: Any) -> None:
    """Made at migrate, given to its groups, and left alone by the next migrate."""
    from django.contrib.auth.models import Group, Permission
    from django.core.management import call_command

    members = Group.objects.get(name=MEMBERS)
    codenames = set(members.permissions.values_list("codename", flat=True))
    assert {
        "call_echo",
        "call_get-user-profile",
        "call_manage-preferences",
        "read_menu",
        "use_suggest",
    } <= codenames
    assert not codenames & {"call_restock", "call_close-shop", "delete_user"}

    members.permissions.remove(Permission.objects.get(codename="call_echo"))
    Group.objects.get(name="Guests").permissions.add(Permission.objects.get(codename="call_restock"))
    call_command("migrate", verbosity=0)
    assert not members.permissions.filter(codename="call_echo").exists()
    assert Group.objects.get(name="Guests").permissions.filter(codename="call_restock").exists()


@pytest.fixture
def transactional_grants(db_for_threads: None) -> None:
    """Grants may be changed: they are put back afterwards."""
