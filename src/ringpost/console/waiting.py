"""Who has tried too often: for how long to wait."""

from datetime import timedelta

from babel.dates import format_timedelta
from starlette.responses import Response

from ringpost.console.visit import Visit
from ringpost.errors import RateLimited


def when_to_try_again(visit: Visit, limit: RateLimited) -> str:
    """In words; minutes are rounded up, so that nobody comes too early."""
    seconds = limit.retry_after if limit.retry_after < 120 else -(-limit.retry_after // 60) * 60
    wait = format_timedelta(
        timedelta(seconds=seconds), threshold=1.99, locale=visit.language.locale, add_direction=True
    )
    return visit.say("Too many tries. Try again %(wait)s.", wait=wait)


def told_to_wait(response: Response, limit: RateLimited) -> Response:
    """The same for programs."""
    response.headers["Retry-After"] = str(limit.retry_after)
    return response
