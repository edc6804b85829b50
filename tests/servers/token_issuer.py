"""An issuer of access tokens on loopback, over HTTPS: Microsoft's and Google's endpoints.

Rule: it plays the outside world.  What is sent to it is checked as the RFCs say: secrets,
signatures of assertions, audiences, refresh tokens, device codes.
"""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs

import jwt
from bearer_tokens import make_token
from throwaway_ca import ThrowawayCa

TENANT = "tenant-of-the-tests"
SECRET = "secret-of-the-application"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
GOOGLE = "https://oauth2.googleapis.com/token"
"""What google-auth says an assertion is for, wherever it is sent."""
PERSON_SCOPE = "https://outlook.office.com/IMAP.AccessAsUser.All"
Answer = tuple[int, dict[str, Any]]


class RefusalError(Exception):
    """What the issuer says no with."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code)
        self.answer = (400, {"error": code, "error_description": text})


class TokenIssuer:
    """A running issuer.

    Args:
        user: whom its tokens are for.
        public_key: PEM, of the certificate or service account that signs assertions.

    Attributes:
        requests: the form of every request for a token.
        refresh_tokens: those it takes; ``rotate`` makes it give a new one each time.
        approved: the person entered the device code.
        refuse: what every request is refused with, if anything.
        valid_s: of the tokens.
        hang: it does not answer until it ends.
    """

    def __init__(self, ca: ThrowawayCa, user: str = "journal", public_key: str = "") -> None:
        self._ca = ca
        self.user = user
        self.public_key = public_key
        self.requests: list[dict[str, str]] = []
        self.refresh_tokens = {"refresh-0"}
        self.rotate = False
        self.approved = False
        self.refuse: RefusalError | None = None
        self.valid_s = 3600
        self.hang = False
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._ca.server, self._ca.key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_exception) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def authority(self) -> str:
        """Where it is, without the tenant."""
        return f"https://localhost:{self._server.server_address[1]}"

    @property
    def token_uri(self) -> str:
        """Where tokens are asked for."""
        return f"{self.authority}/{TENANT}/oauth2/v2.0/token"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._say(issuer._discovery)

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                form = {
                    name: values[0]
                    for name, values in parse_qs(self.rfile.read(length).decode()).items()
                }
                if self.path.endswith("/devicecode"):
                    self._say(issuer._device_code)
                else:
                    self._say(lambda: issuer._token(form))

            def _say(self, answer: Callable[[], Answer]) -> None:
                if issuer.hang:
                    issuer._ended.wait(30)
                    return
                try:
                    status, body = answer()
                except RefusalError as refusal:
                    status, body = refusal.answer
                raw = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_words) -> None:
                """Say nothing."""

        return Handler

    def _discovery(self) -> Answer:
        base = f"{self.authority}/{TENANT}"
        return 200, {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": self.token_uri,
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        }

    def _device_code(self) -> Answer:
        return 200, {
            "device_code": "device-code",
            "user_code": "ABCD-EFGH",
            "verification_uri": f"{self.authority}/devicelogin",
            "expires_in": 900,
            "interval": 1,
            "message": f"Open {self.authority}/devicelogin and enter ABCD-EFGH.",
        }

    def _token(self, form: dict[str, str]) -> Answer:
        self.requests.append(form)
        if self.refuse is not None:
            raise self.refuse
        match form["grant_type"]:
            case "client_credentials":
                self._check_application(form)
                return 200, self._issued()
            case "refresh_token":
                if form["refresh_token"] not in self.refresh_tokens:
                    raise RefusalError("invalid_grant", "Token has been expired or revoked.")
                if self.rotate:
                    self.refresh_tokens = {f"refresh-{len(self.requests)}"}
                return 200, self._issued() | self._person(form)
            case kind if kind == DEVICE:
                if not self.approved:
                    self.approved = True  # the next time it is asked
                    raise RefusalError("authorization_pending", "pending")
                return 200, self._issued() | self._person(form)
            case kind if kind == JWT_BEARER:
                claims = self._claims(form["assertion"], GOOGLE)
                if claims.get("sub") != self.user:
                    raise RefusalError("invalid_grant", "Invalid email or User ID")
                return 200, self._issued()
        raise RefusalError("unsupported_grant_type", form["grant_type"])

    def _check_application(self, form: dict[str, str]) -> None:
        if "client_assertion" in form:
            self._claims(form["client_assertion"], self.token_uri)
        elif form.get("client_secret") != SECRET:
            raise RefusalError(
                "invalid_client", "AADSTS7000215: Invalid client secret. Trace ID: 1"
            )

    def _claims(self, assertion: str, audience: str) -> dict[str, Any]:
        try:
            return jwt.decode(assertion, self.public_key, ["PS256", "RS256"], audience=audience)
        except jwt.InvalidTokenError as error:
            raise RefusalError("invalid_client", f"{type(error).__name__}") from None

    def _issued(self) -> dict[str, Any]:
        text = make_token(self.user, self.valid_s)
        return {"access_token": text, "token_type": "Bearer", "expires_in": self.valid_s}

    def _person(self, form: dict[str, str]) -> dict[str, Any]:
        info = json.dumps({"uid": "u", "utid": "t"}).encode()
        (newest, *_) = sorted(self.refresh_tokens)
        return {
            "refresh_token": newest,
            "scope": PERSON_SCOPE,
            "client_info": base64.urlsafe_b64encode(info).rstrip(b"=").decode(),
        }


def service_account_key(pem: Path, issuer: TokenIssuer) -> str:
    """Return the JSON of a service account's key, as Google's console hands it out."""
    text = pem.read_text(encoding="ascii")
    return json.dumps(
        {
            "type": "service_account",
            "client_email": "collector@project.example",
            "private_key": text[: text.index("-----BEGIN CERTIFICATE")],
            "private_key_id": "1",
            "token_uri": issuer.token_uri,
        }
    )


def key_pair(folder: Path) -> tuple[Path, str]:
    """Make a certificate with its key in one PEM file; return it and the public key."""
    key, certificate = folder / "app.key", folder / "app.crt"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "20"]
    command += ["-subj", "/CN=app"]
    made = [*command, "-keyout", key, "-out", certificate]
    subprocess.run(made, check=True, capture_output=True)
    public = subprocess.run(
        ["openssl", "x509", "-in", certificate, "-pubkey", "-noout"],
        check=True,
        capture_output=True,
    ).stdout.decode()
    both = folder / "app.pem"
    both.touch(mode=0o600)
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both, public
