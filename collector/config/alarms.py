"""``[alarms]`` and ``[metrics]``: what a person is told of, when, and where.

Rule: the defaults of all limits are those of ``watch.limits``.  Addresses of receivers are
secrets: only where they are found stands in the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, time
from math import inf
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    StrictInt,
    field_validator,
    model_validator,
)

from collector.config.password import Password, PasswordFile, PasswordVariable, SecretFile
from collector.config.values import Bytes, Seconds, Section, Text, Texts, refused, seconds, within
from collector.domain.hosts import is_loopback
from collector.watch.limits import DAY_S, HOUR_S, Limits
from collector.watch.office_hours import OfficeHours

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_YEARLY = re.compile(r"(\d\d)-(\d\d)")
_LISTEN = re.compile(r"(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})")
_LEAP_YEAR = 2024
DEFAULT = Limits()


def _patience(value: object) -> float:
    return inf if value == "never" else seconds(value)


def _clock(value: object) -> time:
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise refused("this is not a time of day", 'write hours and minutes: "07:00"')
    return time(int(match[1]), int(match[2]))


def _day(value: object) -> date | tuple[int, int]:
    try:
        if isinstance(value, str) and (yearly := _YEARLY.fullmatch(value)):
            day = date(_LEAP_YEAR, int(yearly[1]), int(yearly[2]))
            return day.month, day.day
        return value if type(value) is date else date.fromisoformat(str(value))
    except ValueError:
        hint = 'write "2026-12-24", or "12-25" for every year'
        raise refused("this is not a day", hint) from None


def _days(value: object) -> tuple[date | tuple[int, int], ...]:
    if not isinstance(value, list | tuple):
        raise refused("this is not a list", 'write ["12-25", "2026-12-24"]')
    return tuple(map(_day, value))


Patience = Annotated[float, BeforeValidator(_patience)]
Clock = Annotated[time, BeforeValidator(_clock)]
Days = Annotated[tuple[date | tuple[int, int], ...], BeforeValidator(_days), Field(max_length=1000)]
Names = dict[Text, Text]


class CalendarSettings(Section):
    """When mail is expected, and how long none may come; ``None``: as in ``[alarms]``."""

    silence_max_s: Annotated[Patience | None, Field(alias="silence_max")] = None
    office_hours: Text | None = None
    office_days: Annotated[Texts, Field(max_length=7)] | None = None
    holidays: Days | None = None
    timezone: Text | None = None

    @field_validator("office_hours")
    @classmethod
    def _span(cls, text: str | None) -> str | None:
        if text not in {None, "always"}:
            _opening(text or "")
        return text

    @field_validator("office_days")
    @classmethod
    def _weekdays(cls, days: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if days is not None and not set(days) <= set(DAYS):
            raise refused("this is not a day of the week", f"possible are {', '.join(DAYS)}")
        return days

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        try:
            if name is not None:
                ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise refused("this time zone is not known here", 'write "Europe/Berlin"') from None
        return name

    def calendar(self, default: OfficeHours) -> OfficeHours:
        """Return these office hours; what is not told is as in ``default``."""
        changes: dict[str, Any] = {}
        if self.office_hours is not None:
            changes["opens"], changes["closes"] = _opening(self.office_hours)
        if self.office_days is not None:
            changes["weekdays"] = frozenset(map(DAYS.index, self.office_days))
        if self.holidays is not None:
            days = self.holidays
            changes["holidays"] = frozenset(each for each in days if isinstance(each, date))
            changes["yearly"] = frozenset(each for each in days if isinstance(each, tuple))
        if self.timezone is not None:
            changes["zone"] = ZoneInfo(self.timezone)
        return replace(default, **changes)


def _opening(text: str) -> tuple[time, time]:
    """Return when an office opens and closes."""
    if text == "always":
        return time(), time()
    match = _HOURS.fullmatch(text)
    hour, minute = (int(match[3]), int(match[4])) if match else (0, 0)
    if match is None or (hour == 24 and minute):
        raise refused("these are no office hours", 'write "08:00-18:00", or "always"')
    return time(int(match[1]), int(match[2])), time(hour % 24, minute)


class AlarmSettings(CalendarSettings):
    """``[alarms]``: from when on a person is told, and how he is reached."""

    silence_max_s: Annotated[Patience | None, Field(alias="silence_max")] = 8 * HOUR_S
    receivers: Names = Field(default_factory=dict)
    receiver_variables: Names = Field(default_factory=dict)
    critical_only: Texts = ()
    remind_after_s: Annotated[
        Seconds, Field(alias="remind_after"), within(HOUR_S, 30 * DAY_S, "1h to 30d")
    ] = DAY_S
    daily_summary: Clock | None = None
    ping_url_file: Path | None = None
    ping_url_env: Text | None = None
    backlog_count: Annotated[StrictInt, Field(alias="backlog_max", ge=1)] = DEFAULT.backlog_count
    oldest_s: Annotated[Seconds, Field(alias="oldest_max")] = DEFAULT.oldest_s
    quota_percent: Annotated[StrictInt, Field(alias="quota_max", ge=1, le=100)] = 80
    unreachable_s: Annotated[Seconds, Field(alias="unreachable_max")] = DEFAULT.unreachable_s
    throttled_s: Annotated[Seconds, Field(alias="throttled_max")] = DEFAULT.throttled_s
    not_polled_s: Annotated[Seconds, Field(alias="not_polled_max")] = DEFAULT.not_polled_s
    disk_s: Annotated[Seconds, Field(alias="disk_forecast_min")] = DEFAULT.disk_s
    free_bytes: Annotated[Bytes, Field(alias="disk_free_min")] = DEFAULT.free_bytes
    verify_s: Annotated[Seconds, Field(alias="verify_max")] = DEFAULT.verify_s
    checkpoint_s: Annotated[Seconds, Field(alias="checkpoint_max")] = DEFAULT.checkpoint_s
    stamp_s: Annotated[Seconds, Field(alias="stamp_max")] = DEFAULT.stamp_s
    expiry_s: Annotated[Seconds, Field(alias="expiry_min")] = DEFAULT.expiry_s
    expires_on: dict[Text, date] = Field(max_length=100, default_factory=dict)
    _directory: Path = PrivateAttr(default=Path())

    def model_post_init(self, context: Any, /) -> None:  # noqa: ANN401 - pydantic's signature
        """Keep the folder of the file, where relative names are looked up."""
        if context:
            self._directory = context["directory"]

    @property
    def limits(self) -> Limits:
        """The limits as the rules take them."""
        names = set(Limits.__dataclass_fields__)
        return Limits(**{name: getattr(self, name) for name in names})

    @property
    def receiver_urls(self) -> Mapping[str, Password]:
        """What tells the address of each receiver, by his name; read afresh at every call."""
        files = {
            name: PasswordFile(SecretFile(Path(file), self._directory, "URL"))
            for name, file in self.receivers.items()
        }
        variables = {
            name: PasswordVariable(variable, "URL")
            for name, variable in self.receiver_variables.items()
        }
        return {**files, **variables}

    @property
    def ping_url(self) -> Password | None:
        """What tells where a good cycle is reported, ``None`` when nowhere."""
        if self.ping_url_file is not None:
            return PasswordFile(SecretFile(self.ping_url_file, self._directory, "URL"))
        return PasswordVariable(self.ping_url_env, "URL") if self.ping_url_env else None

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        if twice := set(self.receivers) & set(self.receiver_variables):
            what = f"the receiver {min(twice)} has two addresses"
            raise refused(what, "give a file or a variable", "receiver_variables")
        if unknown := set(self.critical_only) - {*self.receivers, *self.receiver_variables}:
            what = f"there is no receiver {min(unknown)}"
            raise refused(what, "name one of receivers or receiver_variables", "critical_only")
        if self.ping_url_file is not None and self.ping_url_env is not None:
            raise refused("there are two addresses", "give one of them", "ping_url_env")
        return self


class MetricsSettings(Section):
    """``[metrics]``: where figures are served for Prometheus."""

    listen: Text | None = None

    @field_validator("listen")
    @classmethod
    def _address(cls, listen: str | None) -> str | None:
        if listen is not None:
            match = _LISTEN.fullmatch(listen)
            if match is None or not 0 < int(match["port"]) < 2**16:
                raise refused("this is not an address to listen on", 'write "127.0.0.1:9590"')
        return listen

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port, ``None`` when nothing is served."""
        if self.listen is None:
            return None
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def is_open(self) -> bool:
        """Whether others than this machine may reach it."""
        return self.address is not None and not is_loopback(self.address[0])
