"""Looks whether those outside can be reached who shall get checkpoints, or take canaries.

Rule: nobody gets anything by this.  An authority stamps a fixed text, a mail server is
asked whether it would take the mail; a webhook has no such question and is not asked.
What does not work is a warning: no mail is collected less because of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from collector.config import Settings
from collector.config.mail import MailSettings
from collector.domain.errors import ConfigError, CycleError
from collector.domain.finding import Finding, Grade
from collector.evidence.submission import probe
from collector.evidence.timestamp import request_stamp
from collector.service.canary import relay_from
from collector.service.outside import authorities, mail_anchor

PROBE = b"collector check"
NAME = "outside"
CANARY = "canary"
CANARY_S_MAX = 15.0
"""For each server, whatever it does."""
CANARIES_S_MAX = 60.0


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


def check_canaries(settings: Settings) -> Iterator[Finding]:
    """Yield a finding for each mail server that canaries are sent by: it lets us in, or not."""
    used = {settings.canary.relay_of(each.name).name for each in settings.canary.paths}
    until_s = time.monotonic() + CANARIES_S_MAX
    for each in settings.canary.smtp:
        if each.name not in used:
            continue
        if time.monotonic() > until_s:
            what = f"not looked at: the servers before it took over {CANARIES_S_MAX:.0f} s"
            yield Finding(CANARY, each.name, Grade.WARNING, what, "mend those first")
            continue
        relay = replace(relay_from(each), timeout_s=CANARY_S_MAX)
        try:
            probe(relay)
        except (CycleError, ConfigError) as error:
            hint = error.hint or "canaries of its paths are not sent until it can be reached"
            yield Finding(CANARY, relay.name, Grade.WARNING, error.what, hint)
        else:
            fine = "it let us in" if relay.username else "it answers; there is no login"
            yield Finding(CANARY, relay.name, Grade.OK, f"{fine}; nothing was sent")


def _ask_to_mail(mail: MailSettings) -> None:
    mail_anchor(mail).probe()


def _asked(subject: str, ask: Callable[[], object], fine: str) -> Finding:
    try:
        ask()
    except (CycleError, ConfigError) as error:
        hint = error.hint or "checkpoints are shown as soon as it can be reached"
        return Finding(NAME, subject, Grade.WARNING, error.what, hint)
    return Finding(NAME, subject, Grade.OK, fine)
