"""The mail room of a phone system: events in, the right mail out."""

__version__ = "0.1.0"
