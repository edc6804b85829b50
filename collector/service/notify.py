"""Tells the service manager how we are: sd_notify(3), one datagram a message.

Rule: without ``$NOTIFY_SOCKET`` every call does nothing; a manager that does
not listen never stops the service.
"""

from __future__ import annotations

import os
import socket


def notify(state: str) -> bool:
    """Send ``state`` (``READY=1``, ``WATCHDOG=1`` ...); return whether it was sent."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):  # abstract socket
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.connect(address)
            sock.sendall(state.encode())
    except OSError:
        return False
    return True


def watchdog_interval_s() -> float | None:
    """Return the time within which ``WATCHDOG=1`` is expected, ``None`` when it is not.

    Source: sd_watchdog_enabled(3).
    """
    wanted_of = os.environ.get("WATCHDOG_PID", "")
    limit_us = os.environ.get("WATCHDOG_USEC", "")
    if not limit_us.isdigit() or (wanted_of and wanted_of != str(os.getpid())):
        return None
    return int(limit_us) / 1_000_000
