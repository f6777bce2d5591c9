"""What an operator writes into the environment, and what is said about it."""

import json
import os
from ipaddress import ip_network
from pathlib import Path
from unittest import mock

import pytest
from django.core.exceptions import ImproperlyConfigured

from project.config import BASE_DIR, Config, read_config

LONG_ENOUGH = "correct-horse-battery-staple-0123456789"


def config(**environment: str) -> Config:
    with mock.patch.dict(os.environ, environment, clear=True):
        return read_config()


def problems(**environment: str) -> list[str]:
    """What is wrong, a line each."""
    with pytest.raises(ImproperlyConfigured) as caught:
        config(**environment)
    first, *lines = str(caught.value).split("\n  ")
    assert first == "the environment is not usable"
    return lines


def test_nothing_needs_to_be_set() -> None:
    embedded = config()
    assert embedded.data_dir == BASE_DIR / "var"
    assert (embedded.host, embedded.port, embedded.workers) == ("127.0.0.1", 8000, 1)
    assert embedded.origin == "http://127.0.0.1:8000"
    assert embedded.secret_key is None
    assert embedded.secret_key_fallbacks == embedded.trusted_proxies == []
    assert not embedded.is_https


def test_an_empty_variable_is_not_set() -> None:
    names = [str(field.alias) for field in Config.model_fields.values()]
    assert config(**dict.fromkeys(names, "")) == config()


def test_only_the_documented_names_are_read() -> None:
    strangers = {
        "PUBLIC_URL": "https://elsewhere.example",
        "LOG_LEVEL": "loud",
        "DATA_DIR": "/",
        "TRUSTED_PROXIES": "*",
    }
    assert config(**strangers) == config()


def test_every_problem_is_reported_at_once_by_the_name_that_was_typed() -> None:
    lines = problems(
        CONCIERGE_PUBLIC_URL="mcp.example.com",
        CONCIERGE_TRUSTED_PROXIES="10.0.0.0/8, proxy.internal",
        CONCIERGE_LOG_LEVEL="loud",
        DATABASE_URL="mysql://root@localhost/db",
        REDIS_URL="http://localhost",
        EMAIL_URL="localhost:25",
        SECRET_KEY="short",
        SECRET_KEY_FALLBACKS=f"{LONG_ENOUGH},short",
        PORT="99999",
        WORKERS="0",
    )
    assert sorted(line.partition(": ")[0] for line in lines) == [
        "CONCIERGE_LOG_LEVEL", "CONCIERGE_PUBLIC_URL", "CONCIERGE_TRUSTED_PROXIES", "DATABASE_URL", "EMAIL_URL",
        "PORT", "REDIS_URL", "SECRET_KEY", "SECRET_KEY_FALLBACKS", "WORKERS",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "environment",
    [
        {"SECRET_KEY": "hunter2"},
        {"SECRET_KEY_FALLBACKS": f"{LONG_ENOUGH},hunter2"},
        {"SECRET_KEY": "hunter2", "SECRET_KEY_FALLBACKS": "hunter2"},
        {"DATABASE_URL": "mysql://root:hunter2@localhost/db"},
        {"DATABASE_URL": "postgres://concierge:hunter2#1@localhost/db"},
        {"DATABASE_URL": "postgres://concierge:hunter2/1@localhost/db"},
        {"REDIS_URL": "http://:hunter2@localhost"},
        {"REDIS_URL": "redis://:hunter2?@localhost"},
        {"EMAIL_URL": "imap://me:hunter2@localhost"},
        {"EMAIL_URL": "smtp://me:hunter2#1@localhost"},
        {"EMAIL_URL": "smtp://me:hunter2℀@localhost"},
        {"EMAIL_URL": "smtp://me:hunter2[@localhost"},
        {"CONCIERGE_PUBLIC_URL": "https://me:hunter2@mcp.example.com"},
        {"CONCIERGE_JWT_ISSUERS": "hunter2"},
        {"CONCIERGE_PUBLIC_URL": "https://me:hunter2#@mcp.example.com"},
    ],
)
def test_a_message_never_holds_a_secret(environment: dict[str, str]) -> None:
    lines = problems(**environment)
    assert {line.partition(": ")[0] for line in lines} == set(environment)
    assert "hunter2" not in "\n".join(lines)


