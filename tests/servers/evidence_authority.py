"""A throw-away certificate authority and an RFC 3161 time-stamp authority on loopback.

Everything is made and answered by the real openssl; only the HTTP around it is
ours.
"""

from __future__ import annotations

import http.server
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONFIGURATION = """
[tsa]
default_tsa = lab
[lab]
serial = {home}/serial
crypto_device = builtin
signer_cert = {home}/tsa.crt
signer_key = {home}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_alg = sha256
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[stamping]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[server]
basicConstraints = critical,CA:false
subjectAltName = IP:127.0.0.1, DNS:localhost
"""


def openssl(*arguments: str | Path) -> bytes:
    """Run openssl and return what it printed."""
    command = ["openssl", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


class Authority:
    """Certificates below ``home``, and answers to time-stamp queries."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.configuration = home / "openssl.cnf"
        self.configure()
        (home / "serial").write_text("01\n")
        for name in ("ca", "intermediate", "tsa", "server"):
            curve = ("-name", "prime256v1", "-genkey", "-noout")
            openssl("ecparam", *curve, "-out", home / f"{name}.key")
        common = ("-config", self.configuration, "-extensions", "root", "-days", "30")
        root = ("-x509", "-key", home / "ca.key", "-subj", "/CN=Lab CA")
        openssl("req", "-new", *root, *common, "-out", home / "ca.crt")
        self._issue("intermediate", "root", "ca")
        self._issue("tsa", "stamping", "ca")
        self._issue("server", "server", "ca")

    @property
    def root(self) -> bytes:
        """The root certificate in PEM."""
        return (self.home / "ca.crt").read_bytes()

    def configure(self, *changes: tuple[str, str]) -> None:
        """Write the configuration, with some of its text exchanged."""
        text = CONFIGURATION.format(home=self.home)
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        self.configuration.write_text(text)

    def use_intermediate(self) -> None:
        """Let the certificate of the time-stamp authority come from the intermediate one."""
        self._issue("tsa", "stamping", "intermediate")
        self.configure(
            ("signer_digest =", f"certs = {self.home}/intermediate.crt\nsigner_digest =")
        )

    def reply(self, query: bytes) -> bytes:
        """Answer a TimeStampReq, as ``openssl ts`` does."""
        with tempfile.TemporaryDirectory() as place:
            asked, answered = Path(place, "q.tsq"), Path(place, "r.tsr")
            asked.write_bytes(query)
            where = ("-config", self.configuration, "-section", "lab")
            openssl("ts", "-reply", *where, "-queryfile", asked, "-out", answered)
            return answered.read_bytes()

    def _issue(self, name: str, extensions: str, by: str) -> None:
        key = ("-key", self.home / f"{name}.key", "-subj", f"/CN=Lab {name}")
        request = self.home / f"{name}.csr"
        openssl("req", "-new", "-config", self.configuration, *key, "-out", request)
        issuer = ("-CA", self.home / f"{by}.crt", "-CAkey", self.home / f"{by}.key")
        kind = ("-extfile", self.configuration, "-extensions", extensions, "-days", "30")
        out = ("-CAcreateserial", "-out", self.home / f"{name}.crt")
        openssl("x509", "-req", "-in", request, *issuer, *kind, *out)


@contextmanager
def serve(authority: Authority) -> Iterator[str]:
    """Answer time-stamp queries on loopback; gives the URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            assert self.headers["Content-Type"] == "application/timestamp-query"
            answer = authority.reply(self.rfile.read(length))
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
