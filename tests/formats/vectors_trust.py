"""Vectors: who is believed (format reference, section 9, trust, and section 3)."""

from __future__ import annotations

from typing import Any

from report_samples import LINES, ORIGINAL, message_part, report, text_part
from vector import Vector
from vectors_recognition import envelope, expect

SENDER = "MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.com"
RECEIVED = (
    b"Received: from mail-db5.outbound.protection.outlook.com\r\n"
    b" (mail-db5.outbound.protection.outlook.com [192.0.2.17])\r\n"
    b"\tby mx.archive.example (Postfix) with ESMTPS id 1\r\n"
    b"\tfor <journal@archive.example>; Mon, 02 Nov 2026 08:11:09 +0000\r\n"
)
TOP = b"Return-Path: <journal.ndr@example.com>\r\n" + RECEIVED
TENANT = b"X-OriginatorOrg: example.onmicrosoft.com\r\n"
ONLINE: dict[str, Any] = {
    "report_senders": [SENDER],
    "return_paths": ["journal.ndr@example.com"],
    "connecting_hosts": ["*.outbound.protection.outlook.com"],
    "tenants": ["example.onmicrosoft.com"],
}
ALL_LISTED = ["host-listed", "sender-listed", "return-path-listed", "tenant-listed"]


def _report(
    name: str,
    about: str,
    raw: bytes,
    trust: str,
    reasons: list[str],
    profile: dict[str, Any],
    **differing: Any,
) -> Vector:
    told = expect(raw, trust=trust, trust_reasons=reasons) | differing
    return Vector(name, about, raw, told, profile)


def _reports() -> list[Vector]:
    genuine = TOP + TENANT + report()
    forged = (
        b"Return-Path: <evil@bad.example>\r\n"
        + RECEIVED.replace(b"mail-db5.outbound.protection.outlook.com", b"mail.bad.example")
        + TENANT
        + report()
    )
    wrong = TOP + TENANT.replace(b"example.", b"other.") + report()
    lines = (*LINES[:2], b"Message-Id: <other@supplier.example>")
    mismatch = report(text_part(b"Recipient: accounting@example.com", lines=lines), message_part())
    told_lines = envelope(
        "recipient | accounting@example.com",
        message_id="<other@supplier.example>",
        raw_lines=[*(line.decode() for line in lines), "Recipient: accounting@example.com"],
    )
    parent = report().replace(
        b"MIME-Version", b"X-MS-Exchange-Parent-Message-Id: <other@x.example>\r\nMIME-Version", 1
    )
    subject = report(
        message_part(ORIGINAL.replace(b"Invoice 7", b"Invoice 8")),
        text_part(b"Recipient: accounting@example.com"),
    )
    sender = report().replace(b"From: Billing", b"From: Forger <forger@x.example>\r\nX-Was: ", 1)
    onprem = (
        b"Return-Path: <>\r\n"
        + RECEIVED.replace(b"mail-db5.outbound.protection.outlook.com", b"ex1.example.com")
        + report()
    )
    results = (
        b"Authentication-Results: mx.archive.example;\r\n"
        b" spf=pass (ok) smtp.mailfrom=journal.ndr@example.com; dkim=pass header.d=example.com\r\n"
    )
    checked = b"Return-Path: <journal.ndr@example.com>\r\n" + results + RECEIVED + report()
    below = TOP + results + b"Received: from x by y\r\n" + report()
    faked = (
        b"Return-Path: <journal.ndr@example.com>\r\n"
        + RECEIVED
        + b"Received: from x by y\r\n"
        + results
        + report()
    )
    failed = checked.replace(b"dkim=pass", b"dkim=fail")
    by_result: dict[str, Any] = {
        "report_senders": ["*@example.com"],
        "authserv_id": "mx.archive.example",
        "authenticated_domains": ["example.com"],
    }
    ips = {"report_senders": [SENDER], "connecting_hosts": ["192.0.2.0/24"], "return_paths": ["<>"]}
    return [
        _report(
            "trust-online",
            "Sender, return path, host and tenant are the configured ones.",
            genuine,
            "verified",
            ALL_LISTED,
            ONLINE,
        ),
        _report(
            "trust-nothing-configured",
            "Without configuration nothing is believed.",
            genuine,
            "unverified",
            ["nothing-configured"],
            {},
        ),
        _report(
            "trust-forged",
            "A report mailed by a stranger.",
            forged,
            "conflicting",
            ["host-foreign", "return-path-foreign", "sender-listed", "tenant-listed"],
            ONLINE,
        ),
        _report(
            "trust-wrong-tenant",
            "Another tenant sends from the same hosts.",
            wrong,
            "conflicting",
            ["tenant-foreign", "host-listed", "sender-listed", "return-path-listed"],
            ONLINE,
        ),
        _report(
            "trust-host-alone",
            "A host that every tenant shares proves nothing alone.",
            genuine,
            "unverified",
            ["host-listed", "sender-listed"],
            {"report_senders": [SENDER], "connecting_hosts": ["*.outbound.protection.outlook.com"]},
        ),
        _report(
            "trust-id-mismatch",
            "The report tells another Message-ID than the original has.",
            mismatch,
            "conflicting",
            ["message-id-mismatch"],
            {},
            envelope=told_lines,
        ),
        _report(
            "trust-parent-mismatch",
            "The outer header tells another parent.",
            parent,
            "conflicting",
            ["parent-id-mismatch"],
            {},
        ),
        Vector(
            "trust-subject-mismatch",
            "The report tells another subject.",
            subject,
            expect(
                subject,
                (ORIGINAL.replace(b"Invoice 7", b"Invoice 8"),),
                trust="conflicting",
                trust_reasons=["subject-mismatch"],
            ),
        ),
        _report(
            "trust-from-mismatch",
            "The outer From is another than the original's.",
            sender,
            "conflicting",
            ["from-mismatch"],
            {},
        ),
        _report(
            "trust-on-premises",
            "An own server known by its network, with the empty sender.",
            onprem,
            "verified",
            ["host-listed", "sender-listed", "return-path-listed"],
            ips,
        ),
        _report(
            "trust-results",
            "SPF and DKIM passed, as our own server says.",
            checked,
            "verified",
            ["spf-pass", "dkim-pass", "sender-listed"],
            by_result,
        ),
        _report(
            "trust-results-below",
            "Results right below our own Received line, when that is configured.",
            below,
            "verified",
            ["spf-pass", "dkim-pass", "sender-listed"],
            {**by_result, "authserv_below": True},
        ),
        _report(
            "trust-results-faked",
            "Results further down were written by strangers.",
            faked,
            "unverified",
            ["sender-listed"],
            {**by_result, "authserv_below": True},
        ),
        _report(
            "trust-results-failed",
            "A failed DKIM check of a listed domain.",
            failed,
            "conflicting",
            ["dkim-fail", "spf-pass", "sender-listed"],
            by_result,
        ),
    ]


VECTORS = _reports()
