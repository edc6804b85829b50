"""Sliced originals keep their signatures; the body hash proves it (RFC 6376, section 3.7)."""

from __future__ import annotations

import base64
import email
import hashlib
import re

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from dkim.canonicalization import CanonicalizationPolicy
from report_samples import message_part, originals, read, report, text_part

BODIES = {
    "plain": b"Please pay.\r\n",
    "blanks": b"a  b \t \r\n\r\nc\r\n\r\n\r\n",
    "no-last-break": b"no line break at the end",
    "long-line": b"x" * 2_000 + b"\r\n",
    "8bit": "Grüße aus Köln\r\n".encode(),
    "from-line": b"From here\r\n.\r\n..\r\n",
    "lone-cr": b"a\rb\r\n",
    "empty": b"",
}
HEADER = (
    b"From: Billing <billing@supplier.example>\r\n"
    b"To: accounting@example.com\r\n"
    b"Subject: a subject of more than seventy-eight characters, at which many programs fold\r\n"
    b"X-MS-TNEF-Correlator:\r\n"
    b"Message-ID:\r\n <a-message-id-on-a-line-of-its-own-because-it-is-long@supplier.example>\r\n"
    b"MIME-Version: 1.0\r\n"
)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    """A key of this run."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def signed(key: rsa.RSAPrivateKey, body: bytes, method: bytes) -> bytes:
    """Return a signed message."""
    message = HEADER + b"\r\n" + body
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    signature = dkim.sign(
        message,
        b"s",
        b"supplier.example",
        pem,
        canonicalize=(method, method),
        include_headers=[b"from", b"to", b"subject", b"message-id", b"x-ms-tnef-correlator"],
    )
    return signature + message


def verifies(key: rsa.RSAPrivateKey, message: bytes) -> bool:
    """Check header and body signature; the key comes from here, not from the network."""
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)
    return bool(dkim.verify(message, dnsfunc=lambda _name, **_timeout: record))


def body_hash_matches(message: bytes) -> bool:
    """Compare the body's hash with the one in the signature (needs no key)."""
    head, _, body = message.partition(b"\r\n\r\n")
    signature = re.sub(rb"\s+", b"", head[: head.index(b"From:")])
    method = re.search(rb"[:;]c=([a-z/]+);", signature)
    told = re.search(rb";bh=([^;]+);", signature)
    assert method is not None
    assert told is not None
    policy = CanonicalizationPolicy.from_c_value(method[1])
    digest = hashlib.sha256(policy.canonicalize_body(body)).digest()
    return base64.b64encode(digest) == told[1]


@pytest.mark.parametrize("method", [b"simple", b"relaxed"])
@pytest.mark.parametrize("name", sorted(BODIES))
def test_a_sliced_original_still_verifies(key: rsa.RSAPrivateKey, name: str, method: bytes) -> None:
    """Header and body signature of the slice are good, simple and relaxed."""
    message = signed(key, BODIES[name], method)
    raw = report(text_part(b"To: accounting@example.com"), message_part(message))
    (sliced,) = originals(raw, read(raw))
    assert body_hash_matches(sliced)
    assert verifies(key, sliced)


def test_it_verifies_where_a_rewritten_one_does_not(key: rsa.RSAPrivateKey) -> None:
    """Python's own way through a parser and back breaks what the slice keeps."""
    message = signed(key, BODIES["plain"], b"simple")
    raw = report(text_part(b"To: accounting@example.com"), message_part(message))
    (sliced,) = originals(raw, read(raw))
    rewritten = email.message_from_bytes(raw).get_payload()[1].get_payload()[0].as_bytes()
    assert verifies(key, sliced)
    assert not verifies(key, rewritten.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
