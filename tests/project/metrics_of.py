"""What /metrics shows, as a scraper reads it."""

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def families(text: str) -> list[Metric]:
    return list(text_string_to_metric_families(text))


def value_of(text: str, series: str, /, **labels: str) -> float:
    """The sum of the series of this name that have these labels; 0 if there are none."""
    return sum(
        sample.value
        for family in families(text)
        for sample in family.samples
        if sample.name == series and labels.items() <= sample.labels.items()
    )


def names_of(text: str) -> set[str]:
    """Of all series."""
    return {sample.name for family in families(text) for sample in family.samples}


def going_up(text: str) -> Series:
    """Every series that must never go back."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families(text)
        if family.type in ("counter", "histogram")
        for sample in family.samples
    }


def went_back(before: Series, after: Series) -> list[object]:
    return [series for series, value in before.items() if after.get(series, -1) < value]


def problems(text: str) -> Iterable[str]:
    """What `promtool check metrics` would say."""
    for family in families(text):
        if not family.documentation:
            yield f"{family.name} has no help"
        if family.type == "unknown":
            yield f"{family.name} has no type"
        if not family.name.startswith("concierge_"):
            yield f"{family.name} is not ours"
        is_counter = family.type == "counter"
        if is_counter and not all(sample.name.endswith("_total") for sample in family.samples):
            yield f"{family.name} is a counter that does not say so"
        if not is_counter and family.name.endswith(("_total", "_count", "_sum", "_bucket")):
            yield f"{family.name} is none that it sounds like"
        for unit in ("milliseconds", "minutes", "kilobytes", "megabytes"):
            if unit in family.name:
                yield f"{family.name} is not in base units"
    declared = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    yield from (f"{name} is declared twice" for name in set(declared) if declared.count(name) > 1)
