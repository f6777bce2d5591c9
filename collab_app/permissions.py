"""Who may meet in rooms: whoever may call the tool `collaboration`, by whatever way he comes."""

from sessions_app.principal import Principal

TOOL = "collaboration"
MEET = f"tools_app.call_{TOOL}"


def may_meet(principal: Principal) -> bool:
    return principal.account is not None and principal.may(MEET)
