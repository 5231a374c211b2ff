"""docs/events.md, from the catalogue."""

from ringpost.domain.catalogue import ALIASES, CATALOGUE, Audience, EventType, Variable
from ringpost.domain.system_events import SYSTEM_CATALOGUE

_AUDIENCES = {
    Audience.USER: "the recipients of the event; when it has none, the address in `USER_EMAIL`",
    Audience.EVENT: "the recipients of the event",
    Audience.TENANT: "the tenant's recipients",
    Audience.EVENT_AND_TENANT: "the recipients of the event and the tenant's",
    Audience.EVENT_ELSE_TENANT: "the recipients of the event; when it has none, the tenant's",
}

_SYSTEM_HEAD = """
## Events of the system level

These belong to no tenant. They go to the recipients in `/admin/notification` through the system's mail server, each
only while its toggle there is on. Ringpost reports `HARD_DISK_*`, `CPU_*` and `MEMORY_*` itself
([watching the host](operating.md#watching-the-host)); a phone system reports the others with a token of the system
level and without `tenant`. Their templates are under `/admin/default_email_templates` and
`/admin/custom_email_templates`.

| Type | Class | Switched by |
|---|---|---|
"""

_HEAD = """# Event types and their variables

<!-- Made from src/ringpost/domain/catalogue.py by `make docs`; change it there. -->

An event is a fact that a phone system reports. Its type is the name of the template that its mail is made from. How to
send one: [API](api.md#events). How to add a type: [CONTRIBUTING](../CONTRIBUTING.md#add-an-event-type).

The class decides what goes first and how long it is tried:

| Class | Tried again after | Expires after |
|---|---|---|
| emergency | 5, 15, 30, 60, 120 seconds, then every 5 minutes | 24 hours |
| alert | 1, 2, 5, 10, 15, 30 minutes, then hourly | 72 hours |
| normal | 1, 2, 5, 10, 15, 30 minutes, then hourly | 72 hours |

Alerts go before normal mails; emergencies go before everything and have room of their own in every worker. The 72
hours are the setting `RINGPOST_NORMAL_LIFETIME_HOURS`. Delays vary by a fifth, so that mails do not come back all at
once.

Variables marked *Secret* are shown as `***`, with whatever type they come. A mail whose event carries one is shown to
nobody, and erased with the event's variables as soon as it is sent or given up.

"""


def page() -> str:
    """The page."""
    return _HEAD + _overview() + "".join(_section(kind) for kind in CATALOGUE.values()) + _system() + _aliases()


def _overview() -> str:
    rows = [
        f"| [{kind.name}](#{kind.name.lower()}) | {kind.urgency.name.lower()} | {_toggle(kind)} "
        f"| {_AUDIENCES[kind.audience]} |\n"
        for kind in CATALOGUE.values()
    ]
    return "## All types\n\n| Type | Class | Switched by | Goes to |\n|---|---|---|---|\n" + "".join(rows)


def _system() -> str:
    kinds = SYSTEM_CATALOGUE.values()
    rows = [f"| {kind.name} | {kind.urgency.name.lower()} | {_toggle(kind)} |\n" for kind in kinds]
    return _SYSTEM_HEAD + "".join(rows) + "".join(_section(kind, "###") for kind in kinds)


def _toggle(kind: EventType) -> str:
    return f"`{kind.toggle}` (off by default)" if kind.toggle else "always on"


def _section(kind: EventType, level: str = "##") -> str:
    secret = " Its mails hold secrets, whatever variables come." if kind.secret else ""
    rows = "".join(_variable(variable) for variable in kind.variables)
    head = f"\n{level} {kind.name}\n\n{kind.description}{secret}\n"
    return f"{head}\n| Variable | Meaning | Example |\n|---|---|---|\n{rows}"


def _variable(variable: Variable) -> str:
    notes = " Secret." if variable.secret else ""
    return f"| `{variable.name}` | {variable.description}{notes} | {variable.sample} |\n"


def _aliases() -> str:
    rows = "".join(f"| `{alias}` | `{name}` |\n" for alias, name in ALIASES.items())
    return (
        "\n## Other names\n\nTemplates in the field use other names for some variables. They work too:\n\n"
        f"| Name | Stands for |\n|---|---|\n{rows}"
    )
