"""``collector export``: messages for somebody else."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from collector.cli import filters
from collector.cli.outcome import progress_bar
from collector.cli.start import print_json, recorder, settings_of
from collector.service.assemble import open_reading
from collector.service.export import Export, refuse_existing
from collector.service.facts import filter_facts


class Shape(Enum):
    """What an export is written as."""

    EML = "eml"
    ZIP = "zip"
    MBOX = "mbox"


def command(
    context: typer.Context,
    dest: Annotated[Path, typer.Argument(metavar="DEST", help="New folder or file.")],
    shape: Annotated[
        Shape, typer.Option("--as", help="A folder of .eml files, a zip of them, or one mbox.")
    ] = Shape.EML,
    original: Annotated[
        bool, typer.Option("--original", help="The message inside a report, not the report.")
    ] = False,
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
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Write messages as <digest>.eml files with a MANIFEST.sha256 that `sha256sum -c` accepts."""
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
    with open_reading(settings_of(context)) as (archive, ledger), progress_bar("exporting") as move:
        refuse_existing(dest)
        total = ledger.count(wanted)
        recorder(context, ledger)(
            "archive.exported",
            messages_count=total,
            shape=shape.value,
            original=original,
            **filter_facts(wanted),
        )
        done = 0

        def progress() -> None:
            nonlocal done
            done += 1
            move(done, total)

        export = Export(archive, original, progress)
        write = {
            Shape.EML: export.to_folder,
            Shape.ZIP: export.to_zip,
            Shape.MBOX: export.to_mbox,
        }[shape]
        count = write(ledger.records(wanted), dest)
    if as_json:
        print_json({"exported": count, "dest": str(dest), "as": shape.value})
    else:
        typer.echo(f"exported {count} message(s) to {dest}")
