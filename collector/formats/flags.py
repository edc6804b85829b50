"""The remarks ``unwrap`` makes about a message, and what each of them means.

Rule: a closed vocabulary, told to the people who see it in ``docs/formats.md``;
a test compares.
"""

from __future__ import annotations

AMBIGUOUS_BOUNDARY = "ambiguous-boundary"
BOUNDARY_CONFLICT = "boundary-conflict"
CHARSET_FALLBACK = "charset-fallback"
DEPTH_LIMIT = "depth-limit"
EMPTY_RECIPIENT = "empty-recipient"
ENVELOPE_MISSING = "envelope-missing"
ENVELOPE_TRUNCATED = "envelope-truncated"
ENVELOPE_UNKNOWN = "envelope-unknown"
HEADERS_ONLY = "headers-only"
HEADER_TRUNCATED = "header-truncated"
ILLEGAL_CTE = "illegal-cte"
LINES_TRUNCATED = "lines-truncated"
LINE_TOO_LONG = "line-too-long"
MULTIPLE_ORIGINALS = "multiple-originals"
NESTED_REPORT = "nested-report"
NESTED_UNREAD = "nested-unread"
ORIGINAL_MISSING = "original-missing"
PARSER_FAILED = "parser-failed"
PARTS_TRUNCATED = "parts-truncated"
RECIPIENTS_TRUNCATED = "recipients-truncated"
REDIRECTIONS_TRUNCATED = "redirections-truncated"
REPEATED_LINE = "repeated-line"
RESERIALISED = "reserialised"
SENDER_DERIVED = "sender-derived"
TNEF = "tnef"
TRUNCATED = "truncated"
UNDECODABLE = "undecodable"
UNDISCLOSED_RECIPIENTS = "undisclosed-recipients"
UNKNOWN_CTE = "unknown-cte"
UNKNOWN_LINE = "unknown-line"

EVERY: frozenset[str] = frozenset(
    value for name, value in dict(globals()).items() if name.isupper() and isinstance(value, str)
)
