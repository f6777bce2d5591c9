"""deploy/Containerfile and compose.yaml, as far as they go without an engine; docs/deploying.md says how far."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from project.checks import can_be_guessed
from project.config import BASE_DIR, Config
from tests.nginx import write_certificate
from tests.process import Process, free_port
from tests.services import nginx_path

DEPLOY = BASE_DIR / "deploy"
SERVICES: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
EXAMPLE = (DEPLOY / ".env.example").read_text()

# --- The image ---


def said(name: str) -> str:
    """What the last stage says."""
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "Containerfile").read_text())
    found: list[str] = re.findall(rf"^{name} (.+)$", text, re.MULTILINE)
    return found[-1]


def in_image(command: str) -> list[str]:
    """An instruction's list, with the Python of here."""
    parts: list[str] = json.loads(command)
    return [sys.executable if part == "python" else part for part in parts]


def read_only(data_dir: Path) -> list[str]:
    """What starts a program for which all but `data_dir` is read-only; nothing where that takes rights we lack."""
    if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        return []
    mounts = f"mount --bind {data_dir} {data_dir} && mount -o remount,bind,ro /"
    return ["unshare", "-m", "sh", "-ec", f'{mounts}; cd "$PWD"; exec "$@"', "sh"]


class Container(Process):
    """What a container runs, in the image's environment, but for where it listens, and its data for its /tmp."""

    def __init__(self, data_dir: Path) -> None:
        self.command = [*read_only(data_dir), *in_image(said("ENTRYPOINT")), *in_image(said("CMD"))]
        environment = dict(pair.split("=", 1) for pair in said("ENV").split())
        assert (environment.pop("CONCIERGE_DATA_DIR"), environment.pop("HOST")) == ("/data", "0.0.0.0")
        del environment["PATH"]
        super().__init__(
            data_dir, **environment | {"PORT": str(free_port()), "HOME": "/nonexistent", "TMPDIR": str(data_dir)}
        )

    def is_healthy(self) -> bool:
        _, _, command = said("HEALTHCHECK").partition("CMD ")
        environment = {"PORT": self.port, "http_proxy": "http://127.0.0.1:1"}  # Docker may put one there
        done = subprocess.run(in_image(command), check=False, env=environment, capture_output=True, timeout=10)
        return done.returncode == 0


@pytest.mark.process
def test_what_a_container_runs_writes_only_where_it_may_and_is_healthy_until_it_is_stopped(tmp_path: Path) -> None:
    container = Container(tmp_path)
    try:
        container.wait_until_ready(seconds=90)
        assert container.is_healthy()
        assert container.call("get-user-profile")["isError"] is False
        container.end(getattr(signal, said("STOPSIGNAL")))
        assert container.popen.returncode == 0
        assert not container.is_healthy()
    finally:
        container.kill()


def test_an_image_has_no_secrets_and_no_data() -> None:
    ignored = (BASE_DIR / ".dockerignore").read_text().splitlines()
    assert {".git", ".env", "**/.env", "var", "deploy", "**/*.pem", "**/*.key", "**/*.sqlite3*"} <= set(ignored)


# --- Compose ---


def test_only_the_proxy_is_published_and_on_this_machine_alone_unless_told_otherwise() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert list(published) == ["proxy"]
    assert all(port.startswith("${CONCIERGE_BIND:-127.0.0.1}:") for port in published["proxy"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_may_do_no_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "pids_limit", "restart"} <= set(service)
    assert "healthcheck" in service or "build" in service  # the image's
    assert "user" in service or "build" in service


def test_it_names_settings_that_there_are() -> None:
    coming = {"CONCIERGE_LOG_FORMAT", "CONCIERGE_METRICS_TOKEN"}
    known = {field.alias for field in Config.model_fields.values()} | coming
    assert set(SERVICES["app"]["environment"]) <= known


def test_the_example_has_no_secret_that_somebody_could_leave_in_place() -> None:
    given = dict(line.split("=", 1) for line in EXAMPLE.splitlines() if line and line[0] != "#")
    text = (DEPLOY / "compose.yaml").read_text()
    for name in ("SECRET_KEY", "POSTGRES_PASSWORD", "CONCIERGE_HOST"):
        assert given[name] == ""
        assert set(re.findall(rf"\$\{{{name}\b(..)", text)) == {":?"}  # so it is not started without one
    assert set(re.findall(r"\$\{(\w+)", text)) - set(re.findall(r"^#? ?(\w+)=", EXAMPLE, re.MULTILINE)) == {
        "CONCIERGE_IMAGE_TAG"
    }


def test_what_the_guide_makes_by_chance_is_good_enough() -> None:
    made = subprocess.run(["openssl", "rand", "-hex", "32"], check=True, capture_output=True, text=True).stdout
    assert "openssl rand -hex 32" in EXAMPLE
    assert not can_be_guessed(made.strip())


@pytest.mark.nginx
def test_the_proxy_s_command_makes_a_site_that_nginx_takes(tmp_path: Path) -> None:
    """The very command, with its directories moved here and the other services' names resolved."""
    proxy = SERVICES["proxy"]
    write_certificate(tmp_path)
    moved = {"/tmp/": f"{tmp_path}/", "/etc/nginx/tls": str(tmp_path), "/var/log/nginx": str(tmp_path)}
    for path in (DEPLOY / "nginx").iterdir():
        (tmp_path / f"of-{path.name}").write_text(replaced(path.read_text(), moved))
    moved |= {
        "$$": "$",
        "app:8000": "[::1]:8000",
        "/site/": f"{tmp_path}/of-",
        "exec nginx": f"{nginx_path()} -t -q",
    }
    done = subprocess.run(
        [*proxy["entrypoint"], replaced(proxy["command"][0], moved)],
        env={"PATH": os.environ["PATH"], "CONCIERGE_HOST": "mcp.test"},
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    site = (tmp_path / "concierge.conf").read_text()
    assert "server_name mcp.test;" in site
    assert "mcp.example.com" not in site
    assert "[::1]:8000 max_fails" in site


def replaced(text: str, by: dict[str, str]) -> str:
    """Each once: what was put in is not looked at again."""
    return re.sub("|".join(map(re.escape, by)), lambda found: by[found[0]], text)


def compose() -> list[str]:
    """Docker's, version 2; nothing where there is none."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            done = subprocess.run([*command, "version", "--short"], check=False, capture_output=True, text=True)
            if re.match(r"v?([2-9]|\d\d)\.", done.stdout):
                return command
    return []


@pytest.mark.skipif(not compose(), reason="Docker Compose 2 is not installed here")
def test_compose_takes_it(tmp_path: Path) -> None:
    filled = re.sub(r"^(CONCIERGE_HOST|SECRET_KEY|POSTGRES_PASSWORD)=$", r"\1=x", EXAMPLE, flags=re.MULTILINE)
    environment = tmp_path / "env"
    for text, is_taken in ((EXAMPLE, False), (filled, True)):
        environment.write_text(text)
        done = subprocess.run(
            [*compose(), "--env-file", str(environment), "-f", str(DEPLOY / "compose.yaml"), "config", "-q"],
            check=False, capture_output=True, text=True, env={"PATH": os.environ["PATH"]},
        )  # fmt: skip
        assert (done.returncode == 0) is is_taken, done.stderr
