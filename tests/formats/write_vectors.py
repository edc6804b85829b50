"""Writes the vectors to disk: ``python tests/formats/write_vectors.py``."""

from __future__ import annotations

import vectors_body
import vectors_copies
import vectors_multiplicity
import vectors_nesting
import vectors_recognition
import vectors_structure
import vectors_trust
from vector import DIRECTORY, Vector

EVERY: list[Vector] = [
    *vectors_recognition.VECTORS,
    *vectors_structure.VECTORS,
    *vectors_nesting.VECTORS,
    *vectors_body.VECTORS,
    *vectors_trust.VECTORS,
    *vectors_copies.VECTORS,
    *vectors_multiplicity.VECTORS,
]


def main() -> None:
    """Replace all vectors on disk."""
    DIRECTORY.mkdir(exist_ok=True)
    for old in [*DIRECTORY.glob("*.eml*"), *DIRECTORY.glob("*.json")]:
        old.unlink()
    for each in EVERY:
        each.write()


if __name__ == "__main__":
    main()
