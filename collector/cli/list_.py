"""``collector list``: what is in the archive."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Annotated

import typer

from collector.cli import filters
from collector.cli.start import print_json, recorder, settings_of
from collector.ledger.query import Record
from collector.service.assemble import open_reading
from collector.service.facts import Facts, filter_facts, instant, message_facts, record_facts

SHOWN_MAX = 3


class By(Enum):
    """What a line stands for."""

    REPORT = "report"
    MESSAGE = "message"


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
    by: Annotated[
        By, typer.Option(help="One line for every report, or for every message inside.")
    ] = By.REPORT,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per line, with everything.")
    ] = False,
) -> None:
    """List archived messages, oldest entry first.

    With --by message the recipients of all reports of one message are united.
    """
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
        record_act = recorder(context, ledger)
        record_act("archive.listed", by=by.value, **filter_facts(wanted))
        if by is By.MESSAGE:
            for reports in ledger.messages(wanted):
                facts = message_facts(reports)
                _tell(facts, _message_line(facts), as_json=as_json)
        else:
            for record in ledger.records(wanted):
                _tell(record_facts(record), _line(record), as_json=as_json)


def _tell(facts: Facts, line: str, *, as_json: bool) -> None:
    if as_json:
        print_json(facts)
    else:
        typer.echo("".join(char if char.isprintable() else "?" for char in line))


def _way(sender: str, recipients: Sequence[str]) -> str:
    more = f" +{len(recipients) - SHOWN_MAX}" if len(recipients) > SHOWN_MAX else ""
    return f"{sender or '-'} -> {', '.join(recipients[:SHOWN_MAX]) or '-'}{more}"


def _message_line(facts: Facts) -> str:
    seqs = facts["reports"]
    count = f"{len(seqs)} report(s)"
    way = _way(facts["sender"], [each["address"] for each in facts["recipients"]])
    return f"{seqs[0]:>8}  {count:<14}  {way}  {facts['subject']}"


def _line(record: Record) -> str:
    receipt, envelope = record.entry.receipt, record.unwrapped.envelope
    arrived = instant(receipt.internal_date or receipt.fetched_at) or ""
    way = _way(envelope.sender, [each.address for each in envelope.recipients])
    return (
        f"{record.entry.seq:>8}  {arrived[:19]}  {record.entry.state.value:<10}  "
        f"{record.unwrapped.kind.value:<13}  {way}  {envelope.subject}"
    )
