"""Several reports of one message: linked by the bytes inside, united for reading."""

from __future__ import annotations

from report_samples import ORIGINAL, message_part, read, report, text_part
from vector import load

from collector.domain.blob import Digest
from collector.domain.journal import JournalProfile, RecipientKind
from collector.formats.unite import unite


def united(*raws: bytes) -> list[tuple[str, str]]:
    """Return (kind, address) of the united recipients."""
    return [(each.kind.value, each.address) for each in unite(map(read, raws))]


def key(raw: bytes) -> Digest:
    """Return what identifies the message in ``raw``."""
    return read(raw).message_digest(Digest.of(raw))


def test_reports_of_one_message_are_linked_by_its_bytes() -> None:
    """Same inner bytes, same message; same Message-ID on other bytes, another message."""
    first, second = load("several-first").raw, load("several-second").raw
    other = load("same-id-other-bytes").raw
    assert key(first) == key(second) == Digest.of(ORIGINAL)
    assert key(other) != key(first)


def test_a_redelivered_report_is_the_same_message() -> None:
    """Other Received lines outside change nothing inside."""
    assert key(load("redelivered").raw) == key(load("several-first").raw)


def test_a_hybrid_pair_is_one_message_with_its_recipient_once() -> None:
    """Journaled online and on premises: one message, one recipient."""
    online, on_premises = load("pair-online").raw, load("pair-on-premises").raw
    assert key(online) == key(on_premises)
    assert united(online, on_premises) == [("recipient", "accounting@example.com")]


def test_all_recipients_of_all_reports_are_kept() -> None:
    """Bifurcated reports give the union, in the order they were read."""
    assert united(load("several-first").raw, load("several-second").raw) == [
        ("to", "accounting@example.com"),
        ("bcc", "boss@example.com"),
        ("to", "anna@example.com"),
    ]


def test_a_stated_kind_is_stronger_than_none() -> None:
    """Bcc in one report beats Recipient in another, whichever is read first."""
    vague = report(text_part(b"Recipient: BOSS@example.com"), message_part())
    exact = report(text_part(b"Bcc: boss@example.com"), message_part())
    assert united(vague, exact) == united(exact, vague) == [("bcc", "boss@example.com")]


def test_two_ways_of_one_recipient_are_both_told() -> None:
    """Somebody addressed directly and as a member of a list got it both ways."""
    direct = report(text_part(b"To: anna@example.com"), message_part())
    as_member = report(
        text_part(b"To: anna@example.com, Expanded: all@example.com"), message_part()
    )
    assert [each.via for each in unite([read(direct), read(as_member)])] == [
        (),
        read(as_member).envelope.recipients[0].via,
    ]


def test_copies_one_per_recipient_are_united() -> None:
    """What servers recorded is kept; what the author wrote is told once."""
    profile = JournalProfile(server="exim")

    def copy(address: bytes) -> bytes:
        return b"Envelope-to: " + address + b"\r\nReceived: from a by b; now\r\n" + ORIGINAL

    copies = [read(copy(address), profile) for address in (b"a@x.example", b"b@x.example")]
    assert [(each.kind, each.address) for each in unite(copies)] == [
        (RecipientKind.RECIPIENT, "a@x.example"),
        (RecipientKind.HEADER_TO, "accounting@example.com"),
        (RecipientKind.RECIPIENT, "b@x.example"),
    ]


def test_what_is_written_gives_way_to_what_is_recorded() -> None:
    """A recipient that a server recorded is not told again from the header."""
    recorded = read(report())
    written = read(ORIGINAL)
    assert [each.kind for each in unite([written, recorded])] == [RecipientKind.RECIPIENT]


def test_a_claimed_recipient_gives_way_to_a_stated_one() -> None:
    """What only a report inside claims is weaker than what the report says."""
    bounced = read(load("ndr-around-report").raw)
    direct = read(report())
    (recipient,) = unite([bounced, direct])
    assert not recipient.claimed
