r"""Deletes exactly what is proven, in an order that held against every server tried.

    NOOP -> UID FETCH (FLAGS SIZE) -> UID STORE +FLAGS (\Deleted) -> UID EXPUNGE
            gone, or another message   what the server confirms      exactly these

Rule: plain EXPUNGE and CLOSE remove everybody's \Deleted messages and are never sent,
but for an ``exclusive`` mailbox and after SEARCH DELETED equals our set.  Any surprise
stops before the deletion.  What was really deleted, only the next listing tells.

Numbers are the steps of the imap reference, 2.1; dangers: 2.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from collector.domain.errors import CycleError
from collector.domain.mailbox import Removal
from collector.source.account import Account
from collector.source.client import Client, portions, quoted, uid_set
from collector.source.fitting import is_attribute
from collector.source.lines import Facts, begin_facts, flags_of, size_of, uid_of
from collector.source.selecting import DELETED, Selected

WRONG_MAX = 1000
"""So many flags of others can be taken off; a server that tells of more is not believed."""


def _move_refused(target: str | None, folder: str) -> str:
    """Return why nothing can be moved to the folder of the deleted; empty when it can."""
    if target is not None and is_attribute(target):
        return (
            f"the server shows no folder with the attribute {target}; "
            "let it be shown over IMAP, or name the folder in deleted_folder"
        )
    if target == folder:
        return "messages would be moved onto themselves; do not collect this folder"
    return ""


def removal_of(
    client: Client, selected: Selected, account: Account, folder: str
) -> tuple[Removal, str]:
    """Return how messages can be removed here; reason and remedy when they cannot.

    Args:
        account: fitted to the server.
        folder: the one that is selected.
    """
    if not selected.writable or not selected.deletable:
        return Removal.REFUSED, "the account may not delete here; give it the rights t and e"
    if refusal := _move_refused(account.deleted_folder, folder):
        return Removal.REFUSED, refusal
    can_move = account.deleted_folder is not None and client.has_capability("MOVE")
    if can_move and (account.moves or client.has_capability("X-GM-EXT-1")):
        return Removal.MOVE, ""  # EXPUNGE there takes a label off and deletes nothing (2.5)
    if client.has_capability("UIDPLUS"):
        return Removal.UID_EXPUNGE, ""
    if can_move or account.exclusive:
        return (Removal.MOVE if can_move else Removal.EXCLUSIVE_EXPUNGE), ""
    return Removal.REFUSED, (
        "the server has no UIDPLUS; set deleted_folder if it has MOVE, "
        "or exclusive = true if no other client uses the mailbox"
    )


def remove(
    client: Client, account: Account, removal: Removal, proven: Mapping[int, int]
) -> list[int]:
    """Remove exactly the proven messages from the selected folder; may be repeated.

    Args:
        proven: sizes in bytes by UID.

    Returns:
        UIDs that name a message of another size now, as after a restored backup: left
        alone.  Empty where sizes are hints.

    Raises:
        CycleError: the server flagged what it was not asked to, or others delete in
            a mailbox that is said to be exclusive; nothing was deleted then.
        OSError, imaplib.IMAP4.error, ValueError: the connection is lost, or refused,
            or the answer is not well formed; what was deleted is not known.
    """
    if removal is Removal.REFUSED:
        raise CycleError("messages cannot be removed from this folder")
    client.do(b"NOOP")  # step 6: pending expunges are told now
    there: dict[int, bool] = {}
    strangers: list[int] = []
    for portion in portions(list(proven)):
        for uid, flagged_before, size_bytes in _still_there(client, portion):
            if size_bytes in {None, proven[uid]} or account.size_is_hint:
                there[uid] = flagged_before
            else:
                strangers.append(uid)
    for portion in portions(list(there)):
        if removal is Removal.MOVE:
            _move(client, portion, account.deleted_folder or "")
            continue
        flagged = _flag(client, [uid for uid in portion if not there[uid]])  # step 7
        flagged += [uid for uid in portion if there[uid]]
        if removal is Removal.UID_EXPUNGE and flagged:
            client.do(b"UID EXPUNGE " + uid_set(sorted(flagged)))  # step 8
    if removal is Removal.EXCLUSIVE_EXPUNGE and there:
        _expunge_alone(client, list(there))
    return strangers


def _still_there(client: Client, uids: Sequence[int]) -> Iterator[tuple[int, bool, int | None]]:
    r"""Yield which of ``uids`` the server has, whether each is \Deleted already, and its size.

    Servers leave a message out of the answer to STORE when its flags do not change
    (Dovecot): one that was flagged before a crash would never be confirmed again.
    """
    wanted = set(uids)
    for line in client.run(b"UID FETCH " + uid_set(uids) + b" (UID FLAGS RFC822.SIZE)"):
        facts: Facts = {}
        if begin_facts(line, facts) and (uid := uid_of(facts)) in wanted:
            yield uid, DELETED.lower() in flags_of(facts), size_of(facts)


def _flag(client: Client, uids: Sequence[int]) -> list[int]:
    r"""Flag ``uids`` as \Deleted; return those the server confirms.

    A server that maps a UID that is gone to another message (DBMail) shows it in the
    answer; then all these flags are taken off again.
    """
    if not uids:
        return []
    asked, confirmed, wrong = set(uids), set[int](), set[int]()
    for line in client.run(b"UID STORE " + uid_set(uids) + b" +FLAGS (" + DELETED + b")"):
        facts: Facts = {}
        if begin_facts(line, facts) and DELETED.lower() in flags_of(facts):
            if (uid := uid_of(facts)) is None:
                continue  # news
            (confirmed if uid in asked else wrong).add(uid)
            if len(wrong) > WRONG_MAX:
                raise ValueError("more messages are flagged than there can be")
    if wrong:
        _unflag(client, sorted(wrong | asked))
        raise CycleError(
            f"the server flagged {len(wrong)} messages for deletion that it was not asked to",
            hint="nothing was deleted; another client deletes in this folder, or the server's "
            "UIDs cannot be trusted",
        )
    return sorted(confirmed)


def _unflag(client: Client, uids: Sequence[int]) -> None:
    for portion in portions(uids):
        client.do(b"UID STORE " + uid_set(portion) + b" -FLAGS (" + DELETED + b")")


def _expunge_alone(client: Client, ours: Sequence[int]) -> None:
    """EXPUNGE when nobody else's message is flagged; take our flags off otherwise (2.4)."""
    deleted = client.search(b"DELETED")
    foreign = deleted.difference(ours)
    if foreign:
        _unflag(client, sorted(deleted.intersection(ours)))
        raise CycleError(
            f"{len(foreign)} messages are flagged for deletion by another client",
            hint="nothing was deleted; take their flags off, or do not call the mailbox exclusive",
        )
    client.do(b"EXPUNGE")


def _move(client: Client, uids: Sequence[int], folder: str) -> None:
    """Move ``uids`` away (RFC 6851); each is moved whole or not at all."""
    client.do(b"UID MOVE " + uid_set(uids) + b" " + quoted(folder))
