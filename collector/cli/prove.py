"""``collector prove``: the proof of one message, for somebody who does not trust us."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from collector.cli.start import print_json, recorder, settings_of
from collector.service.prove import prove


def command(
    context: typer.Context,
    seq: Annotated[int, typer.Argument(min=1, metavar="SEQ", help="Number of the entry.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="New or empty folder.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the files as JSON.")] = False,
) -> None:
    """Write one message, its record, its way up the log and the signed checkpoint into a folder.

    HOW-TO-CHECK.md in it says how to check them with sha256sum and openssl.
    """
    written = prove(settings_of(context), seq, output, partial(recorder, context))
    if as_json:
        print_json({"seq": seq, "files": [str(path) for path in written]})
    else:
        typer.echo(f"the proof of entry {seq} is in {output}; see {written[-1].name} in it")
