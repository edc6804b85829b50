"""Vectors: plain copies and captures, and whose headers count (format reference, section 3)."""

from __future__ import annotations

from typing import Any

from report_samples import ORIGINAL, message_part, report
from vector import Vector
from vectors_recognition import COPY_ENVELOPE, copy, expect
from vectors_trust import RECEIVED


def _copy(
    name: str,
    about: str,
    raw: bytes,
    profile: dict[str, Any],
    *recipients: str,
    flags: tuple[str, ...] = (),
    sender: str = "billing@supplier.example",
    **differing: Any,
) -> Vector:
    written = COPY_ENVELOPE["recipients"]
    told = copy(raw, **differing)
    told["flags"] = sorted({*flags, *(() if recipients else ("envelope-unknown",))})
    told["envelope"] = {**COPY_ENVELOPE, "sender": sender, "recipients": [*recipients, *written]}
    return Vector(name, about, raw, told, profile)


def _copies() -> list[Vector]:
    path = b"Return-Path: <bounce@supplier.example>\r\n"
    sender = "bounce@supplier.example"

    def headed(fields: bytes, below: bytes = b"") -> bytes:
        return path + fields + RECEIVED + below + ORIGINAL

    journal = ["journal@archive.example"]
    long_list = ", ".join(f"user{number:03}@example.com" for number in range(20))[:255]
    told = [each.strip() for each in long_list.split(",")]
    hmail = [f"recipient | {each} | from delivered-to" for each in told]
    hmail[-1] += " | derived"
    foreign = (
        b"X-Envelope-To: stranger@x.example\r\nEnvelope-to: other@x.example\r\n"
        b"X-Original-To: third@x.example\r\n"
    )
    google = (
        path
        + RECEIVED.replace(b"mail-db5.outbound.protection.outlook.com", b"mail-ed1-f97.google.com")
        + b"X-Gm-Original-To: user@example.com\r\nReceived: by mail-ed1-f97.google.com; now\r\n"
        + ORIGINAL
    )
    not_google = google.replace(b"(mail-ed1-f97.google.com", b"(mail.bad.example")
    resent = path + RECEIVED + b"Resent-To: assistant@example.com\r\n" + ORIGINAL

    def known(name: str, fields: bytes, *recipients: str) -> Vector:
        return _copy(
            f"copy-{name}",
            f"A copy by {name}.",
            headed(fields),
            {"server": name, "addresses": journal},
            *recipients,
            sender=sender,
        )

    return [
        known(
            "postfix",
            b"X-Original-To: alias@example.com\r\nDelivered-To: user@example.com\r\n",
            "recipient | alias@example.com | from x-original-to",
        ),
        known(
            "exim",
            b"Envelope-to: a@example.com,\r\n b@example.com\r\n",
            "recipient | a@example.com | from envelope-to",
            "recipient | b@example.com | from envelope-to",
        ),
        known(
            "dovecot",
            b"Delivered-To: user@example.com\r\n",
            "recipient | user@example.com | from delivered-to",
        ),
        known(
            "mdaemon",
            b"X-MDRcpt-To: user@example.com\r\n",
            "recipient | user@example.com | from x-mdrcpt-to",
        ),
        known(
            "sendmail",
            b"X-Envelope-To: a@example.com\r\nX-Envelope-To: <b@example.com> (uid 0)\r\n",
            "recipient | a@example.com | from x-envelope-to",
            "recipient | b@example.com | from x-envelope-to",
        ),
        known(
            "kerio",
            b"X-Envelope-To: user@example.com\r\n",
            "recipient | user@example.com | from x-envelope-to",
        ),
        known(
            "zimbra",
            b"X-Envelope-To: a@example.com, b@example.com\r\n",
            "recipient | a@example.com | from x-envelope-to",
            "recipient | b@example.com | from x-envelope-to",
        ),
        known(
            "mercury",
            b"X-Deliver-To: user@example.com\r\n",
            "recipient | user@example.com | from x-deliver-to",
        ),
        known(
            "qpsmtpd",
            b"X-Copied-To: user@example.com\r\n",
            "recipient | user@example.com | from x-copied-to",
        ),
        _copy(
            "copy-hmail-cut",
            "hMailServer cuts its list at 255 characters: the last one is not certain.",
            headed(b"Delivered-To: " + long_list.encode() + b"\r\n"),
            {"server": "hmailserver"},
            *hmail,
            flags=("recipients-truncated",),
            sender=sender,
        ),
        _copy(
            "copy-hmail-whole",
            "A shorter list of hMailServer is whole.",
            headed(b"Delivered-To: a@example.com,b@example.com\r\n"),
            {"server": "hmailserver"},
            "recipient | a@example.com | from delivered-to",
            "recipient | b@example.com | from delivered-to",
            sender=sender,
        ),
        _copy(
            "copy-foreign-envelope-to",
            "Envelope headers below our own Received line are strangers'.",
            headed(b"", foreign),
            {"server": "sendmail", "recipient_headers": ["Envelope-to", "X-Original-To"]},
            sender=sender,
        ),
        _copy(
            "copy-no-server",
            "Without a configured server no envelope header is believed.",
            headed(b"X-Original-To: alias@example.com\r\n"),
            {},
            sender=sender,
        ),
        _copy(
            "copy-no-received",
            "Without a Received line nothing is known to be ours.",
            b"X-Original-To: alias@example.com\r\n" + ORIGINAL,
            {"server": "postfix"},
            flags=("sender-derived",),
        ),
        _copy(
            "copy-own-address",
            "The journal mailbox itself is nobody's recipient.",
            headed(
                b"X-Original-To: journal@archive.example\r\n"
                b"Delivered-To: journal@archive.example\r\n"
            ),
            {"server": "postfix", "addresses": journal},
            sender=sender,
        ),
        _copy(
            "copy-plus-addressing",
            "journal+user=domain names the recipient.",
            headed(b"Delivered-To: journal+a.b+c=example.com@archive.example\r\n"),
            {"server": "dovecot", "addresses": journal, "plus_addressing": True},
            "recipient | a.b+c@example.com | from delivered-to",
            sender=sender,
        ),
        _copy(
            "copy-plus-other",
            "Plus-addressing of another mailbox says nothing.",
            headed(b"Delivered-To: else+a=example.com@archive.example\r\n"),
            {"server": "dovecot", "addresses": journal, "plus_addressing": True},
            "recipient | else+a=example.com@archive.example | from delivered-to",
            sender=sender,
        ),
        _copy(
            "copy-received-for",
            "Our own Received line names one recipient.",
            headed(b"").replace(b"for <journal@archive.example>", b"for <user@example.com>"),
            {"addresses": journal},
            "recipient | user@example.com | from received",
            sender=sender,
        ),
        _copy(
            "copy-two-hops",
            "Two Received lines are ours: what stands between them counts.",
            path
            + b"Received: from mx by imap with LMTP; now\r\nX-Own: b@example.com\r\n"
            + RECEIVED
            + ORIGINAL,
            {"own_received_count": 2, "recipient_headers": ["X-Own"]},
            "recipient | b@example.com | from x-own",
            sender=sender,
        ),
        _copy(
            "copy-sender-header",
            "A configured header tells the envelope sender.",
            b"X-MailFrom: <real@supplier.example>\r\n" + RECEIVED + ORIGINAL,
            {"sender_headers": ["X-MailFrom"]},
            sender="real@supplier.example",
        ),
        _copy(
            "copy-sender-header-and-path",
            "What somebody configured counts before Return-Path.",
            path + b"X-MailFrom: <real@supplier.example>\r\n" + RECEIVED + ORIGINAL,
            {"sender_headers": ["X-MailFrom"]},
            sender="real@supplier.example",
        ),
        _copy(
            "copy-null-sender",
            "The empty envelope sender.",
            headed(b"").replace(path, b"Return-Path: <>\r\n"),
            {},
            sender="<>",
        ),
        _copy(
            "copy-google-routing",
            "A routing copy of Google Workspace, handed over by Google.",
            google,
            {"format": "google"},
            "recipient | user@example.com | from x-gm-original-to",
            sender=sender,
        ),
        _copy(
            "copy-google-forged",
            "The same field from somebody else is not believed.",
            not_google,
            {"format": "google"},
            sender=sender,
        ),
        Vector(
            "copy-resent",
            "Resent fields are told as such.",
            resent,
            copy(
                resent,
                envelope={
                    **COPY_ENVELOPE,
                    "sender": sender,
                    "recipients": [
                        *COPY_ENVELOPE["recipients"],
                        "header-to | assistant@example.com | from resent-to | derived",
                    ],
                },
                flags=("x",),
            )
            | {"flags": ["envelope-unknown"]},
        ),
    ]


