"""How long calls took, in a fixed set of buckets: what adds up, from any number of processes and hours."""

from bisect import bisect_left
from collections.abc import Sequence

BOUNDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
"""Milliseconds that a bucket reaches up to. One more is for what took longer."""
BUCKETS = (*(f"within_{bound}" for bound in BOUNDS), "beyond")
"""Their columns."""


def bucket_of(ms: float) -> int:
    """Which of BUCKETS."""
    return bisect_left(BOUNDS, ms)


def percentile(counts: Sequence[int], share: float) -> float | None:
    """Milliseconds that `share` of the calls took at most; None if there were none.

    It lies in the same bucket as the exact one; where in it is told as if its calls were spread evenly. Beyond
    the last bound that bound is all that is known.
    """
    wanted, below = share * sum(counts), 0
    if not wanted:
        return None
    for number, count in enumerate(counts[: len(BOUNDS)]):
        if below + count >= wanted:
            floor = BOUNDS[number - 1] if number else 0
            return floor + (BOUNDS[number] - floor) * (wanted - below) / count
        below += count
    return float(BOUNDS[-1])
