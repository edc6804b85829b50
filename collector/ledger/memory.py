"""What the watch over the archive remembers, as the edges use it.

Rule: what a method writes is durable when it returns, all of it or nothing.  Nothing
that is kept here is evidence, and no message depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from collector.domain.alarm import Alarm, Heard, KnownAlarm, Notice, Severity, Word
from collector.ledger import readings, traffic
from collector.ledger.database import VALUE, LedgerDatabase, Row, written
from collector.ledger.encoding import (
    decode_instant,
    decode_optional,
    decode_text,
    encode_instant,
    encode_optional,
    encode_text,
)
from collector.ledger.exposures import exposed_s
from collector.ledger.memory_models import Alarm as AlarmTable
from collector.ledger.memory_models import Heard as HeardTable
from collector.ledger.memory_models import Notice as NoticeTable
from collector.ledger.rows import mailbox_of
from collector.ledger.watched import Exposed, Reading, TrafficHour, TrafficTotal

PROOFS_MAX = 1_000
"""The latest proofs that an exposure is told of."""

_ALARMS = written(AlarmTable.select().order_by(AlarmTable.began_at, AlarmTable.kind))
_PUT_ALARM = """
INSERT INTO alarms (kind, subject, severity, problem, hint, began_at, told_at, gone_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (kind, subject) DO UPDATE SET severity = excluded.severity,
    problem = excluded.problem, hint = excluded.hint, began_at = excluded.began_at,
    told_at = excluded.told_at, gone_at = excluded.gone_at
"""
_REMOVE_ALARM = written(
    AlarmTable.delete().where(AlarmTable.kind == VALUE, AlarmTable.subject == VALUE)
)
_NOTICES = written(NoticeTable.select().order_by(NoticeTable.made_at, NoticeTable.topic))
_PUT_NOTICE = """
INSERT INTO notices (receiver, topic, word, severity, text, made_at, try_at, attempts)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (receiver, topic) DO UPDATE SET word = excluded.word, severity = excluded.severity,
    text = excluded.text, made_at = excluded.made_at, try_at = excluded.try_at,
    attempts = excluded.attempts
"""
_REMOVE_NOTICE = written(
    NoticeTable.delete().where(NoticeTable.receiver == VALUE, NoticeTable.topic == VALUE)
)
_HEARD = written(HeardTable.select().order_by(HeardTable.receiver, HeardTable.topic))
_PUT_HEARD = """
INSERT INTO heard (receiver, topic, severity, at, certain) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (receiver, topic) DO UPDATE SET severity = excluded.severity, at = excluded.at,
    certain = excluded.certain
"""
_REMOVE_HEARD = written(
    HeardTable.delete().where(HeardTable.receiver == VALUE, HeardTable.topic == VALUE)
)
_EXPOSED = """
SELECT f.mailbox, f.folder, p.proven_at, r.internal_date FROM proofs p
JOIN receipts r ON r.seq = p.seq JOIN folders f ON f.id = r.folder_id
WHERE p.id > (SELECT COALESCE(MAX(id), 0) FROM proofs) - ? AND r.internal_date IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM proofs q WHERE q.seq = p.seq AND q.id < p.id)
ORDER BY f.mailbox, f.folder
"""


@dataclass(frozen=True, slots=True)
class Memory:
    """Traffic, readings, alarms and notices of one ledger."""

    database: LedgerDatabase

    def traffic(self, since: datetime) -> list[TrafficHour]:
        """Return every hour since then in which anything came, by folder."""
        with self.database.reading():
            return traffic.traffic_since(self.database, since)

    def traffic_totals(self) -> list[TrafficTotal]:
        """Return what each folder's traffic came to since its first message."""
        with self.database.reading():
            return traffic.traffic_totals(self.database)

    def exposures(self) -> list[Exposed]:
        """Return how long the messages of the latest proofs lay in their folders."""
        found: dict[tuple[str, str], list[float]] = {}
        with self.database.reading():
            for row in self.database.named(_EXPOSED, [PROOFS_MAX]):
                if (each_s := exposed_s(row)) is not None:
                    found.setdefault((row["mailbox"], row["folder"]), []).append(each_s)
        return [Exposed(mailbox_of(*key), tuple(sorted(each))) for key, each in found.items()]

    def note_reading(self, subject: str, name: str, at: datetime, /, **facts: object) -> None:
        """Keep what was seen of ``subject``, as JSON; it takes the place of the last."""
        with self.database.writing():
            readings.put_reading(self.database, subject, name, at, facts)

    def readings(self) -> list[Reading]:
        """Return everything that was seen, by subject and name."""
        with self.database.reading():
            return readings.readings(self.database)

    def reading(self, subject: str, name: str) -> Reading | None:
        """Return what was last seen, ``None`` when nothing was."""
        with self.database.reading():
            return readings.find_reading(self.database, subject, name)

    def alarms(self) -> list[KnownAlarm]:
        """Return the alarms that were told, those whose cause has just gone too, oldest first."""
        with self.database.reading():
            return [_decode_alarm(row) for row in self.database.named(_ALARMS, [])]

    def notices(self) -> list[Notice]:
        """Return what is still to be told, oldest first."""
        with self.database.reading():
            return [_decode_notice(row) for row in self.database.named(_NOTICES, [])]

    def heard(self) -> list[Heard]:
        """Return what receivers were told whose end they were not told yet."""
        with self.database.reading():
            return [_decode_heard(row) for row in self.database.named(_HEARD, [])]

    def note_alarms(
        self,
        kept: Sequence[KnownAlarm],
        over: Sequence[KnownAlarm],
        notices: Sequence[Notice],
        obsolete: Sequence[Notice],
        forgotten: Sequence[Heard] = (),
    ) -> None:
        """Write down how alarms stand and what is to be told of it, in one transaction.

        Args:
            kept: new or changed.
            over: forgotten.
            notices: new, or in the place of those with the same receiver and topic.
            obsolete: no longer to be told.
            forgotten: what somebody heard and will be told no end of.
        """
        with self.database.writing():
            self.database.each(_PUT_ALARM, map(_alarm_row, kept))
            gone = ((each.alarm.kind, encode_text(each.alarm.subject)) for each in over)
            self.database.each(_REMOVE_ALARM, gone)
            self.database.each(_REMOVE_NOTICE, map(_notice_key, obsolete))
            self.database.each(_PUT_NOTICE, map(_notice_row, notices))
            self.database.each(_REMOVE_HEARD, map(_notice_key, forgotten))

    def note_delivery(
        self,
        told: Sequence[Notice] = (),
        put_off: Sequence[Notice] = (),
        heard: Sequence[Heard] = (),
        unheard: Sequence[Notice] = (),
    ) -> None:
        """Write down how far a delivery came, in one transaction.

        Args:
            told: delivered.
            put_off: to be tried again later.
            heard: what a receiver knows, or may know.
            unheard: of whose topics the receiver has nothing open any more.
        """
        with self.database.writing():
            self.database.each(_REMOVE_NOTICE, map(_notice_key, told))
            self.database.each(_PUT_NOTICE, map(_notice_row, put_off))
            self.database.each(_REMOVE_HEARD, map(_notice_key, unheard))
            self.database.each(_PUT_HEARD, map(_heard_row, heard))