def _captures() -> list[Vector]:
    unmarked = report(marker=b"")
    outer = {**COPY_ENVELOPE, "message_id": "<1d1f5b5e@journal.report.generator>"}
    intercept = report(
        b"Content-Type: text/plain\r\n\r\nIntercepted message for accounting@example.com\r\n",
        message_part(),
        marker=b"Auto-Submitted: auto-replied (zimbra; intercept)\r\n",
    )
    headers = ORIGINAL[: ORIGINAL.index(b"\r\n\r\n") + 4]
    headers_only = report(
        b"Content-Type: text/plain\r\n\r\nIntercepted message for accounting@example.com\r\n",
        message_part(headers),
        marker=b"Auto-Submitted: auto-replied (zimbra; intercept)\r\n",
    )
    told = {**COPY_ENVELOPE, "raw_lines": ["Intercepted message for accounting@example.com"]}
    dsn = (
        b"Return-Path: <>\r\nFrom: postmaster@example.com\r\nSubject: Message Capture Copy\r\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="sun"\r\n\r\n'
        b"--sun\r\nContent-Type: text/plain\r\n\r\nCapture.\r\n"
        b"--sun\r\nContent-Type: message/delivery-status\r\n\r\n"
        b"Reporting-MTA: dns; host.example.com\r\n\r\n"
        b"Final-Recipient: rfc822; accounting@example.com\r\nAction: relayed\r\n\r\n"
        b"--sun\r\n" + message_part() + b"\r\n--sun--\r\n"
    )
    failed = dsn.replace(b"Action: relayed", b"Action: failed")
    bounce = {
        **COPY_ENVELOPE,
        "sender": "postmaster@example.com",
        "subject": "Message Capture Copy",
        "message_id": "",
        "recipients": [],
    }
    return [
        Vector(
            "google-wrapper",
            "An Exchange-like report without the marker, from a mailbox of format google.",
            unmarked,
            expect(unmarked, kind="google"),
            {"format": "google"},
        ),
        Vector(
            "google-forward",
            "A forwarded mail in such a mailbox is a copy.",
            report(b"Content-Type: text/plain\r\n\r\nSee below.\r\n", message_part(), marker=b""),
            copy(b"", envelope=outer),
            {"format": "google"},
        ),
        Vector(
            "zimbra-intercept",
            "A legal intercept of Zimbra, from a mailbox of that format.",
            intercept,
            expect(
                intercept, kind="zimbra", flags=["reserialised", "sender-derived"], envelope=told
            ),
            {"format": "zimbra"},
        ),
        Vector(
            "zimbra-not-configured",
            "The same elsewhere is a copy.",
            intercept,
            copy(b"", envelope=outer),
        ),
        Vector(
            "zimbra-headers-only",
            "An intercept that sends headers only holds no original.",
            headers_only,
            expect(
                headers_only,
                (headers,),
                kind="unrecognised",
                reason="original-missing",
                flags=["headers-only", "original-missing", "reserialised", "sender-derived"],
                envelope=told,
            ),
            {"format": "zimbra"},
        ),
        Vector(
            "sun-capture",
            "A capture of Sun Messaging Server, from a mailbox of that format.",
            dsn,
            expect(
                dsn,
                kind="sun",
                flags=["sender-derived"],
                envelope={
                    **told,
                    "raw_lines": ["Capture."],
                    "recipients": [
                        "recipient | accounting@example.com | from delivery-status",
                        *COPY_ENVELOPE["recipients"],
                    ],
                },
            ),
            {"format": "sun"},
        ),
        Vector(
            "sun-bounce",
            "A bounce in such a mailbox stays a bounce.",
            failed,
            copy(b"", envelope={**bounce, "sender": "<>"})
            | {"flags": ["envelope-unknown", "sender-derived"], "envelope": bounce},
            {"format": "sun"},
        ),
    ]


VECTORS = [*_copies(), *_captures()]
