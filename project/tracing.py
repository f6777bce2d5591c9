"""Export of traces to an OpenTelemetry collector, by the standard OTEL_* variables. docs/tracing.md.

Its packages are an extra (requirements/otel.txt), and looked at only where traces are wanted.
"""

import asyncio
import os
import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING

from django.conf import settings
from opentelemetry import trace

from sessions_app.tracing import tracing

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

NAME = "concierge"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PROTOCOL = "http/protobuf"
PACKAGES = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http")
LAST_EXPORT = 2.0
"""Seconds for what was not exported yet when the server ends. A collector that is away must not keep it."""


def is_wanted() -> bool:
    is_disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    has_other_exporter = os.environ.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() == "none"
    return any(os.environ.get(name) for name in ENDPOINTS) and not is_disabled and not has_other_exporter


def is_installed() -> bool:
    try:
        return all(find_spec(package) is not None for package in PACKAGES)
    except ModuleNotFoundError:  # not even what it would be a part of
        return False


def problem() -> str:
    """What we would do otherwise than the environment says. No header's value is in it: it may be a key."""
    for name in ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"):
        if os.environ.get(name, PROTOCOL) != PROTOCOL:
            return f"{name} is {os.environ[name]!r}: traces are exported by {PROTOCOL} only."
    for name in ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"):
        if any("=" not in header for header in os.environ.get(name, "").split(",") if header.strip()):
            return f"{name} must be name=value, separated by commas, with a comma in a value written as %2C."
    return ""


class Export:
    """Of this process's spans, from its start to its end."""

    def __init__(self) -> None:
        self._provider: TracerProvider | None = None

    def begin(self) -> None:
        """If it is wanted. A process that serves calls it once, before it makes its server."""
        if not is_wanted():
            return
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._provider = TracerProvider(resource=resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(self._provider)
        tracing.tracer = self._provider.get_tracer(NAME, settings.VERSION)

    async def end(self) -> None:
        """Export what waits. A thread of its own, which nobody has to wait for: it may take its time."""
        provider, self._provider = self._provider, None
        if provider is not None:
            last = threading.Thread(target=provider.shutdown, daemon=True)
            last.start()
            await asyncio.to_thread(last.join, LAST_EXPORT)


def resource() -> "Resource":
    """What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say, and what they leave open."""
    from opentelemetry.sdk.resources import PROCESS_PID, SERVICE_NAME, SERVICE_VERSION, Resource

    said = Resource.create()
    ours = Resource({SERVICE_NAME: NAME, SERVICE_VERSION: settings.VERSION, PROCESS_PID: os.getpid()})
    is_named = not str(said.attributes[SERVICE_NAME]).startswith("unknown_service")
    return ours.merge(said) if is_named else said.merge(ours)


export = Export()
