"""Settings as they may be shown and kept: what is secret or personal is hidden.

Rule: every section is taken as it is, so a new key is shown or hidden by its name and its
value, never forgotten.  A mark tells that a hidden value has changed, and not what it is.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from collector.config.settings import Settings
from collector.config.values import Section

HIDDEN = "<hidden>"
_SECRET = re.compile(r"(^|_)(command|token|secret|password|credential|key|urls?)$")
_PUBLIC = {"public_key"}
_ADDRESS = re.compile(r"[^\s@<>]+@[^\s@<>]+")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(?:[^/\s@]*@)?([^/?#\s]*)")
_PERSONAL = re.compile(r"(^|_)(username|addresses?|recipients?|sender|to|from)$")
SHOWN_CHARS_MAX = 200


def shown_settings(settings: Settings) -> list[tuple[str, str, str]]:
    """Return (key, shown, mark) of every setting, by key.

    A key is ``section.key``, of a list of sections ``section[name].key``.
    """
    told = [("digest", settings.digest, settings.digest)]
    for each in fields(settings):
        value = getattr(settings, each.name)
        if isinstance(value, Section):
            told += _section(each.name, value)
        elif isinstance(value, list | tuple):
            for number, item in enumerate(value, 1):
                if isinstance(item, Section):
                    told += _section(f"{each.name}[{getattr(item, 'name', number)}]", item)
    return sorted(told)


def _section(name: str, section: Section) -> Iterator[tuple[str, str, str]]:
    for key, value in _flat(section.model_dump(mode="json"), ""):
        text = json.dumps(value, sort_keys=True)
        place = f"{name}.{key}"
        mark = hashlib.sha256(f"{place}\0{text}".encode()).hexdigest()[:32]
        yield place, _shown(key, value)[:SHOWN_CHARS_MAX], mark


def _flat(table: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for number, item in enumerate(value, 1):
                yield from _flat(item, f"{prefix}{key}[{item.get('name', number)}].")
        else:
            yield f"{prefix}{key}", value


def _shown(key: str, value: Any) -> str:  # noqa: ANN401 - JSON
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, list):
        return json.dumps([_shown(key, each) for each in value], ensure_ascii=False)
    text = str(value)
    last = key.rpartition(".")[2]
    if _SECRET.search(last) and last not in _PUBLIC:
        return _without_secret(last, text)
    if _PERSONAL.search(last):
        return HIDDEN
    return _ADDRESS.sub("<address>", text)


def _without_secret(key: str, text: str) -> str:
    """Return the host of a web address, the name of a program, or nothing."""
    url = _URL.match(text)
    if url is not None:
        return f"{url[1]}://{url[2] if url[1] in {'http', 'https'} else ''}/{HIDDEN}"
    if key.endswith("command") and text.startswith("/"):
        return f".../{Path(text).name}"
    return HIDDEN
