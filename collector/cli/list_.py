"""``collector list``: what is in the archive."""

from __future__ import annotations

from typing import Annotated

import typer

from collector.cli import filters
from collector.cli.start import print_json, settings_of
from collector.ledger.query import Record
from collector.service.assemble import open_reading
from collector.service.facts import instant, record_facts


def command(
    context: typer.Context,
    mailbox: filters.MailboxOption = None,
    folder: filters.FolderOption = None,
    since: filters.SinceOption = None,
    before: filters.BeforeOption = None,
    sender: filters.SenderOption = None,
    recipient: filters.RecipientOption = None,
    subject: filters.SubjectOption = None,
    message_id: filters.MessageIdOption = None,
    digest: filters.DigestOption = None,
    kind: filters.KindOption = None,
    state: filters.StateOption = None,
    quarantined: filters.QuarantinedOption = None,
    seq_from: filters.SeqFromOption = None,
    seq_to: filters.SeqToOption = None,
    limit: filters.LimitOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per line, with everything.")
    ] = False,
) -> None:
    """List archived messages, oldest entry first."""
    wanted = filters.filter_of(
        mailbox,
        folder,
        since,
        before,
        sender,
        recipient,
        subject,
        message_id,
        digest,
        kind,
        state,
        quarantined,
        seq_from,
        seq_to,
        limit,
    )
    with open_reading(settings_of(context)) as (_archive, ledger):
        for record in ledger.records(wanted):
            if as_json:
                print_json(record_facts(record))
            else:
                typer.echo(_line(record))


def _line(record: Record) -> str:
    receipt, envelope = record.entry.receipt, record.unwrapped.envelope
    arrived = instant(receipt.internal_date or receipt.fetched_at) or ""
    recipients = ", ".join(each.address for each in envelope.recipients[:3])
    more = f" +{len(envelope.recipients) - 3}" if len(envelope.recipients) > 3 else ""
    way = f"{envelope.sender or '-'} -> {recipients or '-'}{more}"
    text = (
        f"{record.entry.seq:>8}  {arrived[:19]}  {record.entry.state.value:<10}  "
        f"{record.unwrapped.kind.value:<12}  {way}  {envelope.subject}"
    )
    return "".join(char if char.isprintable() else "?" for char in text)
