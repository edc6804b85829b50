"""Hands the proof of one message out: ``collector prove``.

Rule: nothing of any other message leaves the archive but hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from collector.config import Settings
from collector.custody.anchored import Anchored
from collector.custody.checkpoints import checkpoint_file, checkpoint_sizes, read_file
from collector.custody.watch import utc_now
from collector.domain.errors import ConfigError, CycleError, IntegrityError
from collector.domain.evidence import SignedCheckpoint
from collector.evidence.note import VerifierKey, decode_note, verify_note
from collector.evidence.proof_bundle import ProofBundle, Stamped, write_bundle
from collector.ledger.encoding import entry_leaf
from collector.ledger.ledger import Ledger
from collector.service.assemble import open_reading
from collector.service.evidence import directory_of, known_keys
from collector.service.outside import authorities, stamped_sizes, stamps_of

RecordIn = Callable[[Ledger], Callable[..., None]]


def prove(settings: Settings, seq: int, directory: Path, record_in: RecordIn) -> tuple[Path, ...]:
    """Write the proof of an entry into an empty directory; return its files.

    Args:
        record_in: returns what writes the act down in a ledger, before it takes effect.

    Raises:
        ConfigError: there is no such entry, or the directory holds something.
        CycleError: no checkpoint covers it yet, or a file cannot be written.
        IntegrityError: the message, its row, the log or the checkpoint is not as it was.
    """
    root = settings.archive.path
    keys = known_keys(root)
    with open_reading(settings) as (archive, ledger):
        record = ledger.record(seq)
        if record is None:
            hint = f"the archive holds entries 1 to {ledger.last_seq()}; see `collector list`"
            raise ConfigError("there is no such entry", subject=f"seq {seq}", hint=hint)
        position = ledger.log.position(seq)
        if position is None:
            raise IntegrityError(
                "an entry is not in the log", subject=f"seq {seq}", hint="run `collector verify`"
            )
        checkpoint = _first_covering(directory_of(root), position, keys, _intent(ledger, root, seq))
        known = authorities(settings)
        certificates = {each.name: each.certificates for each in known}
        stamps = stamps_of(directory_of(root), checkpoint, known)
        bundle = ProofBundle(
            message=archive.raw(record.entry.blob),
            record=entry_leaf(record.entry.receipt),
            inclusion=ledger.log.prove_inclusion(position, checkpoint.checkpoint.size),
            checkpoint=checkpoint,
            keys=verify_note(decode_note(checkpoint.raw), keys),
            stamps=tuple(Stamped(each, certificates[each.authority]) for each in stamps),
        )
        record_in(ledger)("proof.written", seq=seq)
        return write_bundle(bundle, directory)


def _intent(ledger: Ledger, root: Path, seq: int) -> Callable[[int], None]:
    """Return what keeps a checkpoint here: whoever gets it must find it later."""
    if ledger.read_only:
        return lambda _size: None
    anchored = Anchored(directory_of(root))
    return lambda size: anchored.intend(size, f"proof:{seq}", utc_now())


def _first_covering(
    directory: Path, position: int, keys: Sequence[VerifierKey], intend: Callable[[int], None]
) -> SignedCheckpoint:
    """Return the first checkpoint over a leaf that has a time stamp, or the first one.

    It is read after it was noted: one that was thinned out before that is passed over.
    """
    covering = [size for size in checkpoint_sizes(directory) if size > position]
    stamped = stamped_sizes(directory)
    for size in sorted(covering, key=lambda each: each not in stamped):
        path = checkpoint_file(directory, size)
        intend(size)
        if path.exists():
            return read_file(path, keys)
    raise CycleError(
        "no checkpoint covers this entry yet",
        subject=f"leaf {position}",
        hint="one is signed after every cycle; look for `log.behind` in the log",
    )
