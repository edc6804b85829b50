"""The filters that ``list`` and ``export`` share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from collector.domain.custody import State
from collector.domain.journal import Kind
from collector.ledger.query import Filter

DATES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]
DAY = "YYYY-MM-DD"

MailboxOption = Annotated[str | None, typer.Option(metavar="NAME", help="Of this mailbox.")]
FolderOption = Annotated[str | None, typer.Option(metavar="FOLDER", help="Of this folder.")]
SinceOption = Annotated[
    datetime | None, typer.Option(formats=DATES, metavar=DAY, help="Arrived then or later (UTC).")
]
BeforeOption = Annotated[
    datetime | None, typer.Option(formats=DATES, metavar=DAY, help="Arrived before then (UTC).")
]
SenderOption = Annotated[str | None, typer.Option(help="Envelope sender contains this.")]
RecipientOption = Annotated[str | None, typer.Option(help="A recipient contains this.")]
SubjectOption = Annotated[str | None, typer.Option(help="Subject contains this.")]
MessageIdOption = Annotated[str | None, typer.Option(help="Exactly this Message-ID.")]
DigestOption = Annotated[str | None, typer.Option(help="Digest begins with this.")]
KindOption = Annotated[Kind | None, typer.Option(help="Only this kind.")]
StateOption = Annotated[State | None, typer.Option(help="Only in this state.")]
QuarantinedOption = Annotated[
    bool | None, typer.Option("--quarantined/--not-quarantined", help="Only (not) quarantined.")
]
SeqFromOption = Annotated[int | None, typer.Option(min=1, metavar="SEQ", help="From this entry.")]
SeqToOption = Annotated[int | None, typer.Option(min=1, metavar="SEQ", help="To this entry.")]
LimitOption = Annotated[int | None, typer.Option(min=1, metavar="N", help="At most N entries.")]


def filter_of(
    mailbox: str | None,
    folder: str | None,
    since: datetime | None,
    before: datetime | None,
    sender: str | None,
    recipient: str | None,
    subject: str | None,
    message_id: str | None,
    digest: str | None,
    kind: Kind | None,
    state: State | None,
    quarantined: bool | None,
    seq_from: int | None,
    seq_to: int | None,
    limit: int | None,
) -> Filter:
    """Return the ledger's filter for the options of a command line."""
    return Filter(
        mailbox=mailbox,
        folder=folder,
        since=since and since.replace(tzinfo=UTC),
        before=before and before.replace(tzinfo=UTC),
        sender=sender,
        recipient=recipient,
        subject=subject,
        message_id=message_id,
        digest=digest and digest.removeprefix("sha256:"),
        kind=kind,
        state=state,
        quarantined=quarantined,
        seq_from=seq_from,
        seq_to=seq_to,
        limit=limit,
    )
