"""``collector demo``: the whole flow on a built-in mailbox."""

from __future__ import annotations

import itertools
import sys
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from collector.cli.outcome import tell
from collector.config import Settings, load
from collector.custody.audit import Audit
from collector.custody.watch import Watch
from collector.service.assemble import account_of, open_house, open_reading
from collector.service.collect import Outcome, collect_work, run_until_done
from collector.service.demo_server import FOLDER, HOST, PASSWORD, USERNAME, demo_server
from collector.service.exit_code import ExitCode
from collector.service.facts import instant
from collector.source.imap import ImapMailbox
from collector.telemetry import configure

CONFIG = f"""\
# Made by `collector demo`.  The mail server it names lived only for the demonstration;
# the archive stays and can be looked at.
[archive]
path = "archive"

[[mailbox]]
name = "demo"
host = "{HOST}"
port = {{port}}
security = "plain"        # allowed for loopback only
username = "{USERNAME}"
password_file = "imap-password"
folders = ["{FOLDER}"]

[log]
level = "warning"
"""


def command(
    dest: Annotated[
        Path | None,
        typer.Option("--dir", metavar="DIR", help="Where to put it. Default: ./demo-archive"),
    ] = None,
) -> None:
    """Show the whole flow on a built-in mailbox; nothing to configure, nothing left running."""
    root = _new_folder(dest or Path("demo-archive"))
    messages = _messages()
    with demo_server(messages) as port:
        settings = _configure(root, port)
        typer.echo(f"1. A journal mailbox with {len(messages)} messages waits on {HOST}:{port}.\n")
        typer.echo("2. Collecting: fetch, unwrap, store, prove, delete.")
        outcome, left = _collect(settings)
        code = tell(outcome, as_json=False)
        typer.echo("\n3. What was archived, and who really got it:")
        _show(settings)
        typer.echo("\n4. The proof: every stored copy read back from disk and hashed again.")
        broken = _prove(settings)
        typer.echo(f"\n5. The mailbox now holds {left} messages.")
    typer.echo(
        f"\nLook further:\n  {sys.argv[0]} --config {root / 'collector.toml'} show 2\n"
        "or without this program (tar needs the package zstd for it):\n"
        f"  tar --zstd -tvf {root}/archive/segments/000001.tar.zst"
    )
    raise typer.Exit(ExitCode.BROKEN if broken else code)


def _messages() -> list[bytes]:
    folder = resources.files("collector.cli") / "demo_mail"
    names = sorted(each.name for each in folder.iterdir() if each.name.endswith(".eml"))
    return [(folder / name).read_bytes() for name in names]


def _new_folder(wanted: Path) -> Path:
    """Return a folder that did not exist before: an earlier demonstration is kept."""
    names = itertools.chain([wanted], (Path(f"{wanted}-{number}") for number in itertools.count(2)))
    root = next(name for name in names if not name.exists())
    root.mkdir(mode=0o700, parents=True)
    return root


def _configure(root: Path, port: int) -> Settings:
    password = root / "imap-password"
    password.touch(mode=0o600)
    password.write_text(PASSWORD, encoding="ascii")
    path = root / "collector.toml"
    path.write_text(CONFIG.format(port=port), encoding="ascii")
    settings = load(path)
    configure(settings.log.level, settings.log.format)
    return settings


def _collect(settings: Settings) -> tuple[Outcome, int]:
    """Return what was done and how many messages the mailbox holds afterwards."""
    with open_house(settings) as house:
        outcome = run_until_done(house, settings, collect_work(settings), Watch())
    mailbox = ImapMailbox(account_of(settings, settings.mailboxes[0]), FOLDER)
    try:
        return outcome, len(mailbox.poll().uids)
    finally:
        mailbox.close()


def _show(settings: Settings) -> None:
    with open_reading(settings) as (_archive, ledger):
        for record in ledger.records():
            envelope = record.unwrapped.envelope
            typer.echo(f"  {record.entry.seq}  {record.unwrapped.kind.value:<9} {envelope.subject}")
            typer.echo(f"     {record.entry.receipt.digest}")
            for each in envelope.recipients:
                via = "".join(f" ({step.how} from {step.address})" for step in each.via)
                typer.echo(f"     {each.kind.value:<10} {each.address}{via}")


def _prove(settings: Settings) -> bool:
    with open_reading(settings) as (archive, ledger):
        problems = list(Audit(archive, ledger).everything())
        for each in ledger.mailbox_status():
            typer.echo(f"  {each.entries_count} entries, last proof {instant(each.last_proof_at)}")
        typer.echo(f"  verified {ledger.last_seq()} entries, {len(problems)} broken")
    return bool(problems)
