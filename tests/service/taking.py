"""Takes messages into an archive as a cycle does, without a mailbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from collector.custody.intake import Arrived
from collector.domain.blob import RawBytes
from collector.domain.mailbox import Announced, Fetched, MailboxId, MessageRef
from collector.formats.unwrap import unwrap
from collector.service.assemble import House

NOW = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
INBOX = MailboxId("journal", "INBOX")


def take(house: House, first_uid: int, contents: Sequence[bytes]) -> None:
    """Take messages over as one batch, under the settings of the house, and sign the log."""
    profile = house.intake.profile_of(INBOX.name)
    arrived = []
    for uid, content in enumerate(contents, first_uid):
        raw = RawBytes(content)
        announced = Announced(MessageRef(INBOX, 7, uid), None, NOW)
        arrived.append(Arrived(Fetched(announced, raw), NOW, unwrap(raw, profile)))
    with house.intake.turn():
        house.intake.commit(house.intake.store(arrived, NOW))
    house.intake.attest(NOW)
