"""docs/configuration.md, from config.py."""

from typing import Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ringpost.config import Config

_HEAD = """# Configuration

<!-- Made from src/ringpost/config.py by `make docs`; change it there. -->

Every setting is an environment variable, or a line of a file `.env` in the folder that Ringpost is started in. An
environment variable wins over the file, and an option on the command line (`--data-dir`, `--host`, `--port`,
`--workers`) wins over both. A variable that is empty counts as not set. None has to be set: a data folder is enough,
and it has a default too.

`ringpost config show` prints what is in force, with secrets masked. A value that cannot be right stops the start
with exit code 78 and a sentence that says which setting and why; secrets are not repeated. What only its use can show
(an address that is not this machine's, a server that is away) is said then.

The variables of OpenTelemetry (`OTEL_EXPORTER_OTLP_ENDPOINT` and its like) switch on [traces](operating.md#traces);
they are read from the environment only.

What can be changed while Ringpost runs (mail servers, recipients, templates, tenants) is not here: that is set over
the [API](api.md).

| Variable | Default | Meaning |
|---|---|---|
"""

_TAIL = """
## Networks of mail servers

A tenant names the host and port of its mail server, so Ringpost decides where it may connect to. Public addresses on
ports 25, 465, 587, 2465, 2525 and 2587 are always allowed. Private networks and other ports are refused unless
`RINGPOST_ALLOWED_MAIL_NETWORKS` opens them:

```sh
RINGPOST_ALLOWED_MAIL_NETWORKS=10.1.0.0/16,192.0.2.7/32:2525,[fd00::/8]:25
```

Some addresses stay refused whatever is allowed, because no mail server is there and something that must not be asked
may be: link-local and multicast addresses, and those where clouds keep their metadata (169.254.169.254 among them).
The system administrator's own mail server (`POST /admin/notification`) is not restricted.

## Keys

Passwords, mails and event variables are sealed at rest. The keys are in the file `keys` of the data folder, made on
the first start, unless `RINGPOST_KEYS` has them. [Operating](operating.md#keys) says how to back them up and change
them. Whoever loses them loses the stored passwords and the mails that wait.
"""


def page() -> str:
    """The page."""
    return _HEAD + "".join(_row(name, field) for name, field in Config.model_fields.items()) + _TAIL


def _row(name: str, field: FieldInfo) -> str:
    meaning = f"{field.description} {_limits(field)}".strip().replace("|", "\\|")
    return f"| `RINGPOST_{name.upper()}` | {_default(field)} | {meaning} |\n"


def _default(field: FieldInfo) -> str:
    default = field.default
    if default is PydanticUndefined or default is None or default == "":
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _limits(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return f"One of {', '.join(f'`{word}`' for word in get_args(field.annotation))}."
    bounds = {type(rule).__name__.lower(): rule for rule in field.metadata}
    lowest, above = _bound(bounds, "ge"), _bound(bounds, "gt")
    highest = _bound(bounds, "le")
    if highest is None or (lowest is None and above is None):
        return ""
    return f"From {lowest} to {highest}." if above is None else f"Above {above}, to {highest}."


def _bound(bounds: dict[str, object], name: str) -> object | None:
    return getattr(bounds[name], name) if name in bounds else None
