"""Finds the configuration file, reads it, and says in one line what is wrong with it.

Rule: a refused value is never shown, it may be a secret in the wrong place.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import stat
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from collector.config.settings import ONE_SECRET, SECTIONS, ConfigFile, Settings
from collector.domain.errors import ConfigError

VARIABLE = "COLLECTOR_CONFIG"
PLACES = (Path("collector.toml"), Path("/etc/collector/collector.toml"))
FILE_BYTES_MAX = 1024 * 1024
Table = dict[str, Any]


def find_config(wanted: Path | None) -> Path:
    """Return the configuration file to use.

    Args:
        wanted: what the command line names; it comes before ``$COLLECTOR_CONFIG``,
            ``./collector.toml`` and ``/etc/collector/collector.toml``.

    Raises:
        ConfigError: nothing is named and none of these files is there.
    """
    if wanted is not None:
        return wanted
    if named := os.environ.get(VARIABLE):
        return Path(named)
    for place in PLACES:
        if _is_there(place):
            return place
    raise ConfigError(
        "there is no configuration",
        subject=" or ".join(str(place) for place in PLACES),
        hint="write one as collector.example.toml shows, or name it with --config; "
        "`collector demo` needs none",
    )


def _is_there(path: Path) -> bool:
    """Return whether there is such a file; one that we may not look at is there."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def load(path: Path) -> Settings:
    """Read and check a configuration file.

    Raises:
        ConfigError: it cannot be read, or something in it cannot be used.
    """
    path = path.absolute()
    table = _read(path)
    try:
        file = ConfigFile.model_validate(table, context={"directory": path.parent})
    except ValidationError as error:
        raise _explained(error, table, path) from None
    return Settings(
        path,
        _digest(file),
        file.archive,
        file.mailboxes,
        file.log,
        file.evidence,
        file.alarms,
        file.metrics,
        file.canary,
    )


def _read(path: Path) -> Table:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(
            f"the configuration cannot be read: {error.strerror}",
            subject=str(path),
            hint="name another with --config, or give the collector's user the right to read it",
        ) from error
    if mode & stat.S_IWOTH:
        what = "every user of this machine may change the configuration"
        raise ConfigError(what, subject=str(path), hint=f"chmod o-w {path}")
    if len(raw) > FILE_BYTES_MAX:
        what = "this is too large for a configuration"
        raise ConfigError(what, subject=str(path), hint="name the right file with --config")
    try:
        return tomllib.loads(raw.decode("utf-8"))
    except UnicodeDecodeError:
        what = "the configuration is not UTF-8 text"
        raise ConfigError(what, subject=str(path), hint="save it as UTF-8") from None
    except ValueError as error:
        what = f"the configuration is not TOML: {error}"
        raise ConfigError(what, subject=str(path), hint="see collector.example.toml") from None


def _digest(file: ConfigFile) -> str:
    """Hash what is in effect; a command line may hold a secret and is left out."""
    facts = file.model_dump(
        mode="json",
        exclude={
            "mailboxes": {"__all__": {"password_command", "token_command"}},
            "evidence": {
                "key_command": True,
                "anchor_urls": True,
                "mail": {"password_command"},
            },
            "canary": {"smtp": {"__all__": {"password_command"}}},
        },
    )
    return f"sha256:{hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()}"


def _explained(error: ValidationError, table: Table, path: Path) -> ConfigError:
    """Return the first error in words; a misspelt key before the gap it leaves elsewhere."""
    errors = error.errors(include_url=False, include_input=False)
    first = min(errors, key=lambda each: each["type"] != "extra_forbidden")
    what, hint = _what(first)
    return ConfigError(what, subject=f"{path}: {_where(first, table)}", hint=hint)


def _what(error: ErrorDetails) -> tuple[str, str]:
    """Return what is wrong and what to do."""
    context = error.get("ctx", {})
    match error["type"]:
        case "refused":
            return context["what"], context["hint"]
        case "extra_forbidden":
            return "unknown key", _nearest(error["loc"])
        case "missing":
            return "this key is missing", "see collector.example.toml"
        case "literal_error" | "enum":
            return "unknown value", f"possible are {context['expected']}"
        case "tuple_type" if error["loc"] == ("mailbox",):
            return "this is not a list of tables", "write [[mailbox]], with two brackets"
        case _:
            text = error["msg"].replace("Input should be", "this must be").replace("tuple", "list")
            return text[:1].lower() + text[1:], "see collector.example.toml"


def _nearest(loc: tuple[int | str, ...]) -> str:
    """Return a hint for the unknown key at ``loc``."""
    *table, key = (str(each) for each in loc if not isinstance(each, int))
    section = SECTIONS[".".join(table)] if table else ConfigFile
    if key == "password":
        return f"a password does not belong in this file; {ONE_SECRET}"
    known = [field.alias or name for name, field in section.model_fields.items()]
    close = difflib.get_close_matches(key, known, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"


def _where(error: ErrorDetails, table: Table) -> str:
    """Return the place in the file as a person would name it: ``[[mailbox]] journal: port``."""
    place: list[str] = []
    match error["loc"]:
        case ("mailbox", int(index), *keys):
            mailbox = table["mailbox"][index]
            name = mailbox.get("name") if isinstance(mailbox, dict) else None
            place = [f"[[mailbox]] {name if isinstance(name, str) else f'number {index + 1}'}"]
            if keys[:1] == ["oauth"]:
                place, keys = [*place, "[mailbox.oauth]"], keys[1:]
        case ("evidence", "mail", *keys):
            place = ["[evidence.mail]"]
        case ("canary", "smtp" | "path" as part, int(index), *keys):
            place = [f"[[canary.{part}]] number {index + 1}"]
        case ("archive" | "log" | "evidence" | "alarms" | "metrics" | "canary" as section, *keys):
            place = [f"[{section}]"]
        case keys:
            keys = list(keys)
    key = error.get("ctx", {}).get("key") or ", ".join(_named(each) for each in keys)
    return ": ".join([*place, key] if key else place) or "[[mailbox]]"


def _named(key: int | str) -> str:
    return f"number {key + 1}" if isinstance(key, int) else key
