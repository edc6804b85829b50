"""How far the origin of a message could be confirmed.

Rule: never decides whether a message is archived or deleted.

A report's own lines prove nothing; whoever knows the address of the mailbox can
write them.  ``VERIFIED`` takes a listed sender and one thing our own server saw:
a listed host (and tenant, where hosts are shared) or a passed SPF or DKIM check
of a listed domain.  ``CONFLICTING`` is anything that speaks against: a report
that disagrees with the message inside, or a configured check that fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from collector.domain.journal import Envelope, JournalProfile, Kind, Trust
from collector.formats.addresses import addresses, addresses_in
from collector.formats.header import Header
from collector.formats.text import decode, decode_words
from collector.formats.trace import (
    confirmations,
    connection,
    own_fields,
    results_below,
    return_path,
)

_VALUE_CHARS_MAX = 1_000
_SHARED_HOSTS = ".outbound.protection.outlook.com"
"""Every tenant of Exchange Online sends from these; the tenant must be checked too."""

_TELLS_SUBJECT = frozenset({Kind.EXCHANGE, Kind.WORKMAIL, Kind.GOOGLE})
_COPIES_FROM = frozenset({Kind.EXCHANGE})
_WRAPPED = frozenset(Kind) - {Kind.COPY, Kind.UNRECOGNISED, Kind.BOUNCE}
NOTHING_CONFIGURED = "nothing-configured"


@dataclass(slots=True)
class _Findings:
    """What spoke for and against, as short fixed words."""

    speaks_for: list[str] = field(default_factory=list)
    against: list[str] = field(default_factory=list)

    def check(self, what: str, listed: Iterable[str], found: list[str]) -> None:
        """Note whether any found value is listed."""
        patterns = [each.lower() for each in listed]
        values = [each.lower()[:_VALUE_CHARS_MAX] for each in found]
        hit = any(fnmatchcase(value, pattern) for value in values for pattern in patterns)
        (self.speaks_for if hit else self.against).append(
            f"{what}-listed" if hit else f"{what}-foreign"
        )


def judge(
    header: Header, profile: JournalProfile, kind: Kind, envelope: Envelope, inner: Header | None
) -> tuple[Trust, tuple[str, ...]]:
    """Return how far the message is confirmed, and why.

    Args:
        header: of the whole message.
        profile: what is believed of this mailbox.
        kind: what the message is.
        envelope: of the report.
        inner: header of the original, ``None`` when there is none.
    """
    findings = _Findings()
    if inner is not None and kind in _WRAPPED:
        findings.against += _disagreements(header, kind, envelope, inner)
    _check_channel(header, profile, findings)
    if kind in _WRAPPED:
        _check_report(header, profile, findings)
    reasons = (*findings.against, *findings.speaks_for) or (NOTHING_CONFIGURED,)
    if findings.against:
        return Trust.CONFLICTING, reasons
    sender_known = kind is Kind.COPY or "sender-listed" in findings.speaks_for
    verified = sender_known and _channel_confirmed(profile, findings.speaks_for)
    return (Trust.VERIFIED if verified else Trust.UNVERIFIED), reasons


def _channel_confirmed(profile: JournalProfile, speaks_for: list[str]) -> bool:
    shared = any(each.lower().endswith(_SHARED_HOSTS) for each in profile.connecting_hosts)
    by_host = "host-listed" in speaks_for and (not shared or "tenant-listed" in speaks_for)
    return by_host or not {"spf-pass", "dkim-pass"}.isdisjoint(speaks_for)


def _check_channel(header: Header, profile: JournalProfile, findings: _Findings) -> None:
    """Look at what our own server saw: who connected, and its SPF and DKIM results."""
    asks_results = profile.authserv_id and profile.authenticated_domains
    if not profile.connecting_hosts and not asks_results:
        return
    own = own_fields(header, profile.own_received_count)
    if profile.connecting_hosts:
        listed = connection(own, profile.server).matches(profile.connecting_hosts)
        (findings.speaks_for if listed else findings.against).append(
            "host-listed" if listed else "host-foreign"
        )
    if not asks_results:
        return
    below = results_below(header, own) if profile.authserv_below else []
    patterns = [each.lower() for each in profile.authenticated_domains]
    for method, verdict, domain in confirmations([*own, *below], profile.authserv_id):
        if any(fnmatchcase(domain[:_VALUE_CHARS_MAX], each) for each in patterns):
            if verdict == "pass":
                findings.speaks_for.append(f"{method}-pass")
            elif verdict == "fail":
                findings.against.append(f"{method}-fail")


def _check_report(header: Header, profile: JournalProfile, findings: _Findings) -> None:
    """Look at what the report says of itself; any of it can be forged alone."""
    if profile.report_senders:
        senders = list(addresses_in(header, b"sender")) or list(addresses_in(header, b"from"))
        findings.check("sender", profile.report_senders, senders)
    if profile.return_paths:
        path = return_path(own_fields(header, profile.own_received_count))
        findings.check("return-path", profile.return_paths, list(addresses(path)) or ["<>"])
    if profile.tenants:
        tenants = [decode(each, "utf-8")[0] for each in header.all(b"x-originatororg")]
        findings.check("tenant", profile.tenants, tenants)


def _disagreements(header: Header, kind: Kind, envelope: Envelope, inner: Header) -> Iterator[str]:
    """Yield where the report and the message inside do not say the same."""
    inner_id = decode(inner.first(b"message-id"), "utf-8")[0]
    parent_id = decode(header.first(b"x-ms-exchange-parent-message-id"), "utf-8")[0]
    if inner_id and envelope.message_id and envelope.message_id != inner_id:
        yield "message-id-mismatch"
    if inner_id and parent_id and parent_id != inner_id:
        yield "parent-id-mismatch"
    if kind in _TELLS_SUBJECT and not _same_subject(
        envelope.subject, decode_words(inner.first(b"subject"))
    ):
        yield "subject-mismatch"
    if kind in _COPIES_FROM and header.all(b"from") != inner.all(b"from"):
        outer_from = {each.lower() for each in addresses_in(header, b"from")}
        inner_from = {each.lower() for each in addresses_in(inner, b"from")}
        if outer_from and inner_from and outer_from != inner_from:
            yield "from-mismatch"


def _same_subject(told: str, written: str) -> bool:
    """Compare subjects; what a charset had no character for is told as ``?``."""
    told, written = " ".join(told.split()), " ".join(written.split())
    if "?" in told and len(told) == len(written):
        return all(one in {"?", other} for one, other in zip(told, written, strict=True))
    return told == written
