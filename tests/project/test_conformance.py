"""The conformance gate fails closed. What the suite says of the server is `make conformance`'s to find out."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CalledProcessError, TimeoutExpired
from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError

from project.config import BASE_DIR
from tests.conformance import suite
from tests.conformance.clients import VISITS, Seen, Visit
from tests.conformance.fixtures import FIXTURES, TOOLS, shortfalls
from tests.conformance.older import asking_for, rewritten
from tests.conformance.scenarios import Expected
from tests.conformance.server import MEMBER, Served, errors
from tests.conformance.suite import LEGS, Leg
from tests.conformance.verdict import Verdict, judge, read

STAMP = "2026-11-22T20-02-14-123Z"
EXPECTED = Expected(scored={"ping", "tools-list"}, also={"caching"}, unmet={"tasks-lifecycle"})


def check(status: str, **more: str) -> dict[str, str]:
    return {"id": "an-id", "description": "What is checked", "status": status, **more}


def results(**changed: list[dict[str, str]] | None) -> dict[str, list[dict[str, Any]]]:
    """Of a run that went well, but for what is `changed`; None: the scenario did not come to its end."""
    found = {
        "ping": [check("SUCCESS"), check("INFO")],
        "tools-list": [check("SUCCESS")],
        "caching": [check("SUCCESS")],
        "tasks-lifecycle": [check("SUCCESS"), check("FAILURE")],
        **{name.replace("_", "-"): checks for name, checks in changed.items()},
    }
    return {name: checks for name, checks in found.items() if checks is not None}


def problems_of(**changed: list[dict[str, str]] | None) -> list[str]:
    return [str(problem) for problem in judge(results(**changed), EXPECTED).problems]


def write(output: Path, found: dict[str, list[dict[str, Any]]]) -> None:
    for name, checks in found.items():
        folder = output / f"server-{name}-{STAMP}"
        folder.mkdir(parents=True)
        (folder / "checks.json").write_text(json.dumps(checks))


def test_a_run_that_went_well_passes(tmp_path: Path) -> None:
    write(tmp_path, results())
    verdict = judge(read(tmp_path), EXPECTED)
    assert verdict == Verdict(passed={"ping", "tools-list", "caching"}, checks=4, problems=[])


@pytest.mark.parametrize("status", ["FAILURE", "WARNING", "SKIPPED", "success", "ERROR"])
@pytest.mark.parametrize("scenario", ["ping", "caching"])
def test_anything_but_success_in_a_scored_scenario_fails(status: str, scenario: str) -> None:
    found = problems_of(**{scenario: [check("SUCCESS"), check(status, errorMessage="It\nsaid")]})
    assert found == [f"{scenario}: an-id: {status}: It said"]


def test_a_failure_without_a_message_says_what_was_checked() -> None:
    assert problems_of(ping=[check("SUCCESS"), check("FAILURE")]) == ["ping: an-id: FAILURE: What is checked"]


@pytest.mark.parametrize(
    ("checks", "said"), [(None, "was not run"), ([], "was not run"), ([check("INFO")], "nothing succeeded")]
)
def test_a_scenario_that_checked_nothing_fails(checks: list[dict[str, str]] | None, said: str) -> None:
    [problem] = problems_of(tools_list=checks)
    assert problem.startswith(f"tools-list: -: {said}")


def test_an_empty_selection_fails(tmp_path: Path) -> None:
    verdict = judge(read(tmp_path), EXPECTED)
    assert {problem.scenario for problem in verdict.problems} == {
        *EXPECTED.scored,
        *EXPECTED.also,
        *EXPECTED.unmet,
    }
    assert verdict.passed == set()


def test_an_unscored_scenario_may_warn_and_may_not_fail() -> None:
    assert problems_of(polling=[check("WARNING"), check("SKIPPED")]) == []
    assert problems_of(polling=[check("FAILURE")]) == ["polling: an-id: FAILURE: What is checked"]


@pytest.mark.parametrize("checks", [None, [check("SUCCESS")]])
def test_what_is_listed_as_unmet_has_to_fail(checks: list[dict[str, str]] | None) -> None:
    assert problems_of(tasks_lifecycle=checks) == ["tasks-lifecycle: -: is listed as unmet, and did not fail"]


@pytest.mark.parametrize("name", ["client-ping-" + STAMP, "server-ping", "server-ping-2026-11-22T20-02-15-123Z"])
def test_a_folder_that_we_do_not_know_is_no_result(tmp_path: Path, name: str) -> None:
    write(tmp_path, results())
    (tmp_path / f"server-ping-{STAMP}").rename(tmp_path / name)
    write(tmp_path, {"ping": [check("SUCCESS")]})
    with pytest.raises(ValueError, match="An unexpected folder"):
        read(tmp_path)


@pytest.mark.parametrize(("exit_code", "is_passed"), [(0, True), (1, False), (suite.STOPPED, False)])
def test_an_exit_code_that_belies_the_files_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, exit_code: int, is_passed: bool
) -> None:
    def run(arguments: list[str], output: Path) -> int:
        write(output, results())
        return exit_code

    monkeypatch.setattr(suite, "run", run)
    monkeypatch.setattr(suite, "shortfalls", lambda url, mode, revision: [])
    verdict, _ = Leg("2026-07-28", [], EXPECTED, mode="auto").run("http://127.0.0.1:1", tmp_path)
    assert (verdict.problems == []) is is_passed


def test_a_fixture_that_is_not_listed_fails() -> None:
    server = MCPServer("one tool")
    server.tool("test_simple_text")(lambda: "a text")
    found = {problem.check for problem in shortfalls(server, "legacy", "2025-11-25")}
    assert found == FIXTURES - {"test_simple_text"}


def test_a_server_that_speaks_another_revision_fails() -> None:
    last = shortfalls(MCPServer("newest"), "auto", "2025-06-18")[-1]
    assert last.message == "the server speaks 2026-07-28 here"


def test_a_server_that_lists_nothing_fails() -> None:
    [problem] = shortfalls("http://127.0.0.1:1/mcp", "legacy", "2025-11-25")
    assert problem.message.startswith("nothing could be listed: ")


def test_what_the_server_logged_as_an_error_is_told(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    harmless = "2026-11-22 20:20:15,734 INFO x: Refused: 1 ERROR 2\nWARNING:  ERROR: of another's making"
    in_the_gate = "2026-11-22 20:20:16,878 ERROR tools_app.gate: test_elicitation crashed (error id 9526f8e6)"
    outside = "ERROR:    Exception in ASGI application"  # uvicorn says it, and in its own words
    log.write_text(f"{harmless}\n{in_the_gate}\n  Traceback (most recent call last):\n{outside}\n")
    assert errors(log) == [in_the_gate, outside]


def test_every_revision_is_held_to_all_that_it_requires() -> None:
    assert {leg.revision: len(leg.expected.scored) for leg in LEGS} == {
        "2025-06-18": 27,
        "2025-11-25": 30,
        "2026-07-28": 37,
    }
    for leg in LEGS:
        assert not leg.expected.scored & leg.expected.also
        assert not (leg.expected.scored | leg.expected.also) & leg.expected.unmet
        assert f"{leg.revision}" in (BASE_DIR / "docs/conformance.md").read_text()


def test_the_suite_and_the_clients_are_pinned_by_content_and_name_no_registry() -> None:
    here = BASE_DIR / "tests/conformance"
    text = (here / "package-lock.json").read_text()
    packages = {path: about for path, about in json.loads(text)["packages"].items() if path}
    assert all(about["integrity"].startswith("sha512-") for about in packages.values())
    assert "resolved" not in text
    for name, wanted in json.loads((here / "package.json").read_text())["dependencies"].items():
        assert packages[f"node_modules/{name}"]["version"] == wanted
        assert wanted in (BASE_DIR / "docs/conformance.md").read_text()


def visit(look: Callable[[Served, Path], Seen], home: Path) -> list[str]:
    found = Visit("a client", "2026-07-28", look).problems(Served("http://127.0.0.1:1", "a key"), home)
    return [problem.message for problem in found]


def test_a_client_is_held_to_its_revision_to_the_fixtures_and_to_its_key(tmp_path: Path) -> None:
    assert visit(lambda served, home: Seen("2026-07-28", TOOLS | {"more"}, MEMBER), tmp_path) == []
    found = visit(lambda served, home: Seen("2025-11-25", TOOLS - {"test_simple_text"}, "suite"), tmp_path)
    assert found == ["speaks 2025-11-25", "does not list test_simple_text", "is suite here"]


@pytest.mark.parametrize(
    "failure",
    [
        CalledProcessError(3, "a client", stderr="it says why"),
        TimeoutExpired("it says why", 60),
        ExceptionGroup("within", [MCPError(-32000, "it says why")]),
        KeyError("it says why"),
    ],
)
def test_a_client_that_does_not_come_to_its_end_fails(tmp_path: Path, failure: Exception) -> None:
    def look(served: Served, home: Path) -> Seen:
        raise failure

    [message] = visit(look, tmp_path)
    assert message.startswith("did not come to its end: ")
    assert "it says why" in message


def test_each_client_comes_in_each_era() -> None:
    came = sorted((visit.name, visit.revision) for visit in VISITS)
    both = ("Inspector", "Python SDK", "TypeScript SDK", "mcp-remote", "our WebSocket")
    older = ("Python SDK 1.30, WebSocket", "2025-11-25")
    assert came == sorted([older, *((name, era) for name in both for era in ("2025-11-25", "2026-07-28"))])


async def test_an_older_client_asks_for_its_revision() -> None:
    parts = [
        {"type": "http.request", "body": b'{"method": "initialize", "params":', "more_body": True},
        {"type": "http.request", "body": b' {"protocolVersion": "2025-11-25"}}', "more_body": False},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return parts.pop(0)

    scope, replay = await asking_for("2025-06-18", {"headers": [(b"content-length", b"69")]}, receive)
    message = await replay()
    assert json.loads(message["body"])["params"] == {"protocolVersion": "2025-06-18"}
    assert scope["headers"] == [(b"content-length", b"%d" % len(message["body"]))]
    assert (await replay())["type"] == "http.disconnect"


@pytest.mark.parametrize("body", [b'{"method":"ping"}', b"[]", b"{", b"", b'{"method":"initialize"}'])
def test_other_messages_stay_as_they_are(body: bytes) -> None:
    assert rewritten(body, "2025-06-18") == body
