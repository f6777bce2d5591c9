"""The example in docs/tools.md is an app that works: its files are printed there, and its own tests pass."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings

from project.config import BASE_DIR
from tools_app.registry import registry
from tools_app.schema_problems import problems_of

if "tests.bakery" not in settings.INSTALLED_APPS:
    pytest.skip("a developer has a bakery of his own", allow_module_level=True)

from tests.bakery import tests as example

FOLDER = BASE_DIR / "tests" / "bakery"
OWN_TESTS = [test for name, test in vars(example).items() if name.startswith("test_")]
UNITTEST = """
from django.test import TestCase, TransactionTestCase

from sessions_app.models import User
from sessions_app.permissions import MEMBERS
from django.contrib.auth.models import Group
from tools_app.testing import call_tool


class Committed(TransactionTestCase):
    def test_first(self) -> None:
        alice = User.objects.create_user("alice")
        alice.groups.add(Group.objects.get(name=MEMBERS))
        self.assertEqual(call_tool(alice, "place-order", item="roll").text[-4:], "0.60")

    test_again = test_first


class Hidden(TestCase):
    def test_it_is_said(self) -> None:
        with self.assertRaisesRegex(RuntimeError, "TransactionTestCase"):
            call_tool(User.objects.create_user("alice"), "my-orders")
"""


@pytest.mark.parametrize("name", ["models.py", "tools.py", "tests.py"])
def test_the_docs_print_the_files(name: str) -> None:
    docs = (BASE_DIR / "docs" / "tools.md").read_text()
    printed = re.search(rf"`bakery/{name}`:\n\n```python\n(.*?)```\n", docs, re.DOTALL)
    assert printed is not None
    assert printed[1] == (FOLDER / name).read_text()


@pytest.mark.parametrize("test", OWN_TESTS)
def test_its_own_tests_pass(db_for_threads: None, test: Callable[[], None]) -> None:
    test()


def test_it_describes_itself_well() -> None:
    for name in ("place-order", "my-orders"):
        assert problems_of(registry.tools[name]) == []


def test_there_are_tests_of_it() -> None:
    assert len(OWN_TESTS) == 4


def run(*arguments: str, **environment: str) -> str:
    """What Python printed. Without our conftest, as where an app of a developer's own is."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CONCIERGE_")}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=BASE_DIR, env={**inherited, **environment}, timeout=100,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.process
def test_pytest_runs_it_without_our_fixtures() -> None:
    assert "4 passed" in run(
        "-m", "pytest", "-q", "--noconftest", "-p", "no:cacheprovider", "tests/bakery/tests.py"
    )


@pytest.mark.process
def test_unittest_runs_such_tests_too(tmp_path: Path) -> None:
    (tmp_path / "test_orders.py").write_text(UNITTEST)
    assert "Ran 3 tests" in run("-W", "error", "manage.py", "test", str(tmp_path), "--settings", "tests.settings")
