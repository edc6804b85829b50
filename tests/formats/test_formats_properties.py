"""What holds for every message, made up by hypothesis."""

from __future__ import annotations

import base64
import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st
from report_samples import BOUNDARY, LINES, ORIGINAL, message_part, report, text_part
from vector import told

from collector.domain.blob import RawBytes
from collector.domain.journal import JournalFormat, JournalProfile
from collector.formats import flags
from collector.formats.header import read_header
from collector.formats.originals import original_windows
from collector.formats.parts import read_multipart
from collector.formats.unwrap import read
from collector.formats.view import View

PROFILES = [
    JournalProfile(),
    JournalProfile(format=JournalFormat.GOOGLE, alternate=True, plus_addressing=True),
    JournalProfile(format=JournalFormat.SUN, server="hmailserver", own_received_count=2),
    JournalProfile(format=JournalFormat.ZIMBRA, server="exim", recipient_headers=("X-Own",)),
    JournalProfile(
        report_senders=("*@x",),
        connecting_hosts=("*.x", "192.0.2.0/24"),
        authserv_id="a",
        authserv_below=True,
        authenticated_domains=("*",),
    ),
]
SNIPPETS = [
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"<",
    b">",
    b'"',
    b"=",
    b"\x00",
    b"\xff",
    b"--" + BOUNDARY,
    b"--" + BOUNDARY + b"--",
    b"X-MS-Journal-Report:\r\n",
    b"Content-Identifer: ExJournalReport\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n",
    b"Content-Type: multipart/report; boundary=b\r\n\r\n",
    b"Content-Type: message/rfc822\r\n\r\n",
    b"Content-Type: text/plain; charset=x\r\n\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"\r\n--b\r\n",
    b"\r\n--b--\r\n",
    b"To: a@x, Expanded: [EX:/o=a, b]\r\n",
    b"Recipients:\r\n\tName <a@x>\r\n",
    b"Received: from a (b [192.0.2.1]) by c\r\n",
    b"Authentication-Results: a; spf=pass smtp.mailfrom=b@x\r\n",
    b"=?utf-8?q?=C3?= =?utf-8?q?=BC?=",
    ORIGINAL,
    report(),
]
messages = st.one_of(
    st.binary(max_size=300),
    st.lists(st.one_of(st.sampled_from(SNIPPETS), st.binary(max_size=8)), max_size=40).map(
        b"".join
    ),
)
bodies = st.lists(
    st.one_of(st.sampled_from([b"\r\n", b"\n", b"\r", b"--", b"--" + BOUNDARY[:-1]]), st.binary()),
    max_size=12,
).map(b"".join)


def damaged(raw: bytes, cuts: list[tuple[int, int, bytes]]) -> bytes:
    """Return ``raw`` with pieces replaced."""
    for place, length, piece in cuts:
        at = place % (len(raw) + 1)
        raw = raw[:at] + piece + raw[at + length :]
    return raw


cuts = st.lists(
    st.tuples(st.integers(0, 5_000), st.integers(0, 40), st.sampled_from([b"", *SNIPPETS])),
    max_size=6,
)


def check(raw: bytes, profile: JournalProfile) -> None:
    """Check what must hold for every message and profile."""
    unwrapped = read(RawBytes(raw), profile)
    assert set(unwrapped.flags) <= flags.EVERY
    assert list(unwrapped.flags) == sorted(set(unwrapped.flags))
    for each in unwrapped.originals:
        assert 0 <= each.offset <= each.offset + each.length <= len(raw)
        inner = b"".join(original_windows(RawBytes(raw), each))
        assert each.digest.hex == hashlib.sha256(inner).hexdigest()
        if each.transfer_encoding == "identity":
            assert inner == raw[each.offset : each.offset + each.length]
    assert all(each.address for each in unwrapped.envelope.recipients)
    assert told(unwrapped) == told(read(RawBytes(raw), profile, window_bytes=1_250))


