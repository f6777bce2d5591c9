"""An outside issuer's public keys: fetched when one is missing, kept when the issuer is away.

Whoever verifies never waits for the network: identity threads are few, and one issuer that hangs would hold
them all. A missing key raises KeysMissing; whoever can wait without a thread awaits `arrived()` and asks again.
"""

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, wait
from typing import Any

import jwt

from sessions_app.exceptions import Unauthenticated

from .algorithms import ASYMMETRIC
from .fetch import SLOWEST, Unfetched, fetch

logger = logging.getLogger(__name__)

FRESH_FOR = 60 * 60.0
"""Seconds. Then the keys are fetched anew, beside their use: an issuer may have withdrawn one."""
KEPT_FOR = 24 * 60 * 60.0
"""Seconds that keys count while their issuer does not answer."""
FETCHED_EVERY = 60.0
"""Seconds between two attempts, whatever comes of them: strangers can invent as many key ids as they like."""
SMALLEST_RSA = 2048
"""Bits."""


class KeysMissing(Unauthenticated):
    """No key of that id is known, and there may be one by now. Refused, unless somebody waits for it."""

    def __init__(self, keys: "KeySet") -> None:
        super().__init__("a JWT under a key that is not here yet")
        self._keys = keys

    async def arrived(self) -> None:
        """The issuer answered, or will not in time. Holds no thread."""
        fetching = asyncio.wrap_future(self._keys.refresh())
        await asyncio.wait([fetching], timeout=SLOWEST + 1)

    def wait(self) -> None:
        """The same, on a thread that has nothing else to do."""
        wait([self._keys.refresh()], timeout=SLOWEST + 1)


class KeySet:
    def __init__(self, url: str, algorithms: tuple[str, ...], allow_private: bool) -> None:
        self._url = url
        self._algorithms = algorithms
        self._allow_private = allow_private
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching: Future[None] = Future()
        self._fetching.set_result(None)
        self._lock = threading.Lock()

    def key(self, kid: str) -> jwt.PyJWK:
        """Raises: Unauthenticated, KeysMissing."""
        age = time.monotonic() - self._fetched_at
        key = self._keys.get(kid) if age < KEPT_FOR else None
        if key is not None:
            if age >= FRESH_FOR and self._may_try():
                self.refresh()
            return key
        if self._may_try() or not self._fetching.done():
            raise KeysMissing(self)
        raise Unauthenticated("a JWT under a key that its issuer does not have")

    def refresh(self) -> "Future[None]":
        """One attempt at a time, in a thread of its own: an issuer that hangs holds up nobody else."""
        with self._lock:
            if self._may_try() and self._fetching.done():
                self._tried_at = time.monotonic()
                self._fetching = Future()
                threading.Thread(target=self._fetch, args=[self._fetching], name="jwks", daemon=True).start()
            return self._fetching

    def _may_try(self) -> bool:
        return time.monotonic() - self._tried_at >= FETCHED_EVERY

    def _fetch(self, done: "Future[None]") -> None:
        try:
            document = fetch(self._url, allow_private=self._allow_private)
            self._keys = usable_keys(document, self._algorithms)
            self._fetched_at = time.monotonic()
            logger.info("%d keys from %s", len(self._keys), self._url)
        except Unfetched as failure:
            logger.warning("No keys from %s: %s", self._url, failure)
        finally:
            done.set_result(None)


class KeySets:
    """By where they come from, for the life of the process."""

    def __init__(self) -> None:
        self._sets: dict[tuple[str, tuple[str, ...], bool], KeySet] = {}

    def of(self, url: str, algorithms: tuple[str, ...], allow_private: bool) -> KeySet:
        identity = (url, tuple(algorithms), allow_private)
        return self._sets.setdefault(identity, KeySet(*identity))

    def forget(self) -> None:
        self._sets.clear()


def usable_keys(document: Any, algorithms: tuple[str, ...]) -> dict[str, jwt.PyJWK]:
    """By `kid`. What is not for verifying with one of `algorithms` is left out, and so is a `kid` of two keys.

    Raises: Unfetched if it is no JWK set (RFC 7517, section 5).
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise Unfetched("not a JWK set")
    named = [jwk for jwk in listed if isinstance(jwk, dict) and isinstance(jwk.get("kid"), str)]
    times = Counter(jwk["kid"] for jwk in named)
    keys = {jwk["kid"]: usable(jwk, algorithms) for jwk in named if times[jwk["kid"]] == 1}
    return {kid: key for kid, key in keys.items() if key is not None}


def usable(jwk: dict[str, Any], algorithms: tuple[str, ...]) -> jwt.PyJWK | None:
    kind = jwk.get("crv", jwk.get("kty"))
    fitting = [name for name in algorithms if ASYMMETRIC[name] == kind]
    algorithm = jwk.get("alg", fitting[0] if fitting else None)
    if algorithm not in fitting or not is_for_verifying(jwk):
        return None
    try:
        key = jwt.PyJWK(jwk, algorithm)
    except jwt.PyJWTError:
        return None
    return None if getattr(key.key, "key_size", SMALLEST_RSA) < SMALLEST_RSA and kind == "RSA" else key


def is_for_verifying(jwk: dict[str, Any]) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    if "d" in jwk:  # a private key, and published: so anybody's
        return False
    return jwk.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations


key_sets = KeySets()
