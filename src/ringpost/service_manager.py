"""Tells a service manager how it stands with this process: sd_notify(3), which systemd and others listen for."""

import os
import socket


def notify(state: str) -> None:
    """Send `READY=1` or `STOPPING=1` to whoever started us, if that one has asked for it. Never fails."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
            manager.connect("\0" + address[1:] if address.startswith("@") else address)
            manager.sendall(state.encode())
    except OSError:  # a manager that does not listen any more is no reason to stop the mail
        return
