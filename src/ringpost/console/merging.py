"""Two people, or two tabs, at one form: what somebody has left as it was stays as it is by now.

A form carries what it showed when it was opened, as `was`. Only what differs from that was meant.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, cast

from ringpost.console.forms import Posted
from ringpost.domain.addresses import format_address, parse_recipients
from ringpost.errors import Invalid

WAS_FIELD: Final = "was"
RECIPIENTS: Final = "recipients"


def was(posted: Posted) -> dict[str, Any]:
    """What the form showed when it was opened; nothing when it does not say."""
    try:
        sent: object = json.loads(posted.text(WAS_FIELD))
    except (ValueError, RecursionError):
        sent = None
    return cast("dict[str, Any]", sent) if isinstance(sent, dict) else {}


def merged(typed: Mapping[str, Any], before: Mapping[str, Any], saved: Mapping[str, Any]) -> dict[str, Any]:
    """What to save: of `typed` what differs from `before`, else what is `saved` by now. Raises Invalid."""
    values = {name: saved[name] if name in before and before[name] == value else value for name, value in typed.items()}
    if before.get(RECIPIENTS) not in (None, saved[RECIPIENTS]):
        values[RECIPIENTS] = _merged_list(typed[RECIPIENTS], str(before[RECIPIENTS]), str(saved[RECIPIENTS]))
    return values


def _merged_list(typed: str, before: str, saved: str) -> str:
    """The saved recipients, with those added and without those taken out since the form was opened."""
    wanted = {one.key: one for one in parse_recipients(typed)}
    try:
        known = {one.key: one for one in parse_recipients(before)}
    except Invalid:  # nobody was shown that
        known = {}
    now = {one.key: one for one in parse_recipients(saved) if one.key in wanted or one.key not in known}
    changed = {key: one for key, one in wanted.items() if one != known.get(key)}
    return "\n".join(format_address(one) for one in {**now, **changed}.values())
