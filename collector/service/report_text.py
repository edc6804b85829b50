"""A report as plain text, for a terminal or a mail."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from collector.service.report_document import Document, Table

LINE_CHARS = 100


def text_lines(page: Document) -> Iterator[str]:
    """Yield the lines of a page; what is not printable is shown as ``?``."""
    for line in _lines(page):
        yield "".join(char if char.isprintable() else "?" for char in line).rstrip()


def _lines(page: Document) -> Iterator[str]:
    yield f"{page.title}, {page.period}"
    yield page.made
    yield ""
    yield page.summary_title
    label_chars = max(len(each.label) for each in page.summary)
    mark_chars = max(map(len, page.marks))
    for each in page.summary:
        mark = "" if each.is_fine is None else page.marks[0 if each.is_fine else 1]
        yield f"  {each.label:<{label_chars}}  {mark:<{mark_chars}}  {each.text}"
    for table in page.tables:
        yield ""
        yield from _table(table)
    yield ""
    yield page.limits_title
    for limit in page.limits:
        yield from textwrap.wrap(limit, LINE_CHARS, initial_indent="  - ", subsequent_indent="    ")


def _table(table: Table) -> Iterator[str]:
    yield table.title
    if not table.rows:
        yield f"  {table.nothing}"
        return
    lines = [table.head, *table.rows]
    last = len(table.head) - 1
    widths = [max(len(line[place]) for line in lines) for place in range(last)]
    for line in lines:
        cells = [
            f"{cell:>{width}}" if place >= table.numbers_from else f"{cell:<{width}}"
            for place, (cell, width) in enumerate(zip(line, widths, strict=False))
        ]
        yield "  " + "  ".join([*cells, line[last]])
    if table.note:
        yield from textwrap.wrap(
            table.note, LINE_CHARS, initial_indent="  ", subsequent_indent="  "
        )