def test_a_secret_is_not_in_the_repr() -> None:
    both = config(SECRET_KEY=LONG_ENOUGH, SECRET_KEY_FALLBACKS=LONG_ENOUGH)
    assert LONG_ENOUGH not in repr(both)
    assert LONG_ENOUGH not in str(both)


def test_keys_rotate_in_the_order_that_they_are_written() -> None:
    rotated = config(SECRET_KEY=LONG_ENOUGH, SECRET_KEY_FALLBACKS=f" {LONG_ENOUGH}-2 , {LONG_ENOUGH}-1,")
    assert rotated.secret_key is not None
    assert rotated.secret_key.get_secret_value() == LONG_ENOUGH
    fallbacks = [key.get_secret_value() for key in rotated.secret_key_fallbacks]
    assert fallbacks == [f"{LONG_ENOUGH}-2", f"{LONG_ENOUGH}-1"]


@pytest.mark.parametrize("name", ["SECRET_KEY", "SECRET_KEY_FALLBACKS", "CONCIERGE_METRICS_TOKEN"])
def test_a_short_key_is_refused_with_the_way_to_a_long_one(name: str) -> None:
    config(**{name: "x" * 32})
    [line] = problems(**{name: "x" * 31})
    assert "at least 32 characters" in line
    assert "secrets.token_urlsafe" in line


@pytest.mark.parametrize("character", [" ", "\n", "\x7f", "é"])
def test_a_metrics_token_is_what_a_header_can_carry(character: str) -> None:
    secret = f"{'hunter2' * 5}{character}x"
    [line] = problems(CONCIERGE_METRICS_TOKEN=secret)
    assert "ASCII without spaces" in line
    assert "hunter2" not in line
    assert "hunter2" not in repr(config(CONCIERGE_METRICS_TOKEN="hunter2" * 5))


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("https://mcp.example.com", "https://mcp.example.com"),
        ("https://mcp.example.com/", "https://mcp.example.com"),
        ("https://MCP.Example.COM", "https://mcp.example.com"),
        ("HTTPS://mcp.example.com", "https://mcp.example.com"),
        (" https://mcp.example.com\n", "https://mcp.example.com"),
        ("https://mcp.example.com:443", "https://mcp.example.com"),
        ("https://mcp.example.com:", "https://mcp.example.com"),
        ("http://mcp.example.com:80/", "http://mcp.example.com"),
        ("https://mcp.example.com:80", "https://mcp.example.com:80"),
        ("http://mcp.example.com:443", "http://mcp.example.com:443"),
        ("https://mcp.example.com:8443", "https://mcp.example.com:8443"),
        ("http://192.0.2.7:8000", "http://192.0.2.7:8000"),
        ("http://[2001:DB8::1]:8000", "http://[2001:db8::1]:8000"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://my_host", "https://my_host"),
    ],
)
def test_a_public_url_has_one_form(typed: str, normal: str) -> None:
    public = config(CONCIERGE_PUBLIC_URL=typed)
    assert public.public_url == public.origin == normal
    assert public.is_https == normal.startswith("https://")


