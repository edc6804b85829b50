"""How an issuer is reached: over verified TLS, with an end to every wait.

Rule: trusted are the authorities of the system, as for mail servers, or those of
``ca_file`` alone; what the environment names for other programs does not count.
"""

from __future__ import annotations

import ssl
from functools import partial
from pathlib import Path
from typing import Any

from collector.tokens.refused import missing_library

REQUEST_S = 20.0
"""Between two bytes of a request, and for its connection."""


def open_session(ca_file: Path | None) -> Any:  # noqa: ANN401 - the library has no types
    """Return a requests session for one issuer.

    Raises:
        ConfigError: the library is not installed.
    """
    try:
        import requests  # noqa: PLC0415 - an extra, and slow to load
    except ImportError:
        raise missing_library("requests") from None
    session: Any = requests.Session()
    system = ssl.get_default_verify_paths()
    trusted = ca_file or system.cafile or system.capath or True
    # Named for each request: what the environment names would come before a session's own.
    verify = trusted if trusted is True else str(trusted)
    session.request = partial(session.request, timeout=REQUEST_S, verify=verify)
    return session