def _alarm_row(known: KnownAlarm) -> tuple[object, ...]:
    alarm = known.alarm
    return (
        alarm.kind,
        encode_text(alarm.subject),
        alarm.severity.value,
        encode_text(alarm.problem),
        encode_text(alarm.hint),
        encode_instant(known.began_at),
        encode_instant(known.told_at),
        encode_optional(known.gone_at),
    )


def _decode_alarm(row: Row) -> KnownAlarm:
    subject, problem, hint = (decode_text(row[name]) for name in ("subject", "problem", "hint"))
    return KnownAlarm(
        alarm=Alarm(row["kind"], subject, Severity(row["severity"]), problem, hint),
        began_at=decode_instant(row["began_at"]),
        told_at=decode_instant(row["told_at"]),
        gone_at=decode_optional(row["gone_at"]),
    )


def _notice_key(about: Notice | Heard) -> tuple[str, str]:
    return about.receiver, encode_text(about.topic)


def _notice_row(notice: Notice) -> tuple[object, ...]:
    return (
        *_notice_key(notice),
        notice.word.value,
        notice.severity.value,
        encode_text(notice.text),
        encode_instant(notice.made_at),
        encode_instant(notice.try_at),
        notice.attempts,
    )


def _decode_notice(row: Row) -> Notice:
    return Notice(
        receiver=row["receiver"],
        topic=decode_text(row["topic"]),
        word=Word(row["word"]),
        severity=Severity(row["severity"]),
        text=decode_text(row["text"]),
        made_at=decode_instant(row["made_at"]),
        try_at=decode_instant(row["try_at"]),
        attempts=row["attempts"],
    )


def _heard_row(heard: Heard) -> tuple[object, ...]:
    return (
        *_notice_key(heard),
        heard.severity.value,
        encode_instant(heard.at),
        heard.certain,
    )


def _decode_heard(row: Row) -> Heard:
    return Heard(
        receiver=row["receiver"],
        topic=decode_text(row["topic"]),
        severity=Severity(row["severity"]),
        at=decode_instant(row["at"]),
        certain=bool(row["certain"]),
    )
