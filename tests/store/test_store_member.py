"""Tar headers."""

import tarfile
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.store.member import (
    Header,
    MemberError,
    decode_header,
    encode_header,
    member_bytes,
    padding,
)

HEADERS = st.builds(
    Header,
    name=st.from_regex(r"[1-9][0-9]{0,17}-[0-9a-f]{16}\.(eml|json)", fullmatch=True),
    size_bytes=st.integers(0, 8**11 - 1),
    mtime_s=st.integers(0, 8**11 - 1),
)


@given(HEADERS)
def test_a_header_comes_back_as_it_was_encoded(header):
    """Encoding and decoding are a pair."""
    assert decode_header(encode_header(header)) == header


@given(HEADERS, st.integers(0, 511), st.integers(1, 255))
def test_a_changed_header_is_refused(header, place, mask):
    """No single changed byte is taken for a header."""
    block = bytearray(encode_header(header))
    block[place] ^= mask
    with pytest.raises(MemberError):
        decode_header(bytes(block))


@pytest.mark.parametrize("size_bytes", [0, 1, 511, 512, 513])
def test_the_stream_is_what_tar_expects(size_bytes):
    """Header, content and filling make a member for Python's own tar reader."""
    content = b"x" * size_bytes
    member = encode_header(Header("1-a.eml", size_bytes, 5)) + content + padding(size_bytes)
    assert len(member) == member_bytes(size_bytes)
    with tarfile.open(fileobj=BytesIO(member)) as tar:
        (info,) = tar.getmembers()
        assert (info.name, info.mode, info.uid, info.gid, info.mtime) == ("1-a.eml", 0o440, 0, 0, 5)
        assert tar.extractfile(info).read() == content


def test_a_foreign_header_is_refused():
    """A header of another program (another mode) is not passed over silently."""
    info = tarfile.TarInfo("1-a.eml")
    with pytest.raises(MemberError):
        decode_header(info.tobuf(tarfile.USTAR_FORMAT))


def test_an_instant_outside_of_tar_is_moved_into_it():
    """The year 9999 does not stop a message from being stored."""
    assert decode_header(encode_header(Header("a", 0, 253402300799))).mtime_s == 8**11 - 1
