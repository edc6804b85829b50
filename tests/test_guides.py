"""The set-up guides, English and German, against each other and against the program."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_docs import FENCE, commands_in, text_of, unknown_in

from collector.config import MailboxSettings, load
from collector.domain.blob import RawBytes
from collector.domain.journal import Kind, Trust, Unwrapped
from collector.formats.unwrap import unwrap
from collector.service.assemble import profile_of

DOCS = Path(__file__).resolve().parent.parent / "docs"
ENGLISH, GERMAN = DOCS / "guides", DOCS / "leitfaden"
BOTH = sorted([*ENGLISH.glob("*.md"), *GERMAN.glob("*.md")])
NAMES = sorted(path.name for path in ENGLISH.glob("*.md"))
SYSTEMS = [name for name in NAMES if name not in {"README.md", "acceptance-test.md"}]
ARCHIVE = '[archive]\npath = "archive"\n'
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
ANCHOR = re.compile(r"\]\(([^)#:]*)#([^)]+)\)")
COMMENT = re.compile(r"(?:^|\s)\s*# .*$", re.MULTILINE)
CLAIMS = ("tamper-proof", "gobd-certified", "gobd-zertifiziert", "rechtssicher", "revisionssicher")


def name_of(path: Path) -> str:
    """Return a guide's folder and name."""
    return f"{path.parent.name}/{path.name}"


def headings_of(path: Path) -> list[tuple[int, str]]:
    """Return level and text of every heading; what stands in code is none."""
    return [(len(marks), text) for marks, text in HEADING.findall(FENCE.sub("", text_of(path)))]


def blocks_of(path: Path) -> list[tuple[str, str]]:
    """Return language and text of every code block, without its comments."""
    return [(language, COMMENT.sub("", block)) for language, block in FENCE.findall(text_of(path))]


def mailboxes_of(path: Path, folder: Path) -> list[tuple[MailboxSettings, ...]]:
    """Load every configuration that a guide shows, below an ``[archive]``."""
    loaded = []
    for language, block in FENCE.findall(text_of(path)):
        if language == "toml":
            file = folder / "collector.toml"
            file.write_text(ARCHIVE + block, encoding="utf-8")
            loaded.append(load(file).mailboxes)
    return loaded


def slug(heading: str) -> str:
    """Return the anchor of a heading as GitHub and GitLab make it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_both_languages_have_the_same_guides():
    """Every guide is there in English and in German, under the same name."""
    assert sorted(path.name for path in GERMAN.glob("*.md")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_have_the_same_headings(name):
    """A guide and its counterpart have the same levels of headings in the same order."""
    english, german = headings_of(ENGLISH / name), headings_of(GERMAN / name)
    assert [level for level, _ in english] == [level for level, _ in german]


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_show_the_same_commands(name):
    """Commands and files to copy are the same in both languages, but for comments."""
    assert blocks_of(ENGLISH / name) == blocks_of(GERMAN / name)


@pytest.mark.parametrize("folder", [ENGLISH, GERMAN], ids=lambda folder: folder.name)
def test_all_guides_are_built_alike(folder):
    """The guides of one language have the same sections; the index names every guide."""
    first, *others = [headings_of(folder / name)[1:] for name in SYSTEMS]
    assert all(sections == first for sections in others)
    index = text_of(folder / "README.md")
    assert [name for name in SYSTEMS if f"]({name})" not in index] == []


@pytest.mark.parametrize("path", BOTH, ids=name_of)
def test_a_guide_is_short(path):
    """Nobody reads more than 150 lines before the first mail; less than 60 leaves out traps."""
    assert 60 <= len(text_of(path).splitlines()) <= 150


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_configuration_loads(name, tmp_path):
    """Each guide shows a configuration, each of them loads, and both languages mean the same."""
    english = mailboxes_of(ENGLISH / name, tmp_path)
    assert english
    assert english == mailboxes_of(GERMAN / name, tmp_path)


@pytest.mark.parametrize("path", BOTH, ids=name_of)
def test_every_command_exists(path):
    """Every ``collector ...`` in a guide is a command of the program with its options."""
    commands = list(commands_in(path, "collector"))
    assert commands
    assert [each for each in commands if unknown_in(each)] == []


@pytest.mark.parametrize("path", BOTH, ids=name_of)
def test_anchors_lead_to_headings(path):
    """Every link to a section leads to a heading of that guide."""
    for target, anchor in ANCHOR.findall(text_of(path)):
        guide = path.parent / target if target else path
        assert anchor in {slug(text) for _, text in headings_of(guide)}


@pytest.mark.parametrize("path", BOTH, ids=name_of)
def test_a_guide_claims_nothing_it_cannot_keep(path):
    """Words that promise what no program can promise stand in no guide."""
    text = text_of(path).lower()
    assert [claim for claim in CLAIMS if claim in text] == []


BY_POSTFIX = """\
Received: from mx.example.com (mx.example.com [192.0.2.10])
\tby mx.archive.example (Postfix) with ESMTPS id 6FA1754B
\tfor <journal@archive.example>; Wed, 25 Nov 2026 02:45:45 +0000 (UTC)
"""
BY_GOOGLE = BY_POSTFIX.replace("mx.example.com", "mail-ed1-f97.google.com")
BY_MICROSOFT = BY_POSTFIX.replace("mx.example.com", "mail-db5.outbound.protection.outlook.com")
BY_SENDING_SERVER = """\
Received: from client.example.net ([203.0.113.9] helo=client.example.net)
\tby mx.example.com with esmtps id 1xW30z-0000LT-1I;
\tWed, 25 Nov 2026 02:45:45 +0000
"""
SENDER = "bounce@client.example.net"
JOURNAL, ANNA, BEN = "journal@archive.example", "anna@example.com", "ben@example.com"
ANNAS_COPY = "journal+anna=example.com@archive.example"
TO_MANY = ",".join(f"employee-{number:02}@example.com" for number in range(12))[:255]
AUTHORED = """\
X-Original-To: stranger@example.org
Received: from phone (phone [198.51.100.7]) by client.example.net; Wed, 25 Nov 2026 03:45:44 +0100
Delivered-To: stranger@example.org
Envelope-to: stranger@example.org
X-Envelope-To: stranger@example.org
X-Gm-Original-To: stranger@example.org
From: Bob <bob@client.example.net>
To: anna@example.com
Subject: jt-2026-11-25 4
Message-ID: <4@client.example.net>

