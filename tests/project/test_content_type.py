"""Content-Types that Django cannot make a request of."""

from typing import Any

import pytest

from tests.wire import Exchange, encoded

CODECS = ("rot13", "hex", "zlib", "base64", "undefined", "idna", "punycode", "utf-7", "utf-16", "mbcs", "a" * 300)
"""Of which some turn bytes into bytes, some texts into texts, and one nothing into anything."""


@pytest.mark.parametrize("path", ["/", "/sign-in/", "/admin/", "/me/", "/nowhere/", "/api/keys/", "/api/token/"])
@pytest.mark.parametrize("content_type", ["x" * 10_001, "multipart/form-data; boundary*0*x''=%zz"])
async def test_a_content_type_that_is_none_is_the_clients_fault(
    db_for_threads: None, path: str, content_type: str
) -> None:
    headers = encoded({"host": "127.0.0.1:8000", "content-type": content_type})
    answer = await Exchange(b"{}", headers, path=path, raw_path=path.encode()).wait()
    assert 400 <= answer.status < 500


async def test_one_that_django_would_fail_at_is_too_large_for_us(db_for_threads: None) -> None:
    """It reads no more than 10 000 characters of it, and raises before there is a request to answer."""
    headers = encoded({"host": "127.0.0.1:8000", "content-type": "x" * 10_001})
    answer = await Exchange(b"", headers, method="GET", path="/sign-in/", raw_path=b"/sign-in/").wait()
    assert (answer.status, answer.body) == (431, b"The headers are too large.\n")


@pytest.mark.parametrize("path", ["/sign-in/", "/api/token/", "/api/keys/", "/admin/login/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("codec", CODECS)
async def test_a_charset_is_no_way_in(db_for_threads: None, path: str, method: str, codec: str) -> None:
    for kind in ("application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=x"):
        headers = encoded({"host": "127.0.0.1:8000", "content-type": f"{kind}; charset={codec}"})
        details: dict[str, Any] = {
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"next=%e4%c3%a4&q=a",
        }
        answer = await Exchange(b"username=%e4&password=a", headers, **details).wait()
        assert 200 <= answer.status < 500, (kind, answer)
