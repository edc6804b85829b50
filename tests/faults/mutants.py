"""Seeded mistakes: the program as it might have been written, to test the tests.

Rule: switched on by COLLECTOR_MUTANT, in tests only; never anything in the
program.  Each one patches names that the program has; when a name is gone the
mutant fails loudly, so that none can rot into a program without a mistake.
"""

from __future__ import annotations

import os
from collections.abc import Callable

MUTANTS: dict[str, Callable[[], None]] = {}


def apply_from_environment() -> None:
    """Apply the mistake named by COLLECTOR_MUTANT, if any.

    Raises:
        KeyError: there is no such mutant.
    """
    name = os.environ.get("COLLECTOR_MUTANT", "")
    if name:
        all_mutants()[name]()


def all_mutants() -> dict[str, Callable[[], None]]:
    """Return every mistake by its name."""
    import mutants_custody  # noqa: F401 - they enter themselves
    import mutants_disk  # noqa: F401

    return MUTANTS


def mutant(apply: Callable[[], None]) -> Callable[[], None]:
    """Enter a function under its own name."""
    MUTANTS[apply.__name__.replace("_", "-")] = apply
    return apply


def replace(owner: object, name: str, make: Callable) -> None:
    """Put ``make(original)`` in the place of a function."""
    setattr(owner, name, make(getattr(owner, name)))
