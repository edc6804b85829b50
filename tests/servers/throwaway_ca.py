"""A throwaway certificate authority, a server certificate for loopback, and a stranger's CA."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

EXTENSIONS = """\
subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1
basicConstraints=CA:FALSE
extendedKeyUsage=serverAuth
"""
NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


@dataclass(frozen=True, slots=True)
class ThrowawayCa:
    """Files in one directory.

    Attributes:
        ca: signed ``server``.
        other_ca: did not.
        server, key: for localhost, 127.0.0.1 and ::1.
        elsewhere, elsewhere_key: signed by ``ca``, but for another host.
    """

    ca: Path
    other_ca: Path
    server: Path
    key: Path
    elsewhere: Path
    elsewhere_key: Path


def make_ca(root: Path) -> ThrowawayCa:
    """Make everything anew in ``root``."""
    files = ThrowawayCa(
        *(
            root / name
            for name in (
                "ca.pem", "other-ca.pem", "server.pem", "server.key", "elsewhere.pem",
                "elsewhere.key",
            )
        )
    )  # fmt: skip
    _authority(files.ca, root / "ca.key")
    _authority(files.other_ca, root / "other-ca.key")
    _certificate(root, files.server, files.key, EXTENSIONS)
    elsewhere = EXTENSIONS.replace("DNS:localhost,IP:127.0.0.1,IP:::1", "DNS:mail.example.net")
    _certificate(root, files.elsewhere, files.elsewhere_key, elsewhere)
    return files


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def _authority(certificate: Path, key: Path) -> None:
    usage = ["-addext", "basicConstraints=critical,CA:TRUE"]
    usage += ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    subject = ["-subj", f"/CN=throwaway {certificate.stem}"]
    _openssl(
        "req",
        "-x509",
        *NEW_KEY,
        "-days",
        "3",
        *subject,
        *usage,
        "-keyout",
        key,
        "-out",
        certificate,
    )


def _certificate(root: Path, certificate: Path, key: Path, extensions: str) -> None:
    request, extension_file = root / f"{certificate.stem}.csr", root / f"{certificate.stem}.ext"
    extension_file.write_text(extensions, encoding="ascii")
    _openssl("req", *NEW_KEY, "-subj", "/CN=localhost", "-keyout", key, "-out", request)
    signer = ["-CA", root / "ca.pem", "-CAkey", root / "ca.key", "-CAcreateserial"]
    _openssl(
        "x509",
        "-req",
        "-in",
        request,
        *signer,
        "-days",
        "3",
        "-extfile",
        extension_file,
        "-out",
        certificate,
    )
