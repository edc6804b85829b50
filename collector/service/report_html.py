"""A report as one page of HTML: printable on A4, without scripts or anything from outside.

Rule: every text is escaped; the page's own policy forbids whatever it does not hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from collector.service.report_document import Document, Line, Row, Table

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
WIDE_COLUMNS = 8

_STYLE = """
@page { size: A4 landscape; margin: 12mm; }
* { box-sizing: border-box; }
body { font: 10pt/1.4 "Liberation Sans", "Helvetica Neue", Arial, sans-serif; color: #1a1a1a;
  background: #fff; margin: 0 auto; max-width: 273mm; padding: 6mm; }
h1 { font-size: 17pt; margin: 0; }
h2 { font-size: 12pt; margin: 7mm 0 2mm; border-bottom: 1.5pt solid #1a1a1a; break-after: avoid; }
p { margin: 1mm 0; }
.made { color: #555; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 1mm 1.5mm;
  border-bottom: .5pt solid #bbb; }
thead { display: table-header-group; }
th { font-weight: 600; background: #f0f0f0; }
tr { break-inside: avoid; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.wide { font-size: 8pt; }
.wide th { overflow-wrap: normal; }
.wide td:first-child { white-space: nowrap; }
.zero { color: #999; }
.sum td { font-weight: 700; border-top: 1pt solid #1a1a1a; }
td { overflow-wrap: anywhere; }
.number, .mark { overflow-wrap: normal; }
.narrow td:nth-child(-n+2) { overflow-wrap: break-word; }
.glance th { width: 45mm; background: none; }
.mark { width: 18mm; white-space: nowrap; }
.fine { color: #14602b; }
.look { font-weight: 700; color: #a01313; }
.note { color: #444; font-size: 8.5pt; }
.signature { margin-top: 16mm; border-top: .5pt solid #1a1a1a; width: 90mm; padding-top: 1mm; }
@media screen { body { margin: 5mm auto; box-shadow: 0 0 4mm #ccc; } }
@media print { body { padding: 0; max-width: none; } }
"""


def html_page(page: Document) -> str:
    """Return the whole page."""
    return "\n".join(_page(page)) + "\n"


def _page(page: Document) -> Iterator[str]:
    title = f"{page.title}, {page.period}"
    yield "<!DOCTYPE html>"
    yield f'<html lang="{page.language.value}">'
    yield '<head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<title>{escape(title)}</title>"
    yield f"<style>{_STYLE}</style></head>"
    yield "<body>"
    yield f"<h1>{escape(page.title)}</h1>"
    yield f"<p><strong>{escape(page.period)}</strong></p>"
    yield f'<p class="made">{escape(page.made)}</p>'
    yield f"<h2>{escape(page.summary_title)}</h2>"
    yield '<table class="glance">'
    for line in page.summary:
        yield _glance(line, page.marks)
    yield "</table>"
    for table in page.tables:
        yield from _table(table)
    yield f"<h2>{escape(page.limits_title)}</h2>"
    yield "<ul>"
    for limit in page.limits:
        yield f"<li>{escape(limit)}</li>"
    yield "</ul>"
    yield f'<p class="signature">{escape(page.signature)}</p>'
    yield "</body></html>"


def _glance(line: Line, marks: tuple[str, str]) -> str:
    mark = ""
    if line.is_fine is not None:
        kind, sign = ("fine", "✓") if line.is_fine else ("look", "!")
        mark = f'<span class="{kind}">{sign} {escape(marks[0 if line.is_fine else 1])}</span>'
    label, text = escape(line.label), escape(line.text)
    return f'<tr><th scope="row">{label}</th><td class="mark">{mark}</td><td>{text}</td></tr>'


def _table(table: Table) -> Iterator[str]:
    yield f"<h2>{escape(table.title)}</h2>"
    if not table.rows:
        yield f"<p>{escape(table.nothing)}</p>"
        return
    yield f'<table class="{"wide" if len(table.head) > WIDE_COLUMNS else "narrow"}">'
    yield f"<thead><tr>{_cells(table.head, table.numbers_from, 'th')}</tr></thead>"
    yield "<tbody>"
    for place, row in enumerate(table.rows, 1):
        is_sum = table.last_is_sum and place == len(table.rows)
        kind = ' class="sum"' if is_sum else ""
        yield f"<tr{kind}>{_cells(row, table.numbers_from, 'td')}</tr>"
    yield "</tbody></table>"
    if table.note:
        yield f'<p class="note">{escape(table.note)}</p>'


def _cells(row: Row, numbers_from: int, tag: str) -> str:
    cells = []
    for place, text in enumerate(row):
        kind = "number" if place >= numbers_from else ""
        if kind and text in {"0", "-"}:
            kind += " zero"
        cells.append(f'<{tag} class="{kind}">{escape(text)}</{tag}>' if kind else
                     f"<{tag}>{escape(text)}</{tag}>")  # fmt: skip
    return "".join(cells)