@pytest.mark.parametrize(
    "typed",
    [
        "mcp.example.com", "//mcp.example.com", "ftp://mcp.example.com", "https://", "https:mcp.example.com",
        "https:///mcp", "https://mcp.example.com/mcp", "https://mcp.example.com//x", "https://mcp.example.com/?a=b",
        "https://mcp.example.com?a", "https://mcp.example.com#a", "https://me@mcp.example.com",
        "https://me:pw@mcp.example.com", "https://@mcp.example.com", "https://mcp.example.com:99999",
        "https://mcp.example.com:https", "https://mcp.example.com:-1", "https://[::1", "https://::1",
        "https://*.example.com", "https://*", "https://mcp.example.com, https://b.example.com", "https://a b",
        "https://mcp.example.com\\@evil.example", "https://bücher.example", "https://℀.example",
        "https://mcp.example.com%2f", "https://mcp.example.com;a", "'https://mcp.example.com'", "null",
    ],
)  # fmt: skip
def test_a_public_url_that_no_browser_would_send_is_refused(typed: str) -> None:
    [line] = problems(CONCIERGE_PUBLIC_URL=typed)
    assert line.startswith("CONCIERGE_PUBLIC_URL: ")


def test_the_address_that_is_listened_on_is_the_origin_of_an_embedded_server() -> None:
    assert config(HOST="::1", PORT="9000").origin == "http://[::1]:9000"
    assert config(HOST="::1", PORT="9000", CONCIERGE_PUBLIC_URL="https://a.example").origin == "https://a.example"


def test_trusted_proxies_are_addresses_and_networks() -> None:
    proxies = config(CONCIERGE_TRUSTED_PROXIES=" 10.0.0.0/8 ,192.0.2.7, fd00::/8,::1,").trusted_proxies
    assert proxies == [ip_network(text) for text in ("10.0.0.0/8", "192.0.2.7/32", "fd00::/8", "::1/128")]


@pytest.mark.parametrize(
    "typed", ["*", "proxy.internal", "10.0.0.1/8", "10.0.0.0/33", "10.0.0", "127.0.0.1:80", "[::1]"]
)
def test_what_is_not_a_network_is_refused_in_one_readable_line(typed: str) -> None:
    [line] = problems(CONCIERGE_TRUSTED_PROXIES=f"127.0.0.1,{typed}")
    assert typed in line
    assert "lax-or-strict" not in line


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "EMAIL_URL"])
@pytest.mark.parametrize(
    "typed", ["localhost", "http://localhost", "/var/db", "://", "rediss", "file:///etc/passwd"]
)
def test_a_service_of_another_kind_is_refused_with_the_kinds_that_work(name: str, typed: str) -> None:
    [line] = problems(**{name: typed})
    assert "must start with" in line


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("DATABASE_URL", "postgres://concierge:p%23w@db.internal:5432/concierge?sslmode=require"),
        ("DATABASE_URL", "postgresql:///concierge"),
        ("DATABASE_URL", "sqlite:////srv/concierge.sqlite3"),
        ("REDIS_URL", "redis://:p%23w@127.0.0.1:6379/1"),
        ("REDIS_URL", "rediss://cache.internal"),
        ("EMAIL_URL", "smtp+tls://me%40example.com:pw@mail.example.com"),
        ("EMAIL_URL", "smtps://mail.example.com:465"),
        ("EMAIL_URL", "console://"),
    ],
)
def test_services_that_work_are_kept_as_typed(name: str, typed: str) -> None:
    assert getattr(config(**{name: typed}), name.lower()) == typed


@pytest.mark.parametrize("typed", ["0", "65536", "-1", "http", "80 80"])
def test_a_port_is_a_port(typed: str) -> None:
    [line] = problems(PORT=typed)
    assert line.startswith("PORT: ")


@pytest.mark.parametrize("typed", ["0", "-1", "36501", "forever", "1.5"])
def test_the_record_is_kept_for_a_number_of_days(typed: str) -> None:
    assert config().record_days == 90
    assert config(CONCIERGE_RECORD_DAYS="7").record_days == 7
    [problem] = problems(CONCIERGE_RECORD_DAYS=typed)
    assert problem.startswith("CONCIERGE_RECORD_DAYS: ")


def test_the_data_directory_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert config(CONCIERGE_DATA_DIR="data").data_dir == tmp_path / "data"
    assert config(CONCIERGE_DATA_DIR="~/data", HOME=str(tmp_path)).data_dir == tmp_path / "data"


