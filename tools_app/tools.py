"""The tools that ship. Importing them registers them."""

from .builtin import preferences, profile  # noqa: F401
