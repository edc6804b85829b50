"""What a fetched message turned out to be: journal report, copy, or neither.

Rule: everything here can be derived again from the stored bytes; it is an
index of the evidence, never the evidence.

Shape: the result record of the format reference, section 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from collector.domain.blob import Digest


class JournalFormat(Enum):
    """What a mailbox is configured to hold (``format`` in the configuration)."""

    AUTO = "auto"
    EXCHANGE = "exchange"
    GOOGLE = "google"
    COPY = "copy"


class Kind(Enum):
    """What one message is."""

    EXCHANGE = "exchange"
    COPY = "copy"
    UNRECOGNISED = "unrecognised"


class RecipientKind(Enum):
    """How the report says a recipient was addressed (MS-XJRNL 2.1.4.1).

    ``RECIPIENT``: the server could not tell.  The ``HEADER_`` kinds are read
    from the header of a plain copy: who was written to, not who received.
    """

    TO = "to"
    CC = "cc"
    BCC = "bcc"
    RECIPIENT = "recipient"
    HEADER_TO = "header-to"
    HEADER_CC = "header-cc"
    HEADER_BCC = "header-bcc"


class Trust(Enum):
    """How far a report's origin could be confirmed; never decides about archiving."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    CONFLICTING = "conflicting"


class Role(Enum):
    """What an original inside a report is."""

    ORIGINAL = "original"
    DECRYPTED = "decrypted"
    ENCRYPTED = "encrypted"


@dataclass(frozen=True, slots=True)
class Redirection:
    """One step that brought a message to a recipient.

    Attributes:
        how: ``expanded`` (a list was expanded) or ``forwarded``.
        address: the list, or the address it was forwarded from.
    """

    how: str
    address: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who got the message, and by which way.

    Attributes:
        address: as written, case and all; X.500 names in their brackets.
        via: the redirections, nearest to the recipient first.
        source: where it was read (``report``, ``header``).
        derived: ``True`` when it was concluded, not written down.
        level: 0 for the outermost report; deeper ones are only claimed.
    """

    address: str
    kind: RecipientKind
    via: tuple[Redirection, ...] = ()
    source: str = "report"
    derived: bool = False
    level: int = 0


@dataclass(frozen=True, slots=True)
class Envelope:
    """Sender and recipients of transport (P1), as told by the report.

    Attributes:
        raw_lines: the report's lines as received, decoded byte for byte as
            latin-1, so that no line is lost that nobody understood.
    """

    sender: str = ""
    on_behalf_of: str = ""
    subject: str = ""
    message_id: str = ""
    recipients: tuple[Recipient, ...] = ()
    raw_lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Original:
    """A message inside a report: a slice of the stored bytes.

    Attributes:
        offset: first byte in the raw message.
        length: number of bytes there, in the transfer encoding they have there.
        transfer_encoding: ``identity``, ``base64`` or ``quoted-printable``.
        digest: SHA-256 of the message itself (after decoding, when encoded).
        level: depth of the report that holds it, 0 for the outermost.
    """

    offset: int
    length: int
    digest: Digest
    role: Role = Role.ORIGINAL
    transfer_encoding: str = "identity"
    level: int = 0


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """The verdict of ``unwrap`` on one raw message.

    Attributes:
        reason: why it is ``UNRECOGNISED``; empty otherwise.
        trust_reasons: what spoke for and against, as short fixed words.
        flags: remarks in a fixed vocabulary, sorted, each once.
    """

    kind: Kind
    envelope: Envelope = Envelope()
    originals: tuple[Original, ...] = ()
    trust: Trust = Trust.UNVERIFIED
    trust_reasons: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    reason: str = ""

    @property
    def quarantined(self) -> bool:
        """A person should look: the bytes are safe, the envelope was not understood."""
        return self.kind is Kind.UNRECOGNISED
