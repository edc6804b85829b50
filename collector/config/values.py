"""The kinds of values a configuration may hold.

Rule: a time or a size is written with its unit, never as a bare number; a relative
path belongs to the folder of the configuration file, wherever the program is started.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

SMTP_PORTS = {"tls": 465, "starttls": 587, "plain": 25}
"""RFC 8314, section 3.3; RFC 6409, section 3.1; RFC 5321, section 4.5.4.2."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)")
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {
    unit: base**power
    for base, units in ((1000, ("kB", "MB", "GB")), (1024, ("KiB", "MiB", "GiB")))
    for power, unit in enumerate(units, 1)
}


class Section(BaseModel):
    """One table of the file: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def refused(what: str, hint: str, key: str = "") -> PydanticCustomError:
    """Return the error of a value that cannot be used.

    Args:
        what: what is wrong, lower case, without the value: it may be a secret.
        hint: what to write instead.
        key: which key is meant, when it is not the one being looked at.
    """
    return PydanticCustomError("refused", "{what}", {"what": what, "hint": hint, "key": key})


def seconds(value: object) -> float:
    """Return the seconds of a time such as ``"30s"``, ``"1.5 min"`` or ``"2h"``."""
    match = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or match[2] not in _SECONDS:
        raise refused("this is not a time", 'write a number and a unit (ms, s, min, h, d): "30s"')
    return float(match[1]) * _SECONDS[match[2]]


def seconds_or_none(text: str) -> float | None:
    """Return ``seconds`` of a time that was written elsewhere, ``None`` when it is none."""
    try:
        return seconds(text)
    except PydanticCustomError:
        return None


def size_bytes(value: object) -> int:
    """Return the bytes of a size such as ``"64 MiB"`` (1024 based) or ``"64 MB"`` (1000 based)."""
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or match[2] not in _BYTES:
        known = ", ".join(_BYTES)
        raise refused("this is not a size", f'write a number and a unit ({known}): "64 MiB"')
    return int(float(match[1]) * _BYTES[match[2]])


def within(least: float, most: float, words: str) -> AfterValidator:
    """Return a limit on a time or a size, and the words a person is told it in."""

    def limited(value: float) -> float:
        if not least <= value <= most:
            raise refused("this is out of bounds", f"possible is {words}")
        return value

    return AfterValidator(limited)


def _plain_name(name: str) -> str:
    """Return a name that can stand in a path, a label and a log."""
    if not _NAME.fullmatch(name):
        raise refused("this name cannot be used", "letters, digits, dot, dash, underscore")
    return name


def _beside(path: Path, info: ValidationInfo) -> Path:
    """Return a relative path as one beside the configuration file."""
    context: dict[str, Path] = info.context or {}
    return context["directory"] / path


def _printable(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise refused("this is empty or has unprintable characters", "write it on one line")
    return text


def _each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) < len(values):
        raise refused("this list names something twice", "name each once")
    return values


Seconds = Annotated[float, BeforeValidator(seconds)]
Bytes = Annotated[int, BeforeValidator(size_bytes)]
Flag = StrictBool
Port = Annotated[StrictInt, Field(ge=1, le=65535)]
Name = Annotated[str, AfterValidator(_plain_name)]
Text = Annotated[str, Field(max_length=1000), AfterValidator(_printable)]
Texts = Annotated[tuple[Text, ...], Field(max_length=100), AfterValidator(_each_once)]
FilePath = Annotated[Path, AfterValidator(_beside)]