ISSUER = {
    "issuer": "https://login.example.com/",
    "audience": "concierge",
    "jwks_url": "https://login.example.com/k",
}


def issuers(**changes: object) -> str:
    """One entry, as an operator writes it."""
    entry = {name: value for name, value in {**ISSUER, **changes}.items() if value is not ...}
    return json.dumps([entry])


def test_outside_issuers_are_a_list_of_objects() -> None:
    [issuer] = config(CONCIERGE_JWT_ISSUERS=issuers()).jwt_issuers
    assert (issuer.issuer, issuer.audience, issuer.jwks_url) == tuple(ISSUER.values())
    assert (issuer.typ, issuer.allow_private) == ("at+jwt", False)
    assert "RS256" in issuer.algorithms
    [other] = config(
        CONCIERGE_JWT_ISSUERS=issuers(algorithms=["ES256"], typ="JWT", allow_private=True)
    ).jwt_issuers
    assert (other.algorithms, other.typ, other.allow_private) == (["ES256"], "JWT", True)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"issuer": ...}, ".0.issuer"),
        ({"issuer": ""}, ".0.issuer"),
        ({"issuer": "a b"}, ".0.issuer"),
        ({"issuer": "x" * 201}, ".0.issuer"),
        ({"issuer": 1}, ".0.issuer"),
        ({"audience": ...}, ".0.audience"),
        ({"audience": ["a"]}, ".0.audience"),
        ({"jwks_url": ...}, ".0.jwks_url"),
        ({"jwks_url": "http://login.example.com/keys"}, ".0.jwks_url"),
        ({"jwks_url": "https://me:hunter2@login.example.com/keys"}, ".0.jwks_url"),
        ({"jwks_url": "https://"}, ".0.jwks_url"),
        ({"jwks_url": "https://[::1"}, ".0.jwks_url"),
        ({"jwks_url": "https://login.example.com:99999/"}, ".0.jwks_url"),
        ({"jwks_url": "https://login.example.com/keys#x"}, ".0.jwks_url"),
        ({"jwks_url": "https://login.example.com/\nkeys"}, ".0.jwks_url"),
        ({"jwks_url": "file:///etc/passwd"}, ".0.jwks_url"),
        ({"algorithms": []}, ".0.algorithms"),
        ({"algorithms": ["HS256"]}, ".0.algorithms"),
        ({"algorithms": ["none"]}, ".0.algorithms"),
        ({"algorithms": "RS256"}, ".0.algorithms"),
        ({"typ": "id+jwt"}, ".0.typ"),
        ({"allow_private": "yes"}, ".0.allow_private"),
        ({"jwks_uri": "https://login.example.com/keys"}, ".0.jwks_uri"),
    ],
)
def test_an_issuer_that_is_not_safe_is_refused_by_what_is_wrong(changes: dict[str, object], where: str) -> None:
    [line] = problems(CONCIERGE_JWT_ISSUERS=issuers(**changes))
    assert line.startswith(f"CONCIERGE_JWT_ISSUERS{where}: ")
    assert "hunter2" not in line


@pytest.mark.parametrize("typed", ["{", "https://login.example.com", "[" * 100_000])
def test_issuers_that_are_no_json_are_refused_with_an_example(typed: str) -> None:
    [line] = problems(CONCIERGE_JWT_ISSUERS=typed)
    assert line.startswith("CONCIERGE_JWT_ISSUERS: ")
    assert '[{"issuer"' in line


@pytest.mark.parametrize("typed", ["{}", "1", "null", '"x"', "[1]", "[null]"])
def test_issuers_that_are_no_list_of_objects_are_refused(typed: str) -> None:
    assert problems(CONCIERGE_JWT_ISSUERS=typed)


def test_an_issuer_is_named_once() -> None:
    [line] = problems(CONCIERGE_JWT_ISSUERS=json.dumps([ISSUER, ISSUER]))
    assert line == "CONCIERGE_JWT_ISSUERS: names an issuer twice"
