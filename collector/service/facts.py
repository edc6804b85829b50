"""What the program says of a message, an archive, a cycle: plain JSON values.

Rule: names and forms are those of the design, section 6.  Digests are
``sha256:<hex>``, times UTC ISO 8601.  Nothing is computed here, only shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from enum import Enum
from typing import Any

from collector.custody.audit import Problem
from collector.domain.alarm import Alarm
from collector.domain.custody import Summary
from collector.domain.finding import Finding
from collector.domain.journal import Envelope, Original, Recipient
from collector.formats.unite import unite
from collector.ledger.query import DeletionReceipt, Filter, MailboxStatus, Record
from collector.service.reconcile import Standing

Facts = dict[str, Any]


def instant(at: datetime | None) -> str | None:
    """Return ``at`` as UTC ISO 8601 ending in ``Z``."""
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def record_facts(record: Record) -> Facts:
    """Return one line of ``list --json``."""
    entry, unwrapped = record.entry, record.unwrapped
    receipt = entry.receipt
    return {
        "seq": entry.seq,
        "digest": str(receipt.digest),
        "size_bytes": receipt.size_bytes,
        "stored_bytes": entry.blob.stored_bytes,
        "mailbox": receipt.ref.mailbox.name,
        "folder": receipt.ref.mailbox.folder,
        "uidvalidity": receipt.ref.uidvalidity,
        "uid": receipt.ref.uid,
        "internal_date": instant(receipt.internal_date),
        "fetched_at": instant(receipt.fetched_at),
        "committed_at": instant(receipt.committed_at),
        "state": entry.state.value,
        "kind": unwrapped.kind.value,
        "reason": unwrapped.reason,
        "trust": unwrapped.trust.value,
        "trust_reasons": list(unwrapped.trust_reasons),
        "quarantined": receipt.quarantined,
        "duplicate_of": receipt.duplicate_of,
        "flags": sorted({*unwrapped.flags, *receipt.fetch_flags}),
        "envelope": _envelope(unwrapped.envelope),
        "nested": [_envelope(each) for each in unwrapped.nested],
        "originals": [_original(each) for each in unwrapped.originals],
    }


def message_facts(reports: Sequence[Record]) -> Facts:
    """Return one line of ``list --by message --json``: a message and all reports of it."""
    first = reports[0]
    envelope = first.unwrapped.envelope
    recipients = unite(each.unwrapped for each in reports)
    return {
        "message_digest": str(first.unwrapped.message_digest(first.entry.receipt.digest)),
        "reports": [each.entry.seq for each in reports],
        "sender": envelope.sender,
        "subject": envelope.subject,
        "message_id": envelope.message_id,
        "recipients": [_recipient(each) for each in recipients],
    }


def _envelope(envelope: Envelope) -> Facts:
    return {
        "sender": envelope.sender,
        "on_behalf_of": envelope.on_behalf_of,
        "subject": envelope.subject,
        "message_id": envelope.message_id,
        "level": envelope.level,
        "recipients": [_recipient(each) for each in envelope.recipients],
    }


def _recipient(recipient: Recipient) -> Facts:
    return {
        "address": recipient.address,
        "kind": recipient.kind.value,
        "via": [{"how": each.how, "address": each.address} for each in recipient.via],
        "source": recipient.source,
        "derived": recipient.derived,
        "undisclosed": recipient.undisclosed,
        "level": recipient.level,
    }


def _original(original: Original) -> Facts:
    return {
        "offset": original.offset,
        "length": original.length,
        "digest": str(original.digest),
        "role": original.role.value,
        "transfer_encoding": original.transfer_encoding,
        "level": original.level,
    }


def filter_facts(wanted: Filter) -> Facts:
    """Return what was looked for, for an event: personal values only as "given"."""
    personal = ("sender", "recipient", "subject", "message_id")
    told: Facts = {}
    for each in fields(wanted):
        value = getattr(wanted, each.name)
        if value is not None:
            value = value.value if isinstance(value, Enum) else value
            value = instant(value) if isinstance(value, datetime) else value
            told[each.name] = "given" if each.name in personal else value
    return {"filter": told}


def _deletion(receipt: DeletionReceipt) -> Facts:
    """Return who deleted the message from the mailbox, when, and on which evidence."""
    return {
        "by": receipt.by,
        "asked_at": [instant(at) for at in receipt.asked_at],
        "proofs": [
            {"digest": str(each.digest), "size_bytes": each.size_bytes,
             "proven_at": instant(each.proven_at)}
            for each in receipt.proofs
        ],
        "gone_at": instant(receipt.gone_at),
        "evidence": receipt.evidence,
    }  # fmt: skip


def detail_facts(record: Record, deletion: DeletionReceipt) -> Facts:
    """Return ``show --json``: the line of ``list`` and what only one message needs."""
    facts = record_facts(record)
    blob = record.entry.blob
    facts["envelope"]["raw_lines"] = list(record.unwrapped.envelope.raw_lines)
    facts["location"] = {
        "segment": f"segments/{blob.segment}.tar.zst",
        "frame_offset": blob.frame_offset,
        "frame_bytes": blob.frame_bytes,
        "offset": blob.offset,
    }
    facts["cleared_at"] = instant(record.entry.cleared_at)
    facts["deletion"] = _deletion(deletion)
    return facts


def summary_facts(summary: Summary, elapsed_s: float) -> Facts:
    """Return the summary of ``collect --json``."""
    return {
        "waiting": summary.waiting,
        "collected": summary.collected,
        "cleared": summary.cleared,
        "expunged": summary.expunged,
        "set_aside": summary.set_aside,
        "quarantined": summary.quarantined,
        "vanished": summary.vanished,
        "refused": summary.refused,
        "unaccounted": summary.unaccounted,
        "elapsed_s": round(elapsed_s, 3),
    }


def finding_facts(finding: Finding) -> Facts:
    """Return one line of ``check --json``."""
    return {
        "name": finding.name,
        "subject": finding.subject,
        "result": finding.grade.value,
        "detail": finding.detail,
        "hint": finding.hint,
    }


def alarm_facts(alarm: Alarm) -> Facts:
    """Return one alarm as JSON values."""
    return {
        "kind": alarm.kind,
        "subject": alarm.subject,
        "severity": alarm.severity.value,
        "problem": alarm.problem,
        "hint": alarm.hint,
    }


def problem_facts(problem: Problem) -> Facts:
    """Return one broken thing of ``verify --json``."""
    return {
        "what": problem.what,
        "subject": problem.subject,
        "seq": problem.seq,
        "digest": problem.digest,
    }


def mailbox_facts(status: MailboxStatus) -> Facts:
    """Return one mailbox of ``status --json``."""
    return {
        "mailbox": status.mailbox.name,
        "folder": status.mailbox.folder,
        "waiting": status.waiting_count,
        "oldest_waiting_at": instant(status.oldest_waiting_at),
        "polled_at": instant(status.polled_at),
        "last_cycle_at": instant(status.last_cycle_at),
        "last_error": status.last_error,
        "last_proof_at": instant(status.last_proof_at),
        "entries": status.entries_count,
        "set_aside": status.set_aside_count,
        "quarantined": status.quarantined_count,
        "states": dict(status.state_counts),
    }


def standing_facts(standing: Standing) -> Facts:
    """Return one line of ``reconcile --json``."""
    return {
        "mailbox": standing.mailbox and standing.mailbox.name,
        "folder": standing.mailbox and standing.mailbox.folder,
        "place": standing.place.value,
        "count": standing.count,
        "next": standing.next,
        "person": standing.person,
    }
