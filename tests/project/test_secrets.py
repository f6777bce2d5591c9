"""Secrets that Concierge makes for itself."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from project.config import BASE_DIR
from project.secrets import own_secret_key, write_private


@pytest.fixture
def loose_umask() -> Iterator[None]:
    """As on a machine whose owner trusts everybody."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_key_is_long_and_random(tmp_path: Path) -> None:
    first, second = own_secret_key(tmp_path / "a"), own_secret_key(tmp_path / "b")
    assert first != second
    assert len(first) >= 64


@pytest.mark.usefixtures("loose_umask")
def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    own_secret_key(tmp_path / "data")
    assert mode(tmp_path / "data" / "secret-key") == 0o600
    assert mode(tmp_path / "data") == 0o700


def test_the_second_run_changes_nothing(tmp_path: Path) -> None:
    key = own_secret_key(tmp_path)
    before = (tmp_path / "secret-key").stat()
    assert own_secret_key(tmp_path) == key
    assert (tmp_path / "secret-key").stat() == before


def test_no_draft_is_left_behind(tmp_path: Path) -> None:
    own_secret_key(tmp_path)
    own_secret_key(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["secret-key"]


def test_what_an_operator_put_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "secret-key").write_text("of the operator's own making\n")
    assert own_secret_key(tmp_path) == "of the operator's own making"


def test_a_private_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    write_private(path, "first")
    with pytest.raises(FileExistsError):
        write_private(path, "second")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_private_file_never_follows_a_link(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        write_private(tmp_path / "letter.txt", "secret")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.process
def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    # Each waits for its line, so that all have started when they race.
    program = (
        "import sys; from pathlib import Path; from project.secrets import own_secret_key;"
        "print('ready', flush=True); sys.stdin.readline(); print(own_secret_key(Path(sys.argv[1])))"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", program, tmp_path / "data"],
            cwd=BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    keys = {racer.communicate(timeout=20)[0].strip() for racer in racers}
    assert keys == {(tmp_path / "data" / "secret-key").read_text()}
    assert [racer.returncode for racer in racers] == [0] * 4
