"""Traces for OpenTelemetry, when the operator wants them (docs/operating.md, Traces).

Everything is set by the variables of its specification. Without an endpoint among them nothing of OpenTelemetry is
imported, and the room has no trace.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # at run time only when traces are wanted
    from ringpost.telemetry.traces import Traces

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL: Final = "http/protobuf"


def open_traces(environment: Mapping[str, str] = os.environ) -> "Traces | None":
    """Traces as the environment wants them; None when it wants none. Raises ValueError when they cannot be had."""
    endpoint = _first(environment, ENDPOINTS)
    if endpoint is None or _is_off(environment):
        return None
    protocol = _first(environment, PROTOCOLS)
    if protocol is not None and environment[protocol] != PROTOCOL:
        raise ValueError(
            f"{protocol} is {environment[protocol]}, but traces are sent by {PROTOCOL} only: "
            "leave it out, and name the collector's port for HTTP (usually 4318)"
        )
    try:
        from ringpost.telemetry.traces import Traces  # noqa: PLC0415  it is optional
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "ringpost":
            raise
        raise ValueError(
            f"{endpoint} asks for traces, but OpenTelemetry is not installed ({error.name} is missing). Install it "
            "with pip install 'ringpost[telemetry]' (or requirements/telemetry.lock), or take the variable out"
        ) from error
    return Traces.from_environment()


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """The first of these variables that says something. Empty ones count as not set, as the specification has it."""
    return next((name for name in names if environment.get(name)), None)


def _is_off(environment: Mapping[str, str]) -> bool:
    disabled = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return disabled or environment.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none"
