"""A quick password hasher that says how often it was at work."""

from typing import Any

from django.contrib.auth.hashers import MD5PasswordHasher

hashed: list[str] = []
"""Algorithms, one an encoded password."""


class CountingHasher(MD5PasswordHasher):
    algorithm = "counted"

    def encode(self, password: str, salt: Any) -> str:
        hashed.append(self.algorithm)
        return super().encode(password, salt)
