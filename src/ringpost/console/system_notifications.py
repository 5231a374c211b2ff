"""Notifications of the system level: which events of the phone system itself are told, from when on, and to whom."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from starlette.responses import Response

from ringpost.console.forms import Form, refused
from ringpost.console.languages import N_
from ringpost.console.levels import OF_SYSTEM, Saved
from ringpost.console.merging import merged, was
from ringpost.console.rendering import render
from ringpost.console.routing import Access, get, post
from ringpost.console.visit import Visit
from ringpost.domain.addresses import format_address
from ringpost.domain.settings import SYSTEM_SWITCHES
from ringpost.errors import FieldError, Invalid, PasswordRequired


@dataclass(frozen=True, slots=True)
class ShownGauge:
    """A gauge of the machine, with its fields; texts are English, to be translated."""

    switch: str
    threshold: str
    title: str


_NUMBER: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,20})?")

GAUGES: Final = (
    ShownGauge("notify_hard_disk_exceeded_threshold", "hard_disk_threshold", N_("The disk fills up")),
    ShownGauge("notify_cpu_exceeded_threshold", "cpu_threshold", N_("The processor is busy all the time")),
    ShownGauge("notify_memory_exceeded_threshold", "memory_threshold", N_("The memory fills up")),
)
EVENTS: Final = (
    ("notify_ip_blocked", N_("An address was blocked"), N_("Somebody has tried to get in too often.")),
    ("notify_license_limited", N_("A limit of the license was reached"), ""),
    ("notify_service_disconnected", N_("A service of the phone system is gone"), ""),
    (
        "notify_push_certs_update_failed",
        N_("Push certificates could not be renewed"),
        N_("Without them, calls do not wake up mobile phones."),
    ),
)


async def show_system_notifications(visit: Visit) -> Response:
    """The page as it was saved."""
    return await _page(visit)


async def save_system_notifications(visit: Visit) -> Response:
    """Save what was changed of switches, thresholds and recipients; the mail server stays as it is."""
    posted = visit.posted
    typed: dict[str, Any] = {one.threshold: posted.text(one.threshold) for one in GAUGES}
    chosen: dict[str, Any] = {name: posted.flag(name) for name in SYSTEM_SWITCHES}
    chosen["recipients"] = posted.text("recipients")

    def edited(saved: Saved) -> Mapping[str, Any]:
        changed = merged({**chosen, **typed}, was(posted), _values(saved))
        return {**changed, **_thresholds(changed)}

    try:
        await OF_SYSTEM.save(visit, edited)
    except (Invalid, PasswordRequired) as reason:
        return await _page(visit, refused({**chosen, **typed}, reason), status=422)
    return visit.redirect(OF_SYSTEM.notifications, done="saved")


async def _page(visit: Visit, form: Form | None = None, *, status: int = 200) -> Response:
    saved = await OF_SYSTEM.saved(visit)
    values = _values(saved)
    return render(
        visit,
        "system_notifications.html",
        status=status,
        form=form or Form(values),
        was=was(visit.posted) or values,
        gauges=GAUGES,
        events=EVENTS,
        can_send=saved.can_send,
    )


def _values(saved: Saved) -> dict[str, Any]:
    values: dict[str, Any] = {name: saved.fields[name] for name in SYSTEM_SWITCHES}
    values |= {one.threshold: _percent(saved.fields[one.threshold]) for one in GAUGES}
    values["recipients"] = "\n".join(format_address(one) for one in saved.settings.recipients)
    return values


def _thresholds(typed: Mapping[str, str]) -> dict[str, float]:
    """Shares of the whole, from per cent. Raises Invalid with every one that is no number from 0 to 100."""
    shares: dict[str, float] = {}
    wrong: list[FieldError] = []
    for one in GAUGES:
        text = typed[one.threshold].strip().removesuffix("%").strip().replace(",", ".") or "0"
        if not _NUMBER.fullmatch(text) or Decimal(text) > 100:
            wrong.append(FieldError(one.threshold, "This must be a number from 0 to 100. 0 is off."))
        else:
            shares[one.threshold] = float(Decimal(text) / 100)
    if wrong:
        raise Invalid(*wrong)
    return shares


def _percent(share: object) -> str:
    """As it is, so that what is shown and saved again stays the same."""
    return f"{(Decimal(repr(share)) * 100).normalize():f}" if isinstance(share, float) and share else ""


routes = (
    get(OF_SYSTEM.notifications, show_system_notifications, Access.SYSTEM),
    post(OF_SYSTEM.notifications, save_system_notifications, Access.SYSTEM),
)
