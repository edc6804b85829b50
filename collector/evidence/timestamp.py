"""Time stamps of checkpoints (RFC 3161): asked for, verified, and judged by their lateness.

Rule: a stamp is a value only after its signature, its certificate chain and its
imprint have been verified against certificates given by the caller; what is
kept is the authority's answer, byte for byte, so that ``openssl ts -verify``
comes to the same result without us.

Whether a failed request is tried again, and when, is the caller's affair.
Certificates are checked as of the time in the stamp, so that a stamp outlives
them; revocation is not asked about.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from collector.domain.errors import ConfigError, CycleError, IntegrityError
from collector.domain.evidence import StampState, TimeStamp
from collector.evidence.der import sort_certificates
from collector.evidence.web import Address, Limits, post

STAMP_BYTES_MAX = 256 * 1024
"""An answer with a chain of certificates has 1 to 10 KiB."""

QUERY_TYPE = "application/timestamp-query"
"""RFC 3161, section 3.4."""


class StampError(IntegrityError):
    """A time stamp is not what it should be."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A time-stamp authority.

    Attributes:
        name: its name in the configuration and in file names.
        address: plain http is allowed; the answer is signed.
        certificates: PEM of the root, and of intermediates that the authority
            does not send along.
    """

    name: str
    address: Address
    certificates: bytes


def request_stamp(authority: Authority, content: bytes, limits: Limits | None = None) -> TimeStamp:
    """Have ``content`` (a signed checkpoint) stamped now.

    Raises:
        CycleError: not reached, refused, or the answer does not verify.
        ConfigError: the authority's certificates cannot be read.
    """
    asked = (
        TimestampRequestBuilder()
        .data(content)
        .hash_algorithm(HashAlgorithm.SHA256)
        .nonce(nonce=True)
        .cert_request(cert_request=True)
        .build()
    )
    limits = limits or Limits(answer_bytes_max=STAMP_BYTES_MAX)
    raw = post(authority.address, asked.as_bytes(), QUERY_TYPE, limits)
    try:
        return _verify(authority.name, raw, content, authority.certificates, asked.nonce)
    except StampError as error:
        raise CycleError(
            f"the answer of a time-stamp authority is not used: {error.what}",
            subject=authority.name,
            hint="compare its certificates with those configured for it",
        ) from error


def verify_stamp(authority: str, raw: bytes, content: bytes, certificates: bytes) -> TimeStamp:
    """Verify a stored TimeStampResp over ``content``, offline.

    Raises:
        StampError: it cannot be read, is not over ``content`` or not signed by
            somebody the ``certificates`` (PEM) vouch for.
        ConfigError: the certificates cannot be read.
    """
    return _verify(authority, raw, content, certificates, None)


def stamp_state(
    signed_at: datetime,
    stamped_at: datetime | None,
    *,
    now: datetime,
    late_after: timedelta,
    tolerance: timedelta = timedelta(seconds=5),
) -> StampState:
    """Say how a stamp (or its absence) stands against the moment of signing.

    ``tolerance`` is what two honest clocks may differ by.
    """
    if stamped_at is None:
        return StampState.OVERDUE if now - signed_at > late_after else StampState.AWAITED
    if stamped_at < signed_at - tolerance:
        return StampState.AHEAD
    return StampState.LATE if stamped_at - signed_at > late_after else StampState.ON_TIME


def _verify(
    authority: str, raw: bytes, content: bytes, certificates: bytes, nonce: int | None
) -> TimeStamp:
    response = _decode(raw)
    if response.status != PKIStatus.GRANTED:
        said = " ".join(response.status_string)[:200]
        raise _refused(f"it was not granted (status {response.status}): {said!r}")
    verifier = VerifierBuilder(roots=_load(authority, certificates), nonce=nonce).build()
    try:
        verifier.verify_message(response, content)
    except (VerificationError, ValueError) as error:
        raise _refused(str(error)) from error
    return _stamp(authority, raw, response)


def _decode(raw: bytes) -> TimeStampResponse:
    """Read a TimeStampResp; the library reads DER only, some authorities write it nearly."""
    if len(raw) > STAMP_BYTES_MAX:
        raise _refused("it is too long")
    try:
        return decode_timestamp_response(sort_certificates(raw))
    except ValueError as error:
        raise _refused("it is not a TimeStampResp in DER") from error


def _load(authority: str, certificates: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(certificates)
    except ValueError as error:
        raise ConfigError(
            "the certificates of a time-stamp authority cannot be read",
            subject=authority,
            hint="give its root certificate in PEM",
        ) from error


def _stamp(authority: str, raw: bytes, response: TimeStampResponse) -> TimeStamp:
    told = response.tst_info
    accuracy = told.accuracy
    return TimeStamp(
        authority=authority,
        stamped_at=told.gen_time,
        accuracy_s=(accuracy.seconds or 0)
        + (accuracy.millis or 0) / 1e3
        + (accuracy.micros or 0) / 1e6
        if accuracy
        else None,
        serial=told.serial_number,
        policy=told.policy.dotted_string,
        raw=raw,
    )


def _refused(why: str) -> StampError:
    return StampError(f"a time stamp cannot be used: {why}")
