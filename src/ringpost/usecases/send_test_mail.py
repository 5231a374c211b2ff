"""Send a test mail through the mail server in force, now, and say exactly what became of it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from sqlalchemy import Connection

from ringpost.domain.access import Principal
from ringpost.domain.addresses import BLANKS, Address, parse_address
from ringpost.domain.deliveries import RETRY, SENT, Outcome, Party, Stage
from ringpost.domain.diagnosis import way_to
from ringpost.domain.endpoints import Endpoint
from ringpost.domain.fields import Fields
from ringpost.domain.mail_servers import UNOPENED
from ringpost.domain.messages import Envelope, Message, assemble
from ringpost.domain.rendering import Stamp, compose
from ringpost.domain.templates import Parts, validate_parts
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.errors import FieldError, Invalid, MailServerFailed, NotConfigured
from ringpost.storage import settings as rows
from ringpost.storage.identifiers import new_id
from ringpost.storage.sealing import SealBroken
from ringpost.storage.settings import ServerInForce
from ringpost.usecases.room import Room

LONGEST_WAIT_S = 30.0
GRACE_S = 2.0
"""How long the transport may take to say by itself how far it came, before it is cut off."""

_NO_SERVER = "There is no mail server to send through. Save one in the settings first."


@dataclass(frozen=True, slots=True)
class TestMail:
    """What to send, and to whom."""

    __test__ = False  # pytest takes the name for a test

    recipient: Address
    subject: str
    content: str


def parse_test_mail(raw: Mapping[str, object]) -> TestMail:
    """A test mail as posted. Raises Invalid with every wrong field."""
    fields = Fields(raw)
    recipient = fields.parsed("recipient", _recipient, None, required=True)
    subject = fields.parsed("subject", _subject, "", required=True)
    content = fields.parsed("content", _content, "", required=True)
    fields.finish()
    return TestMail(cast("Address", recipient), subject, content)  # `finish` has raised when there is none


def _recipient(text: str) -> Address | None:
    return parse_address(text, "recipient")


def _subject(text: str) -> str:
    validate_parts(Parts(subject=text))
    return text.strip(BLANKS)


def _content(text: str) -> str:
    try:
        validate_parts(Parts(body=text))
    except Invalid as fault:
        raise Invalid(*(replace(one, field="content") for one in fault.errors)) from None
    return text


async def send_test_mail(room: Room, principal: Principal, mail: TestMail) -> None:
    """Send it; when this returns, the mail server has accepted it.

    Raises NotConfigured, MailServerFailed, and Invalid when a tenant that borrows the system's mail server names a
    recipient that is not one of its own: else it could send anything to anybody in the operator's name.
    """

    def write(sender: Address) -> Message:
        return compose(mail.subject, mail.content, "", Stamp(room.clock(), sender.ascii_domain))

    await send_now(room, principal, mail.recipient, write)


async def send_now(room: Room, principal: Principal, recipient: Address, write: Callable[[Address], Message]) -> None:
    """Send a message outside the outbox, through the mail server in force; `write` makes it, given the sender.

    Raises as `send_test_mail` does.
    """
    server = await room.database.read(_server_for, room, principal.tenant, recipient)
    envelope, message = Envelope(server.sender, recipient), write(server.sender)
    delivery_id = f"test-{new_id(room.clock())}"
    content = assemble(message, envelope=envelope, delivery_id=delivery_id, reply_to=server.reply_to)
    outcome = await _send(room, server, envelope, content)
    if outcome.verdict is not SENT:
        raise MailServerFailed(_message(outcome), _detail(outcome, server.endpoint))


def _server_for(connection: Connection, room: Room, tenant: TenantId, recipient: Address) -> ServerInForce:
    try:
        server = rows.mail_server_in_force(connection, room.sealer, tenant, room.options.provider_hosts)
    except SealBroken:
        raise NotConfigured(UNOPENED) from None
    settings = rows.show(connection, tenant)
    if server is None:
        own = settings.mail_server
        raise NotConfigured(" ".join(own.missing()) if own else _NO_SERVER)
    if server.lane == SYSTEM and tenant != SYSTEM and recipient.key not in {one.key for one in settings.recipients}:
        message = "Without a mail server of your own, test mails go only to the recipients in your settings."
        raise Invalid(FieldError("recipient", message))
    return server


async def _send(room: Room, server: ServerInForce, envelope: Envelope, content: bytes) -> Outcome:
    transport = room.open_transport(server.endpoint, overall_s=LONGEST_WAIT_S - GRACE_S)
    try:
        async with asyncio.timeout(LONGEST_WAIT_S):
            return await transport.send(envelope, content)
    except TimeoutError:
        hint = f"The mail server took more than {LONGEST_WAIT_S:.0f} s. Check its name and port."
        return Outcome(RETRY, Stage.CONNECT, Party.MAIL_SERVER, hint=hint)
    finally:
        closing = asyncio.create_task(transport.close())  # saying goodbye need not keep anybody waiting
        _goodbyes.add(closing)
        closing.add_done_callback(_goodbyes.discard)


_goodbyes: set[asyncio.Task[None]] = set()
"""Holds on to them: the event loop keeps only weak references to tasks."""


def _message(outcome: Outcome) -> str:
    return outcome.hint or "The mail server did not accept the mail."


def _detail(outcome: Outcome, endpoint: Endpoint) -> dict[str, Any]:
    return {
        "stage": outcome.stage.value,
        "code": outcome.code,
        "enhanced_code": outcome.enhanced_code,
        "reply": outcome.reply or None,
        "hint": outcome.hint or None,
        "finding": outcome.trap or None,
        "steps": way_to(outcome.stage, endpoint),
    }
