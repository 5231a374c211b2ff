"""The demo: a phone system of one tenant, all of Ringpost, and a mailbox in the browser, on this machine alone."""

from ringpost.demo.northwind import DemoFailed
from ringpost.demo.show import DemoOptions, run

__all__ = ["DemoFailed", "DemoOptions", "run"]