Hello.
"""
"""A mail as its sender can make it, with every field that a server might write as well."""


def by_dovecot(recipient: str, sender: str = SENDER) -> str:
    """Return what Dovecot's LMTP puts in front; a delivery to several (``""``) names none."""
    delivered, told = f"Delivered-To: {recipient}\n", f"\n\tfor <{recipient}>"
    return (
        f"Return-Path: <{sender}>\n{delivered if recipient else ''}"
        f"Received: from mx.archive.example\n\tby imap.archive.example with LMTP\n"
        f"\tid qGmkHNlLBmvlAQAAg\n\t(envelope-from <{sender}>)"
        f"{told if recipient else ''}; Wed, 25 Nov 2026 02:45:45 +0000\n"
    )


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy as it arrives, and what is to be read of it.

    Attributes:
        guide: whose configuration is used.
        header: what servers wrote in front of the authored mail.
        recipients: that are told as recorded.
        source: the field they are read from.
        block: which of the guide's ``[[mailbox]]`` blocks.
        flags: of the copy.
    """

    guide: str
    header: str
    recipients: tuple[str, ...] = ()
    source: str = ""
    block: int = 0
    flags: tuple[str, ...] = ()


UNKNOWN = ("envelope-unknown",)
AT_JOURNAL = by_dovecot(JOURNAL) + BY_POSTFIX
AT_OWN_SERVER = f"Return-Path: <{SENDER}>\n"
AT_HMAILSERVER = f"Return-Path: {SENDER}\n"
COPIES = {
    "postfix": Copy("postfix", by_dovecot(ANNAS_COPY) + BY_POSTFIX, (ANNA,), "delivered-to"),
    "postfix-delivers": Copy(
        "postfix",
        f"{AT_OWN_SERVER}X-Original-To: {ANNAS_COPY}\nDelivered-To: {JOURNAL}\n{BY_POSTFIX}",
        (ANNA,),
        "x-original-to",
    ),
    "postfix-always-bcc": Copy("postfix", AT_JOURNAL, flags=UNKNOWN),
    "exim": Copy(
        "exim",
        f"{AT_JOURNAL}Envelope-to: {BEN},\n {ANNA}\n{BY_SENDING_SERVER}",
        (BEN, ANNA),
        "envelope-to",
    ),
    "exim-below": Copy(
        "exim", f"{AT_JOURNAL}{BY_SENDING_SERVER}Envelope-to: {BEN}\n", flags=UNKNOWN
    ),
    "dovecot": Copy(
        "dovecot-journal-mailbox", by_dovecot(ANNAS_COPY) + BY_POSTFIX, (ANNA,), "delivered-to"
    ),
    "dovecot-to-several": Copy(
        "dovecot-journal-mailbox", by_dovecot("") + BY_POSTFIX, flags=UNKNOWN
    ),
    "mailcow": Copy(
        "mailcow", by_dovecot(ANNAS_COPY) + BY_POSTFIX + BY_SENDING_SERVER, (ANNA,), "delivered-to"
    ),
    "hmailserver": Copy(
        "hmailserver",
        f"{AT_HMAILSERVER}Delivered-To: {ANNA},{BEN}\n{BY_SENDING_SERVER}",
        (ANNA, BEN),
        "delivered-to",
    ),
    "hmailserver-to-many": Copy(
        "hmailserver",
        f"{AT_HMAILSERVER}Delivered-To: {TO_MANY}\n{BY_SENDING_SERVER}",
        tuple(TO_MANY.split(",")[:-1]),
        "delivered-to",
        block=1,
        flags=("recipients-truncated",),
    ),
    "mdaemon": Copy(
        "mdaemon", f"{AT_JOURNAL}X-MDRcpt-To: {BEN}\n{BY_SENDING_SERVER}", (BEN,), "x-mdrcpt-to"
    ),
    "mdaemon-below": Copy(
        "mdaemon", f"{AT_JOURNAL}{BY_SENDING_SERVER}X-MDaemon-Deliver-To: {BEN}\n", flags=UNKNOWN
    ),
    "kerio": Copy("kerio-connect", AT_JOURNAL + BY_SENDING_SERVER, flags=UNKNOWN),
    "kerio-local": Copy(
        "kerio-connect",
        f"{AT_OWN_SERVER}X-Envelope-To: {BEN}\n{BY_SENDING_SERVER}",
        (BEN,),
        "x-envelope-to",
        block=1,
    ),
    "google": Copy(
        "google-workspace",
        f"{by_dovecot(JOURNAL)}{BY_GOOGLE}X-Gm-Original-To: {BEN}\n{BY_SENDING_SERVER}",
        (BEN,),
        "x-gm-original-to",
    ),
}


def as_configured(guide: str, block: int, folder: Path, text: str) -> Unwrapped:
    """Read a message as the ``[[mailbox]]`` block of a guide has it read."""
    loaded = mailboxes_of(ENGLISH / f"{guide}.md", folder)
    mailbox = [each for mailboxes in loaded for each in mailboxes][block]
    return unwrap(RawBytes(text.replace("\n", "\r\n").encode()), profile_of(mailbox))


def recorded_in(unwrapped: Unwrapped) -> dict[str, str]:
    """Return the recipients that a server recorded, and the field each was read from."""
    recipients = unwrapped.envelope.recipients
    return {each.address: each.source for each in recipients if not each.derived}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_a_copy_is_read_as_its_guide_says(copy, tmp_path):
    """Lines of the guide's own servers tell sender and recipients; a stranger's never do."""
    unwrapped = as_configured(copy.guide, copy.block, tmp_path, copy.header + AUTHORED)
    assert unwrapped.kind is Kind.COPY
    assert unwrapped.envelope.sender == SENDER
    assert recorded_in(unwrapped) == dict.fromkeys(copy.recipients, copy.source)
    assert unwrapped.flags == copy.flags


REPORT = f"""\
Content-Type: multipart/mixed; boundary="report"
From: Bob <bob@client.example.net>
To: anna@example.com
Subject: jt-2026-11-25 4
MIME-Version: 1.0
Sender: <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.onmicrosoft.com>
Message-ID: <1d1f5b5e@journal.report.generator>
X-MS-Journal-Report:
X-OriginatorOrg: example.onmicrosoft.com

