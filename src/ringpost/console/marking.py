"""Marking texts for translation."""


def N_(message: str) -> str:  # noqa: N802  the name that gettext's tools know
    """Mark a message for translation where it is only kept; `Language.say` translates it."""
    return message
