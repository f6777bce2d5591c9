from django.apps import AppConfig


class ConformanceConfig(AppConfig):
    """The fixtures that the official suite asks for by name. Its `tools.py` is found like any app's."""

    name = "tests.conformance"
    label = "tests_conformance"
