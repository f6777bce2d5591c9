"""The units of deploy/systemd: what they run is run, with what they say of its environment and its end."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from project.config import BASE_DIR
from project.server import LAST_STEPS
from project.settings import STOP_GRACE
from project.workers import LATE
from tests.process import Process, free_port, until

pytestmark = pytest.mark.process

UNITS = BASE_DIR / "deploy/systemd"
INSTALLED = "/srv/concierge"


def options(name: str) -> dict[str, list[str]]:
    """Each with its values, in their order. systemd.syntax(7): an option may be given again."""
    found = defaultdict(list)
    for line in (UNITS / name).read_text().splitlines():
        if line and line[0] not in "#;[":
            option, _, value = line.partition("=")
            found[option].append(value)
    return dict(found)


def here(text: str) -> str:
    """What is installed in /srv, in this checkout."""
    return text.replace(f"{INSTALLED}/.venv/bin/python", sys.executable).replace(INSTALLED, str(BASE_DIR))


class Unit(Process):
    """As systemd would start it, with a data directory and a port of the test's."""

    def __init__(self, name: str, data_dir: Path) -> None:
        self.options = options(name)
        self.data_dir = data_dir
        self.port = str(free_port())
        said = dict(pair.split("=", 1) for line in self.options["Environment"] for pair in line.split())
        assert said["CONCIERGE_DATA_DIR"] == f"/var/lib/{self.options['StateDirectory'][0]}"
        # systemd gives PATH and little else; a file of the operator's gives the rest.
        self._environment = said | {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
            "CONCIERGE_DATA_DIR": str(data_dir),
            "PORT": self.port,
            "CONCIERGE_STOP_NOTICE": "0",
        }
        self.popen = subprocess.Popen(
            self.line("ExecStart"), cwd=here(self.options["WorkingDirectory"][0]), env=self._environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, umask=int(self.options["UMask"][0], 8),
        )  # fmt: skip

    def line(self, name: str) -> list[str]:
        [line] = self.options[name]
        return [here(part) for part in shlex.split(line)]

    def reload(self) -> None:
        command = [part.replace("$MAINPID", str(self.popen.pid)) for part in self.line("ExecReload")]
        subprocess.run(command, check=True, timeout=10)


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[Unit]:
    unit = Unit("concierge.service", tmp_path)
    yield unit
    unit.kill()


def test_the_service_starts_is_reloaded_and_stops_and_the_cleanup_runs_to_its_end(unit: Unit) -> None:
    unit.wait_until_ready(seconds=90)
    before = unit.workers
    unit.reload()
    until(lambda: len(unit.workers) == 1 and not unit.workers & before, seconds=60)
    assert unit.is_ready()
    assert {path.stat().st_mode & 0o077 for path in unit.data_dir.iterdir()} == {0}
    unit.end(signal.SIGTERM)
    assert unit.popen.returncode == 0
    cleanup = Unit("concierge-cleanup.service", unit.data_dir)
    said, _ = cleanup.popen.communicate(timeout=90)
    assert (cleanup.popen.returncode, "Traceback" in said) == (0, False)


def test_it_is_given_the_time_that_it_takes_to_stop() -> None:
    said = options("concierge.service")
    assert int(said["TimeoutStopSec"][0].removesuffix("s")) > STOP_GRACE + LAST_STEPS + LATE
    assert said["KillMode"] == ["mixed"]  # the parent tells its workers; all of them at once would be told twice


def test_the_cleanup_may_do_no_more_than_the_server() -> None:
    server, cleanup = options("concierge.service"), options("concierge-cleanup.service")
    hardening = list(server)[list(server).index("NoNewPrivileges") : -1]
    assert len(hardening) > 20
    for name in [*hardening, "User", "Environment", "EnvironmentFile", "StateDirectoryMode", "UMask"]:
        assert cleanup[name] == server[name], name


needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")


@pytest.fixture
def installed(tmp_path: Path) -> list[str]:
    """The units, as they would be where the checkout is this one."""
    for path in UNITS.iterdir():
        text = here(path.read_text()).replace("/etc/concierge.env", "-/etc/concierge.env")
        (tmp_path / path.name).write_text(text.replace("=concierge\n", f"={os.environ.get('USER', 'root')}\n"))
    return [str(path) for path in tmp_path.iterdir()]


@needs_systemd
def test_systemd_finds_nothing_wrong(installed: list[str]) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", *installed], check=False, capture_output=True, text=True, timeout=60
    )
    assert [line for line in done.stderr.splitlines() if "concierge" in line] == []


@needs_systemd
@pytest.mark.parametrize("name", ["concierge.service", "concierge-cleanup.service"])
def test_systemd_finds_that_it_may_do_little(name: str) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(UNITS / name)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
