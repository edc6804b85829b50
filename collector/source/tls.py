"""How the server behind a connection is verified.

Rule: chain and name are always verified, by the system's authorities or by one that was
configured; there is no setting to leave it out.
"""

from __future__ import annotations

import ssl

from collector.domain.errors import ConfigError
from collector.source.account import Account


def tls_context(account: Account) -> ssl.SSLContext:
    """Return a context that verifies chain and name, TLS 1.2 or later.

    Raises:
        ConfigError: the CA file cannot be read, or holds no certificate.
    """
    try:
        return ssl.create_default_context(cafile=account.ca_file)
    except OSError as error:
        raise ConfigError(
            f"the file of the certificate authority cannot be used: {_why(error)}",
            subject=str(account.ca_file),
            hint="ca_file must be readable and hold certificates in PEM form",
        ) from error


def _why(error: OSError) -> str:
    return "no certificate in it" if isinstance(error, ssl.SSLError) else str(error.strerror)
