"""Any history of alarms, receivers, time and kills: who heard of an alarm hears its end, once."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from collector.domain.alarm import Alarm, Notice, Severity, Word
from collector.ledger.ledger import Ledger
from collector.service.backoff import MAX_S
from collector.service.notices import Refusal, decide, tell
from collector.store.durable import sync_directory
from collector.watch.rules import MOMENTS
from collector.watch.telling import SETTLE

START = datetime(2026, 11, 25, 12, tzinfo=UTC)
REMIND = timedelta(days=1)
PAUSE = timedelta(seconds=MAX_S)
STEPS = (
    timedelta(seconds=10),
    timedelta(minutes=3),
    SETTLE,
    timedelta(hours=1),
    REMIND,
    -timedelta(hours=1),  # the clock is set back
    -40 * REMIND,
)
STATES = ["quota:journal", "disk:/archive"]
NAMES = ["office", "pager"]
THRESHOLDS = st.dictionaries(
    st.sampled_from(NAMES), st.sampled_from(Severity), min_size=1, max_size=2
)


class Line(Enum):
    """How a receiver is reached."""

    UP = "up"
    DOWN = "down"
    LATE = "it arrives after we gave it up"
    LOST = "it does not arrive, and nobody says so"


class Kill(Enum):
    """When the program is killed."""

    DECIDED = "between deciding and telling"
    BEFORE = "as a notice leaves"
    AFTER = "after a notice arrived"


class KilledError(Exception):
    """The program ends here."""


@dataclass(slots=True)
class Person:
    """What one receiver knows.

    Attributes:
        believes: topic to how bad, and when he was told so.
        doubted: topics that the program may tell him twice, because it cannot know.
        moments: topics of what he was told that it happened.
    """

    line: Line = Line.UP
    believes: dict[str, tuple[Severity, datetime]] = field(default_factory=dict)
    doubted: set[str] = field(default_factory=set)
    moments: set[str] = field(default_factory=set)


class AlarmMachine(RuleBasedStateMachine):
    """A world that breaks and mends; the ledger is real, receivers keep what they hear."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "ledger.db"
        self.ledger = Ledger.open(self.path, create=True, sync_directory=sync_directory)
        self.now = START
        self.present: dict[str, Alarm] = {}
        self.receivers = {"office": Severity.WARNING, "pager": Severity.CRITICAL}
        self.people = {name: Person() for name in NAMES}
        self.due_moments: set[tuple[str, str]] = set()
        self.moments_count = 0
        self.kill: Kill | None = None

    def teardown(self) -> None:
        """The world mends and everybody can be reached: all is told, and nothing is kept."""
        self.present.clear()
        for person in self.people.values():
            person.line = Line.UP
        for _ in range(3):
            self.now += PAUSE
            self.look(None)
        memory = self.ledger.memory
        assert (memory.alarms(), memory.notices(), memory.heard()) == ([], [], [])
        assert [person.believes for person in self.people.values()] == [{}, {}]
        assert all(topic in self.people[name].moments for name, topic in self.due_moments)
        self.ledger.close()
        self.directory.cleanup()

    @rule(topic=st.sampled_from(STATES), severity=st.sampled_from(Severity))
    def raise_alarm(self, topic: str, severity: Severity) -> None:
        """A cause is there, or is as bad as it was not."""
        kind, _, subject = topic.partition(":")
        self.present[topic] = Alarm(kind, subject, severity, "problem", "hint")

    @rule()
    def happen(self) -> None:
        """Something happens: it is shown for a while."""
        self.moments_count += 1
        alarm = Alarm("gap", str(self.moments_count), Severity.WARNING, "problem", "hint")
        assert alarm.kind in MOMENTS
        self.present[alarm.key] = alarm

    @precondition(lambda self: self.present)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        """A cause is gone."""
        del self.present[data.draw(st.sampled_from(sorted(self.present)))]

    @rule(name=st.sampled_from(NAMES), line=st.sampled_from(Line))
    def reach(self, name: str, line: Line) -> None:
        """A receiver breaks, or is back."""
        self.people[name].line = line

    @rule(step=st.sampled_from(STEPS))
    def wait(self, step: timedelta) -> None:
        """Nobody looks for a while."""
        self.now += step

    @precondition(lambda self: self.present)
    @rule()
    def mend(self) -> None:
        """Nothing is wrong for so long that all is over."""
        self.present.clear()
        for _ in range(2):
            self.look(None)
            self.now += PAUSE
        self.look(None)

    @rule(topic=st.sampled_from(STATES), severity=st.sampled_from(Severity))
    def worsen(self, topic: str, severity: Severity) -> None:
        """A cause is there, and is seen."""
        self.raise_alarm(topic, severity)
        self.look(None)

    @rule(receivers=THRESHOLDS)
    def configure(self, receivers: dict[str, Severity]) -> None:
        """Receivers come and go, or want to hear of other alarms; the program starts anew."""
        same = {name for name in receivers if receivers[name] is self.receivers.get(name)}
        self.due_moments = {each for each in self.due_moments if each[0] in same}
        self.receivers = receivers
        for name in set(NAMES) - set(receivers):
            self.people[name] = Person(self.people[name].line)
        self.restart()
        self.look(None)  # what a receiver heard is forgotten when he is seen to be none

    @rule()
    def restart(self) -> None:
        """The program ends and starts."""
        before = self.ledger
        self.ledger = Ledger.open(self.path, create=False, sync_directory=sync_directory)
        before.close()

    @rule(kill=st.none() | st.sampled_from(Kill))
    def look(self, kill: Kill | None) -> None:
        """The program looks and tells; it may be killed meanwhile."""
        self.kill, memory = kill, self.ledger.memory
        decide(memory, self.present.values(), self.receivers, self.now, REMIND)
        for name, least in self.receivers.items():
            happened = [each for each in self.present.values() if each.kind in MOMENTS]
            heard = [each.key for each in happened if not least.exceeds(each.severity)]
            self.due_moments |= {(name, topic) for topic in heard}
        if kill is Kill.DECIDED:
            self.restart()
            return
        early = {each.receiver for each in memory.notices() if each.try_at > self.now}
        try:
            tell(memory, self.deliver, lambda: self.now, lambda: False)
        except KilledError:
            self.restart()
            return
        for name in set(self.receivers) - early:
            if self.people[name].line is Line.UP:
                self.knows_all(name)

    def knows_all(self, name: str) -> None:
        """Who can be reached knows how things stand, and nothing waits for him."""
        memory, person = self.ledger.memory, self.people[name]
        assert [each for each in memory.notices() if each.receiver == name] == []
        for topic, alarm in self.present.items():
            if alarm.kind not in MOMENTS and not self.receivers[name].exceeds(alarm.severity):
                assert not alarm.severity.exceeds(person.believes[topic][0])
        assert set(person.believes) <= {each.alarm.key for each in memory.alarms()}

    def deliver(self, name: str, notices: Sequence[Notice]) -> Refusal | None:
        """Be the receiver."""
        person = self.people[name]
        arrives = person.line in {Line.UP, Line.LATE} and self.kill is not Kill.BEFORE
        if arrives:
            for each in notices:
                self.hear(person, self.receivers[name], each)
        person.doubted |= {each.topic for each in notices}
        if self.kill is not None:
            raise KilledError
        if person.line is Line.UP:
            person.doubted -= {each.topic for each in notices}
            return None
        if person.line is Line.DOWN:
            return Refusal("refused")
        return Refusal("not done in time", doubtful=True)

    def hear(self, person: Person, least: Severity, notice: Notice) -> None:
        """Take one notice, and complain of what does not follow from those before."""
        topic, doubted = notice.topic, notice.topic in person.doubted
        if topic.partition(":")[0] in MOMENTS:
            assert notice.word is Word.ALARM
            assert topic not in person.moments or doubted
            person.moments.add(topic)
            return
        before = person.believes.get(topic)
        if notice.word is Word.ALL_CLEAR:
            assert doubted or (before is not None and notice.severity is before[0])
            assert topic not in self.present
            person.believes.pop(topic, None)
            return
        assert not least.exceeds(notice.severity)
        if topic in self.present:
            assert notice.severity is self.present[topic].severity
        if notice.word is Word.REMINDER:
            assert before is not None
            assert abs(self.now - before[1]) >= REMIND or doubted
        else:
            assert before is None or notice.severity.exceeds(before[0]) or doubted
        person.believes[topic] = (notice.severity, self.now)


AlarmMachine.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    report_multiple_bugs=False,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
test_everybody_hears_what_concerns_him_once = AlarmMachine.TestCase
