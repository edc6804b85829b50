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
    """What a mailbox is configured to hold (``format`` in the configuration).

    ``EXCHANGE``: reports only; anything else is quarantined.  ``GOOGLE``,
    ``ZIMBRA`` and ``SUN`` allow wrappers that anybody could send, which ``AUTO``
    leaves alone.  ``COPY``: nothing is unwrapped.
    """

    AUTO = "auto"
    EXCHANGE = "exchange"
    GOOGLE = "google"
    ZIMBRA = "zimbra"
    SUN = "sun"
    COPY = "copy"


@dataclass(frozen=True, slots=True)
class JournalProfile:
    """What a mailbox is configured to hold, and what about its messages is believed.

    Nothing here decides whether a message is archived.  Addresses, hosts and
    domains are patterns with ``*``, in any case; hosts may be networks too.

    Attributes:
        format: as configured.
        server: the mail server that delivers into the mailbox, by the name of its
            preset; empty believes no envelope header.
        recipient_headers, sender_headers: fields that server writes besides.
        addresses: of the journal mailbox itself; nobody's recipients.
        plus_addressing: ``journal+user=domain@...`` names the recipient user@domain.
        own_received_count: Received lines that our own servers write; what stands
            below the last of them is the sender's.
        alternate: an alternate journaling mailbox: bounces of reports are expected.
        report_senders: who sends reports (``Sender``, else ``From``).
        return_paths: envelope senders of reports; ``<>`` is the empty one.
        connecting_hosts: who may hand reports over to our own server.
        tenants: values of ``X-OriginatorOrg``.
        authserv_id: the name our own server gives itself in Authentication-Results.
        authserv_below: that server removes foreign results of its name (RFC 8601,
            section 5), so those right below its Received line are its own as well.
        authenticated_domains: whose SPF or DKIM result confirms a report.
    """

    format: JournalFormat = JournalFormat.AUTO
    server: str = ""
    recipient_headers: tuple[str, ...] = ()
    sender_headers: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    plus_addressing: bool = False
    own_received_count: int = 1
    alternate: bool = False
    report_senders: tuple[str, ...] = ()
    return_paths: tuple[str, ...] = ()
    connecting_hosts: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    authserv_id: str = ""
    authserv_below: bool = False
    authenticated_domains: tuple[str, ...] = ()


UNCONFIGURED = JournalProfile()
"""A mailbox of which nothing is known: reports by their marker, nobody believed."""


class Kind(Enum):
    """What one message is.

    ``EXCHANGE``: a report of Exchange 2007 or later, or of Exchange Online.
    ``EXCHANGE_2003``: an envelope report of Exchange 2000 or 2003.
    ``BOUNCE``: a non-delivery report around a journal report.
    """

    EXCHANGE = "exchange"
    EXCHANGE_2003 = "exchange-2003"
    WORKMAIL = "workmail"
    CITADEL = "citadel"
    GOOGLE = "google"
    ZIMBRA = "zimbra"
    SUN = "sun"
    BOUNCE = "bounce"
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
    """What a message inside another is.

    ``DECRYPTED``: the server's clear copy beside the ``ENCRYPTED`` original.
    ``REPORT``: a journal report inside a bounce, itself the wrapper of originals.
    ``CANDIDATE``: an attachment that may be the original of a broken report.
    """

    ORIGINAL = "original"
    DECRYPTED = "decrypted"
    ENCRYPTED = "encrypted"
    REPORT = "report"
    CANDIDATE = "candidate"


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
        source: where it was read: ``report``, or the name of the header field.
        derived: ``True`` when it was read from what the author wrote, not from
            what a server recorded.
        level: as in ``Envelope``.
        undisclosed: the header of the original names neither the address nor a
            list it was reached by: a conclusion, never the fact "Bcc".
    """

    address: str
    kind: RecipientKind
    via: tuple[Redirection, ...] = ()
    source: str = "report"
    derived: bool = False
    level: int = 0
    undisclosed: bool = False

    @property
    def claimed(self) -> bool:
        """Read from a report that anybody could have put inside the outermost one."""
        return self.level > 0


@dataclass(frozen=True, slots=True)
class Envelope:
    """Sender and recipients of transport (P1), as told by the report.

    Attributes:
        raw_lines: the report's lines as received, decoded byte for byte as
            latin-1, so that no line is lost that nobody understood.
        level: 0 for the outermost report; deeper ones are only claimed.
    """

    sender: str = ""
    on_behalf_of: str = ""
    subject: str = ""
    message_id: str = ""
    recipients: tuple[Recipient, ...] = ()
    raw_lines: tuple[str, ...] = ()
    level: int = 0

    @property
    def claimed(self) -> bool:
        """Read from a report that anybody could have put inside the outermost one."""
        return self.level > 0


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
        envelope: of the outermost report; of a broken one, what could be read.
        originals: in the order they lie in the message, outer before inner.
        nested: envelopes of reports inside, outermost first.
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
    nested: tuple[Envelope, ...] = ()

    @property
    def primary(self) -> Original | None:
        """The original a person means: the first of the outermost report that has one."""
        wrapped = [each for each in self.originals if each.role is not Role.REPORT]
        return min(wrapped, key=lambda each: each.level, default=None)

    def message_digest(self, raw: Digest) -> Digest:
        """Return what names the message: its original's digest, that of ``raw`` for a copy."""
        return raw if self.primary is None else self.primary.digest

    @property
    def quarantined(self) -> bool:
        """A person should look: the bytes are safe, the envelope was not understood."""
        return self.kind is Kind.UNRECOGNISED
