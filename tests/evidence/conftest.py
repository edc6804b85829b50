"""A time-stamp authority and a TLS server certificate, made once per worker."""

import ssl

import pytest
from evidence_authority import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """A time-stamp authority below a root."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def server_context(authority):
    """A TLS context for 127.0.0.1 with a certificate of the throw-away root."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.home / "server.crt", authority.home / "server.key")
    return context
