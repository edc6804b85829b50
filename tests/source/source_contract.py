"""What every source must do, whatever the server: the promises of ``source/mailbox.py``.

A server takes part by a fixture ``place`` that gives a ``Place``; nothing else differs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from imap_eyes import ImapUser
from source_samples import account_of, letter, proofs_of

from collector.domain.blob import Digest
from collector.domain.mailbox import Announced, Fetched, MessageRef, Removal, Unfetched
from collector.source import handover
from collector.source.account import Limits
from collector.source.imap import ImapMailbox

AWKWARD = {
    "8-bit": b"Subject: \xfc\xe4\xf6\r\n\r\n\xff\xfe\x80 text\r\n",
    "long line": b"Subject: long\r\n\r\n" + b"x" * 20_000 + b"\r\n",
    "dots": b"Subject: dots\r\n\r\n.\r\n..\r\n.end\r\n",
    "From": b"Subject: from\r\n\r\nFrom here on\r\n>From there\r\n",
    "header only": b"Subject: nothing follows\r\n\r\n",
    "like IMAP": b"Subject: x\r\n\r\n)\r\n* 1 FETCH (UID 1 BODY[] {5}\r\nA1 OK done\r\n",
    "braces": b"Subject: {10}\r\n\r\n{99999999999}\r\n",
}
"""Bodies that are easily changed, or taken for something else."""


@dataclass
class Place:
    """A folder of a server, empty and unknown to everybody else."""

    user: ImapUser
    folder: str
    tmp_path: Path
    changes: dict = field(default_factory=dict)
    remake: Callable[[], None] | None = None

    def fill(self, *raws: bytes) -> dict[int, bytes]:
        """Put messages in; return what the server holds, by UID."""
        self.user.append(*raws, folder=self.folder)
        return self.held()

    def held(self) -> dict[int, bytes]:
        """Return what the server holds, by UID, seen by the standard library."""
        return self.user.messages(self.folder)

    def mailbox(self, **changes) -> ImapMailbox:
        """Return the source under test."""
        account = account_of(self.user, self.tmp_path, **{**self.changes, **changes})
        return ImapMailbox(account, self.folder)


def everything(mailbox: ImapMailbox) -> dict[int, Fetched | Unfetched]:
    """Fetch all there is."""
    listing = mailbox.poll()
    announced = mailbox.announce(listing.refs(0, len(listing.uids)))
    return {each.announced.ref.uid: each for each in mailbox.fetch(announced)}


def whole(answer: Fetched | Unfetched) -> bytes:
    """Return the bytes of what was handed over, window by window."""
    assert isinstance(answer, Fetched)
    raw, pieces, offset = answer.raw, [], 0
    while piece := raw.window(offset, 1000):
        pieces.append(piece)
        offset += len(piece)
    joined = b"".join(pieces)
    assert len(joined) == raw.size_bytes
    assert Digest.of(joined) == raw.digest
    return joined


class MailboxContract:
    """Every test runs against every server."""

    def test_an_empty_folder_is_listed_as_empty(self, place: Place) -> None:
        """Complete, and with an epoch."""
        mailbox = place.mailbox()
        listing = mailbox.poll()
        assert (list(listing.uids), listing.complete) == ([], True)
        assert listing.uidvalidity > 0
        assert listing.mailbox.folder == place.folder
        mailbox.close()

    def test_awkward_messages_come_out_as_the_server_holds_them(self, place: Place) -> None:
        """Byte for byte, with sizes that agree, and nothing marked as seen."""
        held = place.fill(*AWKWARD.values())
        mailbox = place.mailbox()
        answers = everything(mailbox)
        mailbox.close()
        assert {uid: whole(answer) for uid, answer in answers.items()} == held
        assert sorted(held.values()) == sorted(AWKWARD.values())
        for uid, answer in answers.items():
            assert answer.announced.size_bytes == len(held[uid])
            assert answer.announced.internal_date is not None
        assert b"\\Seen" not in set().union(*place.user.flags(place.folder).values())

    def test_spooled_messages_are_the_same(self, place: Place) -> None:
        """Held in a file instead of memory: the same bytes, and nothing stays behind."""
        held = place.fill(*AWKWARD.values(), letter(1, size_bytes=300_000))
        mailbox = place.mailbox(limits=Limits(memory_bytes_max=10))
        answers = everything(mailbox)
        assert {uid: whole(answer) for uid, answer in answers.items()} == held
        assert list((place.tmp_path / "spool").iterdir()) == []
        mailbox.close()

    def test_many_commands_are_answered_over_one_connection(
        self, place: Place, monkeypatch
    ) -> None:
        """Two are always under way; whatever the server ends first, nothing is mixed up."""
        monkeypatch.setattr(handover, "COMMAND_MESSAGES_MAX", 3)
        raws = [letter(number, 40_000 if number % 5 == 0 else 0) for number in range(40)]
        held = place.fill(*raws)
        mailbox = place.mailbox()
        mailbox.poll()
        session = mailbox._connection.current
        answers = everything(mailbox)
        assert mailbox._connection.current is session
        assert {uid: whole(answer) for uid, answer in answers.items()} == held
        mailbox.close()

    def test_what_is_not_there_is_announced_without_a_size(self, place: Place) -> None:
        """In the order asked for; fetching it hands nothing over, and disturbs nobody."""
        held = place.fill(letter(1), letter(2))
        mailbox = place.mailbox()
        listing = mailbox.poll()
        first, last = sorted(held)
        uids = [last, last + 7, first]
        refs = [MessageRef(listing.mailbox, listing.uidvalidity, uid) for uid in uids]
        announced = mailbox.announce(refs)
        assert [each.ref for each in announced] == refs
        assert [each.size_bytes for each in announced] == [len(held[last]), None, len(held[first])]
        answers = {each.announced.ref.uid: each for each in mailbox.fetch(announced)}
        assert isinstance(answers[last + 7], Unfetched)
        assert whole(answers[first]) == held[first]
        assert whole(answers[last]) == held[last]
        mailbox.close()

    def test_a_size_that_was_not_told_is_asked_for(self, place: Place) -> None:
        """A message without an announced size is handed over once it has one."""
        held = place.fill(letter(1))
        mailbox = place.mailbox()
        (ref,) = mailbox.poll().refs(0, 1)
        (answer,) = mailbox.fetch([Announced(ref, None, None)])
        assert list(held.values()) == [whole(answer)]
        assert answer.announced.size_bytes == len(whole(answer))
        assert answer.announced.internal_date is not None
        mailbox.close()

    def test_another_size_than_announced_is_not_accepted(self, place: Place) -> None:
        """Whatever the server hands over now, the listing said otherwise."""
        place.fill(letter(1), letter(2))
        mailbox = place.mailbox()
        one, two = mailbox.announce(mailbox.poll().refs(0, 2))
        lie = Announced(one.ref, (one.size_bytes or 0) + 1, one.internal_date)
        answers = {each.announced.ref.uid: each for each in mailbox.fetch([lie, two])}
        assert isinstance(answers[one.ref.uid], Unfetched)
        assert isinstance(answers[two.ref.uid], Fetched)
        mailbox.close()

    def test_exactly_the_proven_are_deleted(self, place: Place) -> None:
        r"""Not their neighbours, nor what another client flagged \Deleted; repeated or not."""
        held = place.fill(*(letter(number) for number in range(6)))
        uids = sorted(held)
        place.user.command(
            "UID", "STORE", str(uids[0]), "+FLAGS", r"(\Deleted)", folder=place.folder
        )
        mailbox = place.mailbox()
        listing = mailbox.poll()
        assert listing.removal is Removal.UID_EXPUNGE
        for _ in range(2):
            mailbox.expunge(proofs_of(listing, [uids[1], uids[4]]), listing.removal)
        rest = [uids[0], uids[2], uids[3], uids[5]]
        assert list(mailbox.poll().uids) == rest
        assert sorted(place.held()) == rest
        mailbox.close()

    def test_what_was_flagged_before_a_crash_is_deleted(self, place: Place) -> None:
        """The flag is set already; servers differ in whether STORE then answers."""
        uids = sorted(place.fill(*(letter(number) for number in range(3))))
        store = ("UID", "STORE", str(uids[1]), "+FLAGS", r"(\Deleted)")
        place.user.command(*store, folder=place.folder)
        mailbox = place.mailbox()
        listing = mailbox.poll()
        mailbox.expunge(proofs_of(listing, uids[1:]), listing.removal)
        assert list(mailbox.poll().uids) == uids[:1]
        mailbox.close()

    def test_nothing_is_deleted_without_proofs(self, place: Place) -> None:
        """An empty list is no reason to send anything."""
        place.fill(letter(1))
        mailbox = place.mailbox()
        listing = mailbox.poll()
        mailbox.expunge([], listing.removal)
        assert len(place.held()) == 1
        mailbox.close()

    def test_arrivals_and_deletions_of_others_are_seen_by_the_next_poll(self, place: Place) -> None:
        """On the kept connection, with UIDs that only grow."""
        uids = sorted(place.fill(letter(1), letter(2)))
        mailbox = place.mailbox()
        assert list(mailbox.poll().uids) == uids
        self.delete(place, uids[0])
        later = sorted(place.fill(letter(3)))
        listing = mailbox.poll()
        assert list(listing.uids) == later
        assert later[0] == uids[1] < later[1]
        assert listing.uidnext == 0 or listing.uidnext > later[1]  # Courier does not say
        mailbox.close()

    def test_a_message_gone_before_the_fetch_is_not_handed_over(self, place: Place) -> None:
        """NIL, a made-up message, the true body or nothing: only the true body is one."""
        held = place.fill(*(letter(number, 2000) for number in range(3)))
        mailbox = place.mailbox()
        announced = mailbox.announce(mailbox.poll().refs(0, 3))
        self.delete(place, sorted(held)[1])
        for answer in mailbox.fetch(announced):
            uid = answer.announced.ref.uid
            assert isinstance(answer, Unfetched) or whole(answer) == held[uid]
            assert isinstance(answer, Fetched) or uid == sorted(held)[1]
        mailbox.close()

    def test_a_thief_meanwhile_makes_nothing_up_and_hides_nothing(self, place: Place) -> None:
        """Each message is handed over with its true bytes or reported; ours alone we delete."""
        raws = [letter(number, 3000) for number in range(40)]
        held = place.fill(*raws)
        stolen = sorted(held)[3::4]
        thief = threading.Thread(target=lambda: [self.delete(place, uid) for uid in stolen])
        mailbox = place.mailbox()
        listing = mailbox.poll()
        thief.start()
        kept = set()
        for window in listing.windows(15):
            for answer in mailbox.fetch(mailbox.announce(window)):
                if isinstance(answer, Fetched):
                    uid = answer.announced.ref.uid
                    assert whole(answer) == held[uid]
                    kept.add(uid)
            sizes = {uid: len(raw) for uid, raw in held.items()}
            mailbox.expunge(proofs_of(listing, sorted(kept), sizes), listing.removal)
        thief.join()
        assert kept | set(stolen) == set(held)
        assert list(mailbox.poll().uids) == []
        mailbox.close()

    def test_a_closed_mailbox_opens_again(self, place: Place) -> None:
        """Closing is no end."""
        place.fill(letter(1))
        mailbox = place.mailbox()
        for _ in range(2):
            assert len(everything(mailbox)) == 1
            mailbox.close()
            mailbox.close()

    def test_a_folder_made_anew_has_another_epoch(self, place: Place) -> None:
        """Its UIDVALIDITY changes, and old references are refused."""
        place.fill(letter(1))
        mailbox = place.mailbox()
        before = mailbox.poll()
        mailbox.close()
        assert place.remake is not None
        place.remake()
        place.fill(letter(2))
        after = mailbox.poll()
        assert after.uidvalidity != before.uidvalidity
        mailbox.close()

    @staticmethod
    def delete(place: Place, uid: int) -> None:
        """Delete a message as another client does."""
        flag = ("UID", "STORE", str(uid), "+FLAGS", r"(\Deleted)")
        place.user.command(*flag, folder=place.folder)
        place.user.command("UID", "EXPUNGE", str(uid), folder=place.folder)
