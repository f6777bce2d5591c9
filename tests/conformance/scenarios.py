"""What has to be run and passed, by name. Written down here, so that a selection that shrinks is noticed."""

from collections.abc import Set
from dataclasses import dataclass


@dataclass(frozen=True)
class Expected:
    """What a revision's run has to come to."""

    scored: Set[str]
    """What the revision requires, in the suite's own judgement."""
    also: Set[str] = frozenset()
    """What the suite runs beside that and does not score, and we pass: held to the same."""
    unmet: Set[str] = frozenset()
    """What the suite runs beside that and we fail, for a reason."""


EVERY_REVISION = frozenset(
    {
        "completion-complete",
        "prompts-get-embedded-resource",
        "prompts-get-simple",
        "prompts-get-with-args",
        "prompts-get-with-image",
        "prompts-list",
        "resources-list",
        "resources-read-binary",
        "resources-read-text",
        "resources-templates-read",
        "tools-call-audio",
        "tools-call-embedded-resource",
        "tools-call-error",
        "tools-call-image",
        "tools-call-mixed-content",
        "tools-call-simple-text",
        "tools-call-with-progress",
        "tools-list",
    }
)
HANDSHAKE = EVERY_REVISION | {
    "logging-set-level",
    "ping",
    "resources-subscribe",
    "resources-unsubscribe",
    "server-initialize",
    "tools-call-elicitation",
    "tools-call-sampling",
    "tools-call-with-logging",
}
EXPECTED_2025_06_18 = Expected(HANDSHAKE | {"server-session-lifecycle"})
EXPECTED_2025_11_25 = Expected(
    HANDSHAKE
    | {
        "dns-rebinding-protection",
        "elicitation-sep1034-defaults",
        "elicitation-sep1330-enums",
        "server-sse-multiple-streams",
    },
    also=frozenset({"json-schema-2020-12", "server-session-lifecycle"}),
)
SCORED_2026_07_28 = EVERY_REVISION | {
    "caching",
    "dns-rebinding-protection",
    "input-required-result-basic-elicitation",
    "input-required-result-basic-list-roots",
    "input-required-result-basic-sampling",
    "input-required-result-capability-check",
    "input-required-result-ignore-extra-params",
    "input-required-result-missing-input-response",
    "input-required-result-multi-round",
    "input-required-result-multiple-input-requests",
    "input-required-result-non-tool-request",
    "input-required-result-request-state",
    "input-required-result-result-type",
    "input-required-result-tampered-state",
    "input-required-result-unsupported-methods",
    "input-required-result-validate-input",
    "sep-2164-resource-not-found",
    "server-sse-multiple-streams",
    "server-stateless",
}
NO_TASKS = frozenset(
    {
        "tasks-capability-negotiation",
        "tasks-dispatch-and-envelope",
        "tasks-lifecycle",
        "tasks-mrtr-composition",
        "tasks-mrtr-input",
        "tasks-request-headers",
        "tasks-request-state-removal",
        "tasks-required-task-error",
        "tasks-wire-fields",
    }
)
"""Of the extension io.modelcontextprotocol/tasks, which neither Concierge nor the SDK has."""
EXPECTED_2026_07_28 = Expected(
    SCORED_2026_07_28,
    also=frozenset({"http-custom-header-server-validation", "http-header-validation", "json-schema-2020-12"}),
    unmet=NO_TASKS,
)
