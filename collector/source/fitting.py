r"""Fits an account to the server behind it: which kind it is, and what that means.

Rule: what was configured stays; a server that cannot be told is a generic one.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from typing import Any

from imapclient.imap_utf7 import decode as decode_utf7

from collector.source.account import Account
from collector.source.client import Client
from collector.source.providers import AUTO, GENERIC, PROVIDERS, Provider, recognised, signed
from collector.source.refusal import Refused

_LIST = re.compile(
    rb'\* (?:LIST|XLIST) \(([^)]*)\) (?:"(?:[^"\\]|\\.)"|NIL) (?:"((?:[^"\\]|\\.)*)"|([^ "]+))',
    re.IGNORECASE,
)


def provider_of(client: Client, wanted: str, *, ask: bool = True) -> Provider:
    """Return the kind of server: as configured, or as it shows itself.

    Args:
        ask: a server whose greeting does not tell may be asked for its name (ID).

    Raises:
        OSError, imaplib.IMAP4.error: the connection is lost.
    """
    if wanted != AUTO:
        return PROVIDERS[wanted]
    greeting = bytes(client.wire.welcome or b"")
    known = recognised(frozenset(client.capabilities())) or signed(greeting)
    if known is None and ask and client.has_capability("ID"):
        with contextlib.suppress(Refused):
            known = signed(b" ".join(client.ask(b"ID NIL")))
    return known or GENERIC


def fitted(account: Account, provider: Provider, client: Client, *, ask: bool = True) -> Account:
    """Return the account with what the provider's preset says and nobody configured.

    Args:
        ask: the server may be asked for the folder with a special-use attribute.

    Raises:
        OSError, imaplib.IMAP4.error: the connection is lost.
    """
    preset: dict[str, Any] = {
        "deleted_folder": provider.deleted_folder,
        "size_is_hint": provider.size_is_hint,
        "daily_bytes_max": provider.daily_bytes_max,
        "connections_max": provider.connections_max,
    }
    changes = {name: value for name, value in preset.items() if name not in account.configured}
    account = replace(account, moves=provider.moves, **changes)
    wanted = account.deleted_folder
    if ask and wanted is not None and is_attribute(wanted):
        found = find_special(client, wanted)
        account = replace(account, deleted_folder=found or wanted)
    return account


def is_attribute(folder: str) -> bool:
    """Say whether a folder is named by a special-use attribute."""
    return folder.startswith("\\")


def find_special(client: Client, attribute: str) -> str | None:
    """Return the folder with a special-use attribute (RFC 6154), ``None`` when none has it."""
    extended = client.has_capability("LIST-EXTENDED") and client.has_capability("SPECIAL-USE")
    command = b'LIST "" "*" RETURN (SPECIAL-USE)' if extended else b'LIST "" "*"'
    with contextlib.suppress(Refused):
        for line in client.ask(command):
            found = _LIST.match(line)
            if found and attribute.lower().encode() in found[1].lower().split():
                name = found[3] if found[2] is None else re.sub(rb"\\(.)", rb"\1", found[2])
                return str(decode_utf7(name))
    return None
