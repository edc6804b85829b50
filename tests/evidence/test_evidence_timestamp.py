"""Time stamps by a real authority, and what else may come back."""

import dataclasses
import os
from datetime import UTC, datetime, timedelta

import pytest
from evidence_authority import Authority as Lab
from evidence_authority import openssl, serve
from evidence_samples import NOW, checkpoint_of
from evidence_servers import answering
from evidence_servers import serve as serve_talk

from collector.domain.errors import ConfigError, CycleError
from collector.domain.evidence import StampState
from collector.evidence.der import sort_certificates
from collector.evidence.timestamp import (
    STAMP_BYTES_MAX,
    Authority,
    StampError,
    request_stamp,
    stamp_state,
    verify_stamp,
)
from collector.evidence.web import Address

CONTENT = checkpoint_of([b"a", b"b"]).raw


@pytest.fixture
def lab(authority):
    """The authority in its first configuration."""
    authority.configure()
    return authority


@pytest.fixture(scope="module")
def chained(tmp_path_factory):
    """An authority below an intermediate one, which it sends along out of DER order."""
    authority = Lab(tmp_path_factory.mktemp("chained"))
    authority.use_intermediate()
    return authority


def stamp_by(lab, certificates=None, content=CONTENT):
    """Have ``content`` stamped by the authority of a laboratory."""
    with serve(lab) as url:
        return request_stamp(Authority("lab", Address(url), certificates or lab.root), content)


def openssl_verifies(lab, raw, content, place):
    """Say what openssl thinks of a stamp, given the root alone."""
    (place / "content").write_bytes(content)
    (place / "stamp.tsr").write_bytes(raw)
    where = ("-data", place / "content", "-in", place / "stamp.tsr", "-CAfile", lab.home / "ca.crt")
    return openssl("ts", "-verify", *where) == b"Verification: OK\n"


def test_a_stamp_verifies_here_and_with_openssl(lab, tmp_path):
    """What is stored is what ``openssl ts -verify`` accepts, and it names the time."""
    began = datetime.now(UTC).replace(microsecond=0)
    stamp = stamp_by(lab)
    assert began <= stamp.stamped_at <= datetime.now(UTC)
    assert (stamp.authority, stamp.accuracy_s, stamp.policy) == ("lab", 1.0, "1.2.3.4.1")
    assert verify_stamp("lab", stamp.raw, CONTENT, lab.root) == stamp
    assert openssl_verifies(lab, stamp.raw, CONTENT, tmp_path)


def test_serial_numbers_go_on(lab):
    """Two stamps of one checkpoint are two stamps."""
    first, second = stamp_by(lab), stamp_by(lab)
    assert second.serial == first.serial + 1


@pytest.mark.parametrize(
    ("change", "accuracy_s"),
    [
        (("accuracy = secs:1\n", ""), None),
        (("secs:1", "secs:2, millisecs:500, microsecs:100"), 2.5001),
        (("ordering = yes\ntsa_name = yes\n", ""), 1.0),
        (("ess_cert_id_alg = sha256", "ess_cert_id_alg = sha1"), 1.0),
        (("signer_digest = sha256", "signer_digest = sha512"), 1.0),
    ],
)
def test_authorities_may_differ(lab, tmp_path, change, accuracy_s):
    """With and without accuracy, name and order, and with other digests."""
    lab.configure(change)
    stamp = stamp_by(lab)
    assert stamp.accuracy_s == accuracy_s
    assert openssl_verifies(lab, stamp.raw, CONTENT, tmp_path)


def test_a_chain_out_of_der_order_is_accepted_and_kept_as_it_came(chained, tmp_path):
    """The chain comes unsorted, as openssl sends it; the root alone is enough to verify."""
    stamp = stamp_by(chained)
    assert sort_certificates(stamp.raw) != stamp.raw
    assert sorted(sort_certificates(stamp.raw)) == sorted(stamp.raw)
    assert openssl_verifies(chained, stamp.raw, CONTENT, tmp_path)


def test_a_stamp_over_something_else_is_refused(lab):
    """One other byte."""
    with pytest.raises(StampError, match="Mismatch between messages"):
        verify_stamp("lab", stamp_by(lab).raw, CONTENT + b"x", lab.root)


def test_a_stamp_by_an_unknown_authority_is_refused(lab, chained):
    """A root of the same name but another key vouches for nobody."""
    stamp = stamp_by(lab)
    with pytest.raises(StampError, match="verifying certificates"):
        verify_stamp("lab", stamp.raw, CONTENT, chained.root)
    with pytest.raises(CycleError, match="answer of a time-stamp authority is not used"):
        stamp_by(lab, certificates=chained.root)


