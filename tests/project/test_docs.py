"""The documents tell the truth: every setting, tool and command is in them, and versions agree."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from django.conf import settings

from project.config import BASE_DIR, Config
from sessions_app.connect import CLIENTS
from tools_app.registry import registry

DOCS = BASE_DIR / "docs"
OURS = ("project", "collab_app", "sessions_app", "tools_app")


def text_of(*names: str) -> str:
    return "\n".join((BASE_DIR / name).read_text() for name in names)


@pytest.mark.parametrize("field", list(Config.model_fields))
def test_every_setting_is_documented(field: str) -> None:
    alias = Config.model_fields[field].alias
    assert f"`{alias}`" in text_of("docs/settings.md")


def test_every_built_in_tool_is_documented() -> None:
    built_in = [tool for tool in registry.tools.values() if tool.function.fn.__module__.startswith("tools_app.")]
    assert len(built_in) >= 2
    for tool in built_in:
        assert f"`{tool.name}`" in text_of("docs/seed.md")
        assert f"`{tool.permission}`" in text_of("docs/seed.md")


def test_every_operation_resource_and_prompt_that_ships_is_documented() -> None:
    text = text_of("docs/seed.md")
    for found in registry.operations.values():
        if found.function.fn.__module__.startswith("tools_app."):
            assert f"`{found.name}`" in text
            assert f"`{found.permission}`" in text
    for name, prompt in registry.prompts.items():
        assert not prompt.function.fn.__module__.startswith("tools_app.") or f"`{name}`" in text


def test_what_is_said_to_show_the_seed_s_behaviour_is_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", text_of("docs/seed.md"))
    assert len(named) > 45
    for path, test in named:
        assert f"def {test}(" in text_of(path), (path, test)


def test_every_command_of_ours_is_documented() -> None:
    everything = text_of("README.md", *(f"docs/{path.name}" for path in DOCS.glob("*.md")))
    for app in OURS:
        for path in (BASE_DIR / app / "management" / "commands").glob("[a-z]*.py"):
            assert f"manage.py {path.stem}" in everything, path.stem


def test_every_client_is_documented() -> None:
    for client in CLIENTS:
        assert client in text_of("docs/quickstart.md")


def test_the_versions_agree() -> None:
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    assert project["version"] == settings.VERSION
    assert f"[{settings.VERSION}]" in text_of("CHANGELOG.md")


def test_links_between_documents_lead_somewhere() -> None:
    for path in [BASE_DIR / "README.md", BASE_DIR / "CHANGELOG.md", *DOCS.glob("*.md")]:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


@pytest.mark.parametrize(
    ("package", "floor"),
    [("django", (6, 1, 3)), ("pyjwt", (2, 15, 1)), ("mcp", (2, 3, 0)), ("starlette", (1, 3, 0)),
     ("djangorestframework", (3, 18, 2))],
)  # fmt: skip
def test_nothing_with_a_known_hole_is_installed(package: str, floor: tuple[int, ...]) -> None:
    """The versions below which an advisory applies; no advisory database can be asked offline."""
    assert tuple(int(part) for part in version(package).split(".")[:3]) >= floor


def test_no_file_of_ours_is_long() -> None:
    for app in OURS:
        for path in Path(BASE_DIR / app).rglob("*.py"):
            assert len(path.read_text().splitlines()) <= 250, path