--report
Content-Type: text/plain

Sender: bob@client.example.net
Subject: jt-2026-11-25 4
Message-Id: <4@client.example.net>
To: anna@example.com
Bcc: ben@example.com

--report
Content-Type: message/rfc822

{AUTHORED}
--report--
"""
RETURN_PATH = "journal-ndr@archive.example"


@pytest.mark.parametrize(
    ("server", "return_path", "trust"),
    [
        (BY_MICROSOFT, RETURN_PATH, Trust.VERIFIED),
        (BY_POSTFIX, RETURN_PATH, Trust.CONFLICTING),
        (BY_MICROSOFT, "evil@example.org", Trust.CONFLICTING),
    ],
    ids=["genuine", "another-host", "another-return-path"],
)
def test_a_report_is_verified_as_its_guide_says(server, return_path, trust, tmp_path):
    """Only a report that comes as the guide for Microsoft 365 tells is verified."""
    text = by_dovecot(JOURNAL, return_path) + server + REPORT
    unwrapped = as_configured("microsoft-365", 0, tmp_path, text)
    assert (unwrapped.kind, unwrapped.trust) == (Kind.EXCHANGE, trust)
    assert recorded_in(unwrapped) == dict.fromkeys((ANNA, BEN), "report")


def test_a_returned_report_is_read_as_its_guide_says(tmp_path):
    """In the alternate mailbox the envelope of a report that comes back is not merely claimed."""
    bounce = f"""\
From: postmaster@example.com
Subject: Undeliverable: jt-2026-11-25 4
Content-Type: multipart/report; report-type=delivery-status; boundary="bounce"

--bounce
Content-Type: text/plain

The report could not be delivered.
--bounce
Content-Type: message/rfc822

{REPORT}
--bounce--
"""
    text = by_dovecot(RETURN_PATH, "") + BY_MICROSOFT + bounce
    unwrapped = as_configured("microsoft-365", 1, tmp_path, text)
    assert (unwrapped.kind, unwrapped.envelope.level) == (Kind.BOUNCE, 0)
    assert (unwrapped.trust, unwrapped.trust_reasons) == (Trust.UNVERIFIED, ("host-listed",))
    assert recorded_in(unwrapped) == dict.fromkeys((ANNA, BEN), "report")