def test_a_certificate_for_something_else_makes_no_stamps(lab):
    """A server certificate of the same root has no right to stamp."""
    lab.configure(("tsa.crt", "server.crt"), ("tsa.key", "server.key"))
    with serve(lab) as url, pytest.raises(CycleError, match="request failed"):
        request_stamp(Authority("lab", Address(url), lab.root), CONTENT)


def test_an_intermediate_certificate_alone_is_no_anchor(chained):
    """Trust ends in a root, not half-way."""
    raw = stamp_by(chained).raw
    intermediate = (chained.home / "intermediate.crt").read_bytes()
    with pytest.raises(StampError, match="verifying certificates"):
        verify_stamp("lab", raw, CONTENT, intermediate)
    assert verify_stamp("lab", raw, CONTENT, intermediate + chained.root).raw == raw


def test_an_old_answer_is_not_taken_for_a_new_one(lab):
    """Without our nonce in it, a valid stamp from yesterday is refused."""
    replayed = stamp_by(lab).raw
    answer = b"HTTP/1.0 200 OK\r\n\r\n" + replayed
    with (
        serve_talk(answering(answer)) as port,
        pytest.raises(CycleError, match="Nonce mismatch"),
    ):
        request_stamp(Authority("lab", Address(f"http://127.0.0.1:{port}/"), lab.root), CONTENT)


def test_a_refusal_is_told_with_its_reason(lab):
    """The authority does not take SHA-256."""
    lab.configure(("digests = sha256, sha384, sha512", "digests = sha512"))
    with pytest.raises(CycleError, match=r"not granted \(status 2\).*digest algorithm"):
        stamp_by(lab)


@pytest.mark.parametrize("raw", [b"", b"junk", bytes(100), b"0" * (STAMP_BYTES_MAX + 1), b"0\x80"])
def test_what_is_no_stamp_is_refused(lab, raw):
    """Neither ASN.1 nor of bearable length."""
    with pytest.raises(StampError, match="cannot be used"):
        verify_stamp("lab", raw, CONTENT, lab.root)
    assert sort_certificates(raw) == raw


def test_certificates_that_cannot_be_read_are_a_matter_of_configuration(lab):
    """Not of the stamp."""
    raw = stamp_by(lab).raw
    for certificates in (b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(ConfigError, match="certificates of a time-stamp authority"):
            verify_stamp("lab", raw, CONTENT, certificates)


def test_no_changed_byte_changes_what_a_stamp_says(lab):
    """Whatever byte is changed: refused, or (unsigned fields of CMS) the same statement."""
    stamp = stamp_by(lab)
    said = dataclasses.replace(stamp, raw=b"")
    outcomes = set()
    for place in range(len(stamp.raw)):
        raw = bytearray(stamp.raw)
        raw[place] ^= 1 << place % 8
        try:
            changed = verify_stamp("lab", bytes(raw), CONTENT, lab.root)
        except StampError:
            outcomes.add("refused")
        else:
            outcomes.add(dataclasses.replace(changed, raw=b"") == said)
    assert outcomes == {"refused", True}


def test_random_bytes_and_cut_stamps_are_refused(lab):
    """Cut anywhere, or followed by anything."""
    raw = stamp_by(lab).raw
    for piece in (*(raw[:end] for end in range(0, len(raw), 7)), raw + os.urandom(5)):
        with pytest.raises(StampError):
            verify_stamp("lab", piece, CONTENT, lab.root)


@pytest.mark.parametrize(
    ("stamped_s", "now_s", "expected"),
    [
        (None, 0, StampState.AWAITED),
        (None, 3600, StampState.AWAITED),
        (None, 3601, StampState.OVERDUE),
        (0, 9999, StampState.ON_TIME),
        (3600, 9999, StampState.ON_TIME),
        (3601, 9999, StampState.LATE),
        (-5, 9999, StampState.ON_TIME),
        (-6, 9999, StampState.AHEAD),
    ],
)
def test_the_state_of_a_stamp_follows_from_three_times(stamped_s, now_s, expected):
    """Signed, stamped, now; the limits themselves are on time."""
    stamped_at = None if stamped_s is None else NOW + timedelta(seconds=stamped_s)
    state = stamp_state(
        NOW,
        stamped_at,
        now=NOW + timedelta(seconds=now_s),
        late_after=timedelta(hours=1),
    )
    assert state is expected
