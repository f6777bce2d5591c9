"""Whether others have the same time: what expires, who signed when, and who is alive is told by the clock."""

from .finding import Finding, ok, problem

TOLERANCE = 5.0
"""Seconds. A JWT has 30 of leeway, and a worker that was not heard of for 15 counts as gone."""


def compared(whose: str, theirs: float, ours: float) -> Finding:
    """Seconds since the epoch, of the same moment."""
    ahead = theirs - ours
    if abs(ahead) <= TOLERANCE:
        return ok("clock", f"The clock of {whose} agrees with this machine's.")
    return problem(
        "clock",
        f"The clock of {whose} is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's:"
        " tokens and workers would expire at the wrong time.",
        "timedatectl set-ntp true, on the machine whose clock is wrong",
    )