@settings(max_examples=300, deadline=None)
@given(raw=messages, profile=st.sampled_from(PROFILES))
def test_nothing_raises_and_every_original_is_a_slice(raw: bytes, profile: JournalProfile) -> None:
    """Whatever arrives: no error, originals are slices with their digest, windows do not matter."""
    check(raw, profile)


@settings(max_examples=300, deadline=None)
@given(cuts=cuts, profile=st.sampled_from(PROFILES))
def test_a_damaged_report_never_raises(
    cuts: list[tuple[int, int, bytes]], profile: JournalProfile
) -> None:
    """The same for reports with pieces cut out, put in or replaced."""
    check(damaged(report(), cuts), profile)


@settings(max_examples=200, deadline=None)
@given(body=bodies)
def test_an_original_of_any_bytes_comes_out_as_it_went_in(body: bytes) -> None:
    """Any body that does not hold a delimiter line is returned byte for byte."""
    inner = ORIGINAL + body
    raw = report(text_part(b"To: a@x.example"), message_part(inner))
    (original,) = read(RawBytes(raw)).originals
    assert raw[original.offset : original.offset + original.length] == inner


@settings(max_examples=200, deadline=None)
@given(body=bodies)
def test_an_encoded_original_is_decoded_to_what_it_was(body: bytes) -> None:
    """A base64 original gives its bytes, and is told to be decoded."""
    inner = ORIGINAL + body
    encoded = base64.encodebytes(inner)
    part = message_part(encoded, b"Content-Transfer-Encoding: base64\r\n")
    raw = report(text_part(b"To: a@x.example"), part)
    (original,) = read(RawBytes(raw)).originals
    assert original.transfer_encoding == "base64"
    assert b"".join(original_windows(RawBytes(raw), original)) == inner


@settings(max_examples=300, deadline=None)
@given(pieces=st.lists(st.sampled_from(SNIPPETS), max_size=30), window_bytes=st.integers(1, 3_000))
def test_parts_put_together_give_the_message(pieces: list[bytes], window_bytes: int) -> None:
    """Header, preamble, delimiters, parts and epilogue are the raw message, without overlap."""
    raw = b"A: b\r\n\r\n" + b"".join(pieces)
    view = View(RawBytes(raw), window_bytes)
    header = read_header(view, 0, len(raw))
    multipart = read_multipart(view, BOUNDARY, header.body, len(raw))
    spans = [(0, header.body)]
    places = sorted(
        [(each.start, each.end) for each in multipart.delimiters]
        + [(each.start, each.end) for each in multipart.parts]
    )
    if places:
        spans += [(header.body, places[0][0]), *places, (places[-1][1], len(raw))]
    else:
        spans.append((header.body, len(raw)))
    assert b"".join(raw[start:end] for start, end in spans) == raw
    assert all(start <= end for start, end in spans)


ADDRESSES = st.lists(
    st.tuples(
        st.sampled_from([b"To", b"Cc", b"Bcc", b"Recipient"]),
        st.from_regex(rb"[a-z0-9._+-]{1,12}@[a-z0-9-]{1,12}\.example", fullmatch=True),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(recipients=ADDRESSES, data=st.data())
def test_order_of_headers_and_parts_does_not_change_the_recipients(
    recipients: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    """Fields of the outer header, parts, and lines of the report in any order."""
    lines = [key + b": " + address for key, address in recipients]
    shuffled = data.draw(st.permutations([*LINES, *lines]))
    parts = data.draw(st.permutations([text_part(lines=tuple(shuffled)), message_part()]))
    raw = report(*parts)
    head, body = raw.split(b"\r\n\r\n", 1)
    fields = head.replace(b"\r\n\t", b"\x00").split(b"\r\n")
    fields = [each.replace(b"\x00", b"\r\n\t") for each in data.draw(st.permutations(fields))]
    unwrapped = read(RawBytes(b"\r\n".join(fields) + b"\r\n\r\n" + body))
    told_ones = sorted((each.kind.value, each.address) for each in unwrapped.envelope.recipients)
    written = sorted((key.decode().lower(), address.decode()) for key, address in recipients)
    assert told_ones == written
