"""What a rule is, and how a module brings its rules in.

Rule: a rule is a pure function of the situation; it raises an alarm for as long as the
cause lasts, with the same kind and subject each time, and knows nothing of other rules.

    SOURCE = RuleSource(
        kinds={"late": "a test mail did not come round in time"},
        rules=(late,),
    )

and one line in ``rules.SOURCES``.  What a rule needs beyond the figures it finds in
``Situation.readings``: whoever sees it keeps it with ``ledger.memory.note_reading``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from collector.domain.alarm import Alarm
from collector.watch.situation import Situation

Rule = Callable[[Situation], Iterable[Alarm]]


@dataclass(frozen=True, slots=True)
class RuleSource:
    """The rules of one module.

    Attributes:
        kinds: every kind of alarm they raise, and what it means to a person.
        moments: those of them that tell of something that happened: told once and then
            forgotten, without reminder and all-clear.
    """

    kinds: Mapping[str, str]
    rules: tuple[Rule, ...]
    moments: frozenset[str] = frozenset()


def lasting(seconds: float) -> str:
    """Return a time as a person says it: ``"45 s"``, ``"3 h"``, ``"12 days"``."""
    for unit_s, unit in ((86400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{max(seconds, 0.0):.0f} s"


def amount(size_bytes: float) -> str:
    """Return a size as a person says it: ``"1.5 GiB"``."""
    for unit_bytes, unit in ((1024.0**4, "TiB"), (1024.0**3, "GiB"), (1024.0**2, "MiB")):
        if size_bytes >= unit_bytes:
            return f"{size_bytes / unit_bytes:.1f} {unit}"
    return f"{size_bytes:.0f} bytes"
