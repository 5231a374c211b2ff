"""Notifications: which events are told, and to whom."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection
from starlette.responses import Response

from ringpost.console.forms import Form, refused
from ringpost.console.languages import N_
from ringpost.console.levels import OF_TENANT
from ringpost.console.mail_trials import try_mail
from ringpost.console.merging import merged, was
from ringpost.console.rendering import render
from ringpost.console.routing import get, post
from ringpost.console.visit import Visit
from ringpost.domain.addresses import Address, format_address
from ringpost.domain.catalogue import CATALOGUE, EventType
from ringpost.domain.settings import TENANT_SWITCHES, Settings
from ringpost.errors import Invalid, NotFound, PasswordRequired
from ringpost.storage import settings
from ringpost.usecases.send_sample import send_sample


@dataclass(frozen=True, slots=True)
class TypeInWords:
    """One event type in plain words; texts are English, to be translated."""

    name: str
    title: str
    who: str
    """Who is told of it."""

    @property
    def kind(self) -> EventType:
        """The event type."""
        return CATALOGUE[self.name]


@dataclass(frozen=True, slots=True)
class Group:
    """Event types that belong together."""

    title: str
    types: tuple[TypeInWords, ...]


_RECIPIENTS = N_("Tells the recipients above.")
_BOTH = N_("Tells the recipients above, and those that the phone system names.")
_PERSON = N_("Tells the person it is about.")

GROUPS: Final = (
    Group(
        N_("Queues"),
        (
            TypeInWords("QUEUE_SLA", N_("A caller has waited for too long"), _BOTH),
            TypeInWords("QUEUE_CALL_LOST", N_("A caller left a queue unanswered"), _BOTH),
            TypeInWords("QUEUE_CALLBACK", N_("A queue called a caller back"), _BOTH),
            TypeInWords("QUEUE_CALLBACK_FAILED", N_("A queue could not call a caller back"), _BOTH),
        ),
    ),
    Group(
        N_("People"),
        (
            TypeInWords("USER_CREATION", N_("Welcome a new user, with what is needed to sign in"), _PERSON),
            TypeInWords("VOICEMAIL_RECEIVED", N_("A voicemail arrived"), _PERSON),
            TypeInWords("CONFERENCE_INVITATION", N_("Somebody is invited to a meeting"), _PERSON),
            TypeInWords("RECHARGE", N_("An account was recharged"), N_("Tells the person, else the recipients above.")),
            TypeInWords(
                "CALL_REPORT_COMPLETED",
                N_("A call report is ready"),
                N_("Tells whoever ordered it, else the recipients above."),
            ),
        ),
    ),
    Group(
        N_("The phone system"),
        (
            TypeInWords("EMERGENCY_CALL", N_("An emergency number was dialled"), _BOTH),
            TypeInWords("TRUNK_DISCONNECTED", N_("A line to the outside (SIP trunk) went down"), _RECIPIENTS),
            TypeInWords("TRUNK_CONNECTED", N_("A line to the outside (SIP trunk) came up"), _RECIPIENTS),
            TypeInWords("DISK_LOW", N_("Disk space runs low"), _RECIPIENTS),
            TypeInWords("LICENSE_LIMITED", N_("A limit of the license was reached"), _RECIPIENTS),
        ),
    ),
)


async def show_notifications(visit: Visit) -> Response:
    """The page as it was saved."""
    saved = await visit.room.database.read(settings.show, visit.tenant_id)
    return await _page(visit, Form(_values(saved)))


async def save_notifications(visit: Visit) -> Response:
    """Save what was changed of switches and recipients; the mail server stays as it is."""
    posted = visit.posted
    chosen: dict[str, Any] = {name: posted.flag(name) for name in TENANT_SWITCHES}
    # A browser sends what is in a text area by lines; the API takes commas as well.
    chosen["recipients"] = posted.text("recipients")
    try:
        await OF_TENANT.save(visit, lambda saved: merged(chosen, was(posted), _values(saved.settings)))
    except (Invalid, PasswordRequired) as reason:
        return await _page(visit, refused(chosen, reason), status=422)
    return visit.redirect("/notifications", done="saved")


async def sample(visit: Visit) -> Response:
    """Send a sample of one type to one recipient, and say what became of it."""
    name = visit.request.path_params["name"]
    if name not in CATALOGUE:
        raise NotFound(N_("There is no such notification."))

    async def send(recipient: Address) -> None:
        await send_sample(visit.room, visit.principal, name, recipient)

    told = await try_mail(visit, visit.tenant_id, visit.posted.text("to"), send)
    if visit.wants_fragment:
        return render(visit, "sample_result.html", kind=told.kind, text=told.text)
    saved = await visit.room.database.read(settings.show, visit.tenant_id)
    return await _page(visit, Form(_values(saved)), sampled=(name, told.kind, told.text))


async def _page(
    visit: Visit, form: Form, *, status: int = 200, sampled: tuple[str, str, str] | None = None
) -> Response:
    saved, offered = await visit.room.database.read(_saved, visit)
    can_send = offered or saved.can_send
    addresses = [(one.spec, format_address(one)) for one in saved.recipients]
    return render(
        visit,
        "notifications.html",
        status=status,
        form=form,
        was=was(visit.posted) or _values(saved),
        groups=GROUPS,
        addresses=addresses,
        can_send=can_send,
        sampled=sampled,
    )


def _saved(connection: Connection, visit: Visit) -> tuple[Settings, bool]:
    return settings.show(connection, visit.tenant_id), settings.system_server_offered(connection)


def _values(saved: Settings) -> dict[str, Any]:
    values: dict[str, Any] = {name: saved.switches.get(name, False) for name in TENANT_SWITCHES}
    values["recipients"] = "\n".join(format_address(one) for one in saved.recipients)
    return values


routes = (
    get("/notifications", show_notifications),
    post("/notifications", save_notifications),
    post("/notifications/{name}/sample", sample),
)
