"""Chance that can be repeated: odd values, and what is well-formed made less so."""

import copy
import json
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

RAW = re.compile(r'"@raw:(\d+)@"')
LITERALS = (
    "[" * 300 + "]" * 300,
    "[" * 60_000 + "]" * 60_000,
    '{"a":' * 2000 + "1" + "}" * 2000,
    "1" + "0" * 5000,
    "-" + "9" * 400,
    "1e400", "-1e400", "1e-400", "NaN", "Infinity", "-Infinity", "-0", "-0.0", "0x10", "01", "1.", ".5", "+1",
    r'"\ud800"', r'"\udc00\ud800"', r'"\u0000"', r'"\x41"', '"a\nb"', '"\x7f"', "'a'", "undefined", "nul",
    "True",
    '{"a":1,"a":2}', '{"jsonrpc":"2.0","jsonrpc":"1.0"}', "[1,]", '{"a":1,}', "// c\n1", "", '"unended', "\x00",
)  # fmt: skip
"""JSON that `json.dumps` does not write, of which some is none."""
ODD_NUMBERS = (
    0, 1, -1, 2, 2**31 - 1, 2**31, -(2**31) - 1, 2**32, 2**53, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64,
    10**30, 0.5, -1.5, 1e308, 5e-324, 1e16, 3.0,
)  # fmt: skip
ODD_TEXTS = (
    "", " ", "\x00", "a\x00b", "\n", "\r\n", "a\r\nX-Injected: 1", "\x1b[31m", "\u202e", "\ufeff", "\ud800",
    "é", "e\u0301",
    "ﬀ", "İ", "ß", "😀", "\u2028", "../../etc/passwd", "..\\..", "%00", "%2e%2e%2f", "<script>alert(1)</script>",
    "' OR 1=1 --", "\"; DROP TABLE users; --", "{{7*7}}", "${jndi:ldap://x}", "%s%n%x", "{0.__class__}", "null",
    "true", "NaN", "0", "-1", "1e9", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2026-02-30",
    "10000-01-01", "24:61", "PT1S", "P9999999D", "1/s", "0/m", "999999999999999999/d", "100/h",
    "http://127.0.0.1:1/",
    "javascript:alert(1)", "file:///etc/passwd", "room://", "room://hall/messages", "room://../x",
    "concierge://profile",
    "concierge://", "shop://items/%2e%2e/secret", "shop://items/{item}", "shop://menu", ":", "//", "/", "?",
    "#", "*",
    "__class__", "__proto__", "constructor", "id__gt", "pk__in", "user__password__startswith", "_", "-", ".",
    "..", "~",
    "a" * 64, "a" * 65, "a" * 129, "a" * 255, "a" * 256, "a" * 4097, "é" * 5000, "a" * 20_000, "\u0000" * 300,
)  # fmt: skip
NAMES = (
    "",
    "a",
    "id",
    "_meta",
    "__proto__",
    "name",
    "cursor",
    "params",
    "method",
    "\x00",
    "é",
    "\ud800",
    "type",
    "key",
)
SNIPPETS = (
    b"\x00", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x28\xa1", b"\xef\xbb\xbf",
    b"\r\n", b"\n",
    b"\r", b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"0", b" ", b"\t", b"\x0b", b"\x85", b"%", b"\x80",
)  # fmt: skip


