"""Something that cannot be taken back: asked on a page of its own, or in a dialog of the page before."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    title: str
    """What is asked, naming what it is about."""
    says: str
    """What will happen."""
    yes: str
    """What the button says that does it."""
    also: str = ""
    """A second button's, which does more."""
