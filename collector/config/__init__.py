"""What an administrator wrote, as checked and frozen values.

Rule: a wrong configuration is refused before anything is opened, with one line that
says what, which key in which file, and what to do.  No secret is kept in here:
passwords are read afresh by whoever connects.
"""

from collector.config.alarms import AlarmSettings, MetricsSettings
from collector.config.evidence import EvidenceSettings
from collector.config.file import find_config, load
from collector.config.oauth import OauthSettings
from collector.config.settings import ArchiveSettings, LogSettings, MailboxSettings, Settings
from collector.config.shown import shown_settings

__all__ = [
    "AlarmSettings",
    "ArchiveSettings",
    "EvidenceSettings",
    "LogSettings",
    "MailboxSettings",
    "MetricsSettings",
    "OauthSettings",
    "Settings",
    "find_config",
    "load",
    "shown_settings",
]
