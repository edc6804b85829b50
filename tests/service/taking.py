"""Takes messages into an archive as a cycle does, without a mailbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from collector.custody.indexing import index
from collector.custody.intake import Arrived
from collector.domain.blob import RawBytes
from collector.domain.mailbox import Announced, Fetched, MailboxId, MessageRef
from collector.service.assemble import House

NOW = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
INBOX = MailboxId("journal", "INBOX")


def arrivals(house: House, first_uid: int, contents: Sequence[bytes]) -> list[Arrived]:
    """Return messages as they are when they were fetched, under the settings of the house."""
    profile = house.intake.profile_of(INBOX.name)
    arrived = []
    for uid, content in enumerate(contents, first_uid):
        raw = RawBytes(content)
        announced = Announced(MessageRef(INBOX, 7, uid), None, NOW)
        arrived.append(Arrived(Fetched(announced, raw), NOW, index(raw, profile)))
    return arrived


def take(house: House, first_uid: int, contents: Sequence[bytes]) -> None:
    """Take messages over as one batch, and sign the log."""
    with house.intake.turn():
        house.intake.commit(house.intake.store(arrivals(house, first_uid, contents), NOW))
    house.intake.attest(NOW)
