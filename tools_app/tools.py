"""The tools that ship. Importing them registers them."""

from .builtin import (  # noqa: F401
    administration,
    analytics,
    data,
    operations,
    preferences,
    profile,
    prompts,
    resources,
)
