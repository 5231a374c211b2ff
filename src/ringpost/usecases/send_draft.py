"""Send a draft: the mail of a template that is not saved yet, now, to one recipient."""

from dataclasses import replace

from ringpost.domain.access import Principal
from ringpost.domain.addresses import Address
from ringpost.domain.messages import Message
from ringpost.usecases.check_template import Draft, Values, check_template
from ringpost.usecases.room import Room
from ringpost.usecases.send_test_mail import send_now


async def send_draft(room: Room, principal: Principal, draft: Draft, values: Values, recipient: Address) -> None:
    """Send it filled with `values`; when this returns, the mail server has accepted it. Nothing is saved.

    Raises what `check_template` and `send_test_mail` raise.
    """
    message = (await check_template(room, principal.tenant, draft, values)).preview.message

    def write(sender: Address) -> Message:
        return replace(message, message_id_domain=sender.ascii_domain)

    await send_now(room, principal, recipient, write)
