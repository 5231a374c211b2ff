"""How long a thread waits for the interpreter: hardly at all when it comes back from the database.

A driver lets go of the interpreter's lock while the database works, and has to get it back afterwards. Whoever waits
for that lock asks for it only when the *switch interval* has passed (`sys.setswitchinterval`), 5 ms by default: the
time of twenty mails, and a commit comes back from the database a dozen times. A short interval for all is no better:
then the event loop interrupts the thread that writes in the middle of its few lines as well, and both do little else
than hand the lock to and fro. So the interval is short from when a thread goes into the database until it is back, and
long else.
"""

import sys
from typing import Any, Final

from sqlalchemy import Engine, event

AT_ONCE_S: Final = 5e-6
IN_PEACE_S: Final = 5e-3


def go_in(*_: Any) -> None:
    """A thread is about to wait for the database."""
    sys.setswitchinterval(AT_ONCE_S)


def come_back(*_: Any) -> None:
    """It has the interpreter again, and is not to be interrupted for a while."""
    sys.setswitchinterval(IN_PEACE_S)


def come_back_at_once(engine: Engine) -> None:
    """Do both for whatever this engine is asked. An error leaves the interval short until the next answer."""
    for going_in in ("before_cursor_execute", "commit", "rollback"):
        event.listen(engine, going_in, go_in)
    for back in ("after_cursor_execute", "checkin"):
        event.listen(engine, back, come_back)
