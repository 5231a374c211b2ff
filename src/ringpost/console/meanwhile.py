"""Two people, or two tabs, at one form that is saved as a whole: who has not seen what is stored by now is told first.

Such a form carries a mark of what it showed when it was opened, as `seen`. Where only what was changed in a form is
saved, see `merging`.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from ringpost.console.forms import Posted
from ringpost.errors import WrongState

SEEN_FIELD: Final = "seen"


class SavedMeanwhile(WrongState):
    """Somebody else has saved after the form was opened."""


def mark_of(shown: Mapping[str, Any]) -> str:
    """What tells whether a page shows what is stored."""
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()


def refuse_unseen(posted: Posted, stored: Mapping[str, Any]) -> None:
    """Raise SavedMeanwhile when what is stored is not what the form showed when it was opened."""
    if posted.has(SEEN_FIELD) and posted.text(SEEN_FIELD) != mark_of(stored):
        raise SavedMeanwhile("Somebody else has saved after this page was opened.")