class Chance(random.Random):
    def one_in(self, number: int) -> bool:
        return self.randrange(number) == 0

    # --- Values ---

    def text(self, *likely: str) -> str:
        if likely and not self.one_in(3):
            return self.choice(likely)
        if self.one_in(3):
            return "".join(chr(self.randrange(1, 0x250)) for _ in range(self.randrange(20)))
        return self.choice(ODD_TEXTS)

    def value(self, depth: int = 0) -> Any:
        kind = self.randrange(10 if depth < 3 else 7)
        match kind:
            case 0:
                return self.choice((None, True, False))
            case 1 | 2:
                return self.choice(ODD_NUMBERS)
            case 3 | 4 | 5:
                return self.text()
            case 6:
                return f"@raw:{self.randrange(len(LITERALS))}@"
            case 7 | 8:
                return [self.value(depth + 1) for _ in range(self.randrange(4))]
        return {self.choice(NAMES): self.value(depth + 1) for _ in range(self.randrange(4))}

    def fitting(self, schema: Mapping[str, Any], whole: Mapping[str, Any], likely: Sequence[str] = ()) -> Any:
        """A value of a JSON Schema, most of the time. `whole` is where its references point."""
        if "$ref" in schema:
            target: Any = whole
            for step in schema["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            return self.fitting(target, whole, likely)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.choice(list(schema["enum"]))
        for union in ("anyOf", "oneOf", "allOf"):
            if union in schema:
                return self.fitting(self.choice(list(schema[union])), whole, likely)
        kind = schema.get("type")
        match self.choice(kind) if isinstance(kind, list) else kind:
            case "object":
                return self._object(schema, whole, likely)
            case "array":
                items = schema.get("items", {})
                return [self.fitting(items, whole, likely) for _ in range(self.randrange(4))]
            case "string":
                return self.text(*likely, *schema.get("examples", ()))
            case "integer":
                return self.randint(schema.get("minimum", -2), schema.get("maximum", 100))
            case "number":
                return self.choice((0, 1, 0.25, schema.get("minimum", -1), schema.get("maximum", 2)))
            case "boolean":
                return self.choice((True, False))
            case "null":
                return None
        return self.value(2)

    def _object(self, schema: Mapping[str, Any], whole: Mapping[str, Any], likely: Sequence[str]) -> Any:
        required = schema.get("required", ())
        return {
            name: self.fitting(about, whole, likely)
            for name, about in schema.get("properties", {}).items()
            if name in required or self.one_in(2)
        }

    # --- Changes ---

    def changed(self, value: Any) -> Any:
        """JSON with one to three things in it that are otherwise."""
        value = copy.deepcopy(value)
        for _ in range(self.randint(1, 3)):
            value = self._changed_once(value)
        return value

    def _changed_once(self, value: Any) -> Any:
        within, steps = value, self.randrange(6)
        for _ in range(steps):
            inner = [each for each in children(within) if isinstance(each, (dict, list)) and each]
            if not inner:
                break
            within = self.choice(inner)
        if not isinstance(within, (dict, list)) or not within:
            return self.value()
        place = self.choice(list(within)) if isinstance(within, dict) else self.randrange(len(within))
        match self.randrange(6):
            case 0:
                del within[place]
            case 1 if isinstance(within, dict):
                within[self.choice(NAMES)] = self.value()
            case 2 if isinstance(within, dict):
                within[self.text() if self.one_in(2) else str(place).upper()] = within.pop(place)
            case 3 if isinstance(within[place], str):
                within[place] = self.text(within[place] + self.text(), within[place][:-1], within[place].upper())
            case 4:
                within[place] = [within[place]]
            case _:
                within[place] = self.value()
        return value

    def written(self, value: Any) -> bytes:
        """As JSON, by one way or another; sometimes broken."""
        is_ascii = not self.one_in(3)
        text = json.dumps(value, ensure_ascii=is_ascii, indent=None if not self.one_in(9) else 1)
        text = RAW.sub(lambda match: LITERALS[int(match[1])], text)
        raw = text.encode("utf-8", "surrogatepass")
        return self.damaged(raw) if self.one_in(8) else raw

    def damaged(self, raw: bytes, times: int = 2) -> bytes:
        """A few bytes that are others, more, or gone."""
        data = bytearray(raw)
        for _ in range(self.randint(1, times)):
            at = self.randrange(len(data) + 1)
            match self.randrange(7):
                case 0:
                    del data[at:]
                case 1:
                    del data[at : at + self.randint(1, 8)]
                case 2 if at < len(data):
                    data[at] ^= 1 << self.randrange(8)
                case 3:
                    data[at:at] = data[at : at + self.randrange(200)]
                case 4:
                    data[at:at] = self.randbytes(self.randrange(12))
                case _:
                    data[at:at] = self.choice(SNIPPETS) * self.choice((1, 1, 1, 2, 100))
        return bytes(data)


def children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
