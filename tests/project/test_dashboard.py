"""The dashboard and the alerts are what Grafana and Prometheus take.

That what they ask for is there is tested with real workers, in test_metrics_workers.py.
"""

import json
import re
from itertools import combinations
from typing import Any

import pytest
import yaml

from project.config import BASE_DIR

BOARD: dict[str, Any] = json.loads((BASE_DIR / "deploy/grafana/concierge.json").read_text())
PANELS: list[dict[str, Any]] = BOARD["panels"]
SHOWING = [panel for panel in PANELS if panel["type"] != "row"]
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((BASE_DIR / "deploy/prometheus/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]


def asked() -> str:
    return " ".join(target["expr"] for panel in SHOWING for target in panel["targets"])


def test_it_is_one_that_grafana_imports() -> None:
    assert (BOARD["uid"], BOARD["title"], BOARD["id"]) == ("concierge", "Concierge", None)
    assert BOARD["schemaVersion"] >= 36
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


def test_it_works_with_whichever_data_source_is_chosen() -> None:
    variables = {variable["name"]: variable for variable in BOARD["templating"]["list"]}
    assert (variables["DS_PROMETHEUS"]["type"], variables["DS_PROMETHEUS"]["query"]) == (
        "datasource",
        "prometheus",
    )
    for panel in SHOWING:
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
    used = {
        name for panel in SHOWING for target in panel["targets"] for name in re.findall(r"\$(\w+)", target["expr"])
    }
    assert used - {"__rate_interval"} <= variables.keys()


def test_no_panel_lies_on_another() -> None:
    for one, other in combinations([panel["gridPos"] for panel in PANELS], 2):
        is_beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert is_beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in PANELS)


def test_every_metric_is_on_it() -> None:
    text = (BASE_DIR / "docs/metrics.md").read_text()
    documented = re.findall(r"^\| `(concierge_\w+)", text, re.MULTILINE)
    assert len(documented) > 20
    assert [name for name in documented if name not in asked()] == []


def test_what_only_goes_up_is_shown_as_a_rate() -> None:
    for panel in SHOWING:
        for target in panel["targets"]:
            for name in re.findall(r"\w+_(?:total|bucket|sum|count|cpu_seconds)\b(?=\{)", target["expr"]):
                assert re.search(rf"(rate|increase)\({name}", target["expr"]), target["expr"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_says_what_is_wrong_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule.keys() == {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"].keys() == {"summary", "description"}
    assert "$labels.instance" in rule["annotations"]["summary"]
    assert rule["expr"].count("(") == rule["expr"].count(")")
