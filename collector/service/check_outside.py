"""Looks whether those outside can be reached who shall get checkpoints.

Rule: nobody gets one by this.  An authority stamps a fixed text, a mail server is asked
whether it would take the mail; a webhook has no such question and is not asked.  What
does not work is a warning: no mail is collected less because of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial

from collector.config import Settings
from collector.config.mail import MailSettings
from collector.domain.errors import ConfigError, CycleError
from collector.domain.finding import Finding, Grade
from collector.evidence.timestamp import request_stamp
from collector.service.outside import authorities, mail_anchor

PROBE = b"collector check"
NAME = "outside"


def check_outside(settings: Settings) -> Iterator[Finding]:
    """Yield a finding for each authority and each anchor."""
    evidence = settings.evidence
    try:
        known = authorities(settings)
    except ConfigError as error:
        yield Finding(NAME, error.subject, Grade.WARNING, error.what, error.hint)
        known = []
    for authority in known:
        stamp = partial(request_stamp, authority, PROBE)
        yield _asked(authority.name, stamp, "stamps, and its certificates are those configured")
    for path in evidence.anchor_files:
        there = path if path.exists() else path.parent
        if os.access(there, os.W_OK):
            yield Finding(NAME, str(path), Grade.OK, "writable")
        else:
            hint = "is it mounted? the collector's user must be able to write it"
            yield Finding(NAME, str(path), Grade.WARNING, "not writable", hint)
    if evidence.mail.recipients:
        ask = partial(_ask_to_mail, evidence.mail)
        yield _asked(evidence.mail.host, ask, "takes mail for the recipients")


def _ask_to_mail(mail: MailSettings) -> None:
    mail_anchor(mail).probe()


def _asked(subject: str, ask: Callable[[], object], fine: str) -> Finding:
    try:
        ask()
    except (CycleError, ConfigError) as error:
        hint = error.hint or "checkpoints are shown as soon as it can be reached"
        return Finding(NAME, subject, Grade.WARNING, error.what, hint)
    return Finding(NAME, subject, Grade.OK, fine)
