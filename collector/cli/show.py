"""``collector show``: one message, for a person, a program, or byte for byte."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from collector.cli.envelope import envelope_lines, sender_of
from collector.cli.start import print_json, recorder, settings_of
from collector.domain.errors import ConfigError
from collector.domain.journal import Original
from collector.formats.unwrap import original_windows
from collector.ledger.query import Record
from collector.service.assemble import open_reading
from collector.service.facts import detail_facts, instant
from collector.store.archive import Archive


def command(
    context: typer.Context,
    seq: Annotated[int, typer.Argument(min=1, metavar="SEQ", help="Number of the entry.")],
    raw: Annotated[
        bool, typer.Option("--raw", help="The exact bytes of the fetched message.")
    ] = False,
    message: Annotated[
        bool, typer.Option("--message", help="The exact bytes of the original inside the report.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The record as JSON.")] = False,
) -> None:
    """Show one archived message: its envelope, its bytes, or its record."""
    if raw + message + as_json > 1:
        raise typer.BadParameter("give one of --raw, --message and --json")
    with open_reading(settings_of(context)) as (archive, ledger):
        record = ledger.record(seq)
        if record is None:
            raise ConfigError(
                "there is no such entry",
                subject=f"seq {seq}",
                hint=f"the archive holds entries 1 to {ledger.last_seq()}; see `collector list`",
            )
        part = "raw" if raw else "message" if message else "record"
        recorder(context, ledger)("message.viewed", seq=seq, part=part)
        if raw:
            archive.copy(record.entry.blob, sys.stdout.buffer.write)
        elif message:
            _original(archive, record)
        elif as_json:
            print_json(detail_facts(record, ledger.accounts.deletion(record.entry)))
        else:
            _print(record)


def _original(archive: Archive, record: Record) -> None:
    """Write the message inside a report; a copy is its own original."""
    primary = record.unwrapped.primary
    if primary is None:
        archive.copy(record.entry.blob, sys.stdout.buffer.write)
        return
    for piece in original_windows(archive.raw(record.entry.blob), primary):
        sys.stdout.buffer.write(piece)


def _print(record: Record) -> None:
    entry, unwrapped = record.entry, record.unwrapped
    receipt, envelope = entry.receipt, unwrapped.envelope
    facts = (
        ("entry", f"{entry.seq}, {entry.state.value}"),
        ("digest", str(receipt.digest)),
        ("size", f"{receipt.size_bytes} bytes, {entry.blob.stored_bytes} stored"),
        ("from", f"{receipt.ref}"),
        ("arrived", instant(receipt.internal_date) or "-"),
        ("committed", instant(receipt.committed_at) or "-"),
        ("kind", f"{unwrapped.kind.value} {unwrapped.reason}".strip()),
        ("flags", ", ".join(sorted({*unwrapped.flags, *receipt.fetch_flags})) or "-"),
        ("sender", sender_of(envelope)),
        ("subject", envelope.subject or "-"),
        ("message-id", envelope.message_id or "-"),
        *(("original", _original_line(each)) for each in unwrapped.originals),
    )
    for line in (*(f"{name:<11} {text}" for name, text in facts), *envelope_lines(unwrapped)):
        typer.echo("".join(char if char.isprintable() else "?" for char in line))


def _original_line(original: Original) -> str:
    where = f"{original.length} bytes at {original.offset}"
    return f"{original.digest}, {where}, {original.role.value}"
