"""How much a mailbox's server lets us have: what it told us to wait, what it handed over.

Rule: this decides when to ask, never what is kept or deleted; it is not evidence, has no
leaf, and a rebuild begins without it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from collector.ledger.database import LedgerDatabase
from collector.ledger.encoding import decode_instant, decode_text, encode_instant, encode_text
from collector.ledger.models import Download, Throttle
from collector.ledger.query import Downloaded, Throttled

HOUR = timedelta(hours=1)
KEPT = timedelta(days=2)


class Throttles:
    """The limits of all mailboxes; errors are those of the ledger."""

    def __init__(self, database: LedgerDatabase) -> None:
        self._database = database

    def find(self, mailbox: str) -> Throttled | None:
        """Return what the server of a mailbox last asked for, ``None`` when nothing."""
        query = Throttle.select().where(Throttle.mailbox == encode_text(mailbox))
        with self._database.reading():
            for row in self._database.rows(query):
                return Throttled(decode_text(row["throttle"]), decode_instant(row["until_at"]))
        return None

    def note(self, mailbox: str, throttle: str, until: datetime) -> None:
        """Keep that the server of a mailbox wants to be left alone until then."""
        row = {
            "mailbox": encode_text(mailbox),
            "throttle": encode_text(throttle),
            "until_at": encode_instant(until),
        }
        with self._database.writing():
            self._forget(mailbox)
            self._database.insert(Throttle, [row])

    def forget(self, mailbox: str) -> None:
        """Note that the server of a mailbox let us in."""
        with self._database.writing():
            self._forget(mailbox)

    def _forget(self, mailbox: str) -> None:
        Throttle.delete().where(Throttle.mailbox == encode_text(mailbox)).execute(self._database)

    def note_download(self, mailbox: str, size_bytes: int, at: datetime) -> None:
        """Add to what a mailbox handed over in the hour of ``at``; forget what is old."""
        hour_at = at.replace(minute=0, second=0, microsecond=0)
        name, hour = encode_text(mailbox), encode_instant(hour_at)
        this = (Download.mailbox == name) & (Download.hour_at == hour)
        with self._database.writing():
            found = self._database.rows(Download.select(Download.size_bytes).where(this))
            if found:
                more = {Download.size_bytes: Download.size_bytes + size_bytes}
                Download.update(more).where(this).execute(self._database)
                return
            oldest = encode_instant(hour_at - KEPT)
            Download.delete().where(Download.hour_at < oldest).execute(self._database)
            row = {"mailbox": name, "hour_at": hour, "size_bytes": size_bytes}
            self._database.insert(Download, [row])

    def downloads(self, mailbox: str, since: datetime) -> list[Downloaded]:
        """Return what a mailbox handed over by hours that ended after ``since``, oldest first."""
        query = (
            Download.select(Download.hour_at, Download.size_bytes)
            .where(
                Download.mailbox == encode_text(mailbox),
                Download.hour_at > encode_instant(since - HOUR),
            )
            .order_by(Download.hour_at)
        )
        with self._database.reading():
            return [
                Downloaded(decode_instant(row["hour_at"]), row["size_bytes"])
                for row in self._database.rows(query)
            ]
