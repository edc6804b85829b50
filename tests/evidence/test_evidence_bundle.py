"""The files of a proof, checked by us and by the commands of HOW-TO-CHECK.md."""

import dataclasses
import os
import re
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from evidence_authority import Authority as Lab
from evidence_authority import serve
from evidence_samples import NOW, ORIGIN, checkpoint_of, inclusion_of, signer_of

from collector.domain.blob import RawBytes
from collector.domain.custody import Receipt
from collector.domain.errors import ConfigError, CycleError, IntegrityError
from collector.domain.finding import Grade
from collector.domain.mailbox import MailboxId, MessageRef
from collector.evidence.proof_bundle import ProofBundle, Stamped, write_bundle
from collector.evidence.proof_check import FILE_BYTES_MAX, Trust, check_proof
from collector.evidence.timestamp import Authority, request_stamp
from collector.evidence.web import Address
from collector.ledger.encoding import entry_leaf

MESSAGE = RawBytes(b"From: a@example.org\r\n\r\nhello \xff\r\n" * 1000)
COMMITTED_AT = datetime.now(UTC)
VERDICT = re.compile("(message|inclusion|signature|time stamp): (ok|FAILED)")
OK_LINES = ["message: ok", "inclusion: ok", "signature: ok", "time stamp: ok"]


def record_of(message, committed_at):
    """Return a record as the archive keeps it."""
    at = committed_at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    text = f'{{"committed_at":"{at}","digest":"{message.digest}","folder":"INBOX","seq":6}}\n'
    return text.encode()


def bundle_of(
    index=5, size=11, signers=None, stamps=(), message=MESSAGE, committed_at=COMMITTED_AT
):
    """Return the proof of one message in a tree of ``size``."""
    leaves = [b"other entry %d" % number for number in range(size)]
    leaves[index] = record_of(message, committed_at)
    signers = signers or (signer_of(),)
    return ProofBundle(
        message,
        leaves[index],
        inclusion_of(index, leaves),
        checkpoint_of(leaves, *signers),
        tuple(signer.key for signer in signers),
        stamps,
    )


def stamp_of(authority, bundle, name="lab", tsa="tsa"):
    """Have the checkpoint of a bundle stamped."""
    authority.configure(("tsa.crt", f"{tsa}.crt"))
    with serve(authority) as url:
        at = Authority(name, Address(url), authority.root)
        return Stamped(request_stamp(at, bundle.checkpoint.raw), authority.root)


def issue_for(authority, seconds):
    """Let the authority have a second certificate, which ends soon."""
    ca = x509.load_pem_x509_certificate(authority.root)
    key = load_pem_private_key((authority.home / "ca.key").read_bytes(), None)
    tsa = x509.load_pem_x509_certificate((authority.home / "tsa.crt").read_bytes())
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(ca.subject, tsa.subject, tsa.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(seconds=seconds))
    )
    for extension in tsa.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    short = builder.sign(key, SHA256()).public_bytes(Encoding.PEM)
    (authority.home / "short.crt").write_bytes(short)


@pytest.fixture(scope="module")
def stamped(authority):
    """A stamped bundle and what a checker knows from elsewhere."""
    bundle = bundle_of()
    bundle = bundle_of(stamps=(stamp_of(authority, bundle),))
    return bundle, Trust(bundle.keys, {"lab": authority.root})


@pytest.fixture
def proof(stamped, tmp_path):
    """A directory with a stamped proof."""
    write_bundle(stamped[0], tmp_path / "proof")
    return tmp_path / "proof"


def twin_seed():
    """Return a seed whose key looks in its signature line like that of seed 1 at first."""
    start = signer_of().key.key_id >> 26
    return next(seed for seed in range(2, 256) if signer_of(seed=seed).key.key_id >> 26 == start)


def commands(directory):
    """Return the shell blocks of HOW-TO-CHECK.md."""
    text = (directory / "HOW-TO-CHECK.md").read_text()
    assert "@" not in re.sub(r"c2sp\.org/\S+", "", text)
    return re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def run(directory, shell="sh"):
    """Run these blocks as they stand, in one shell, and return the verdicts."""
    script = "".join(commands(directory))
    done = subprocess.run(
        [shell, "-u"],
        check=False,
        input=script.encode(),
        cwd=directory,
        capture_output=True,
        timeout=60,
    )
    lines = done.stdout.decode().splitlines()
    return [line for line in lines if VERDICT.fullmatch(line)]


def grades(directory, trust=None):
    """Return the grade of each finding by name."""
    return {finding.name: finding.grade for finding in check_proof(directory, trust)}


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_commands_of_the_guide_accept_a_proof(proof, shell):
    """Each step ends in ok, with openssl and sha256sum alone."""
    assert run(proof, shell) == OK_LINES


def test_the_guide_leaves_nothing_behind(proof):
    """The check does not change the proof."""
    before = sorted(proof.iterdir())
    run(proof)
    assert sorted(proof.iterdir()) == before


def test_the_fingerprint_of_the_guide_is_that_of_openssl(proof):
    """Step 3 prints the SHA-256 of the public key in DER."""
    done = subprocess.run(
        ["sh"], input="".join(commands(proof)).encode(), cwd=proof, capture_output=True, check=True
    )
    der = ["openssl", "pkey", "-pubin", "-outform", "DER", "-in"]
    [key] = proof.glob("key-*.pem")
    public = subprocess.run([*der, key], check=True, capture_output=True).stdout
    digest = subprocess.run(["sha256sum"], input=public, check=True, capture_output=True).stdout
    assert digest[:64] in done.stdout


def test_a_proof_outlives_the_certificate_of_its_stamp(authority, tmp_path):
    """Stamp and commands are checked as of the time in the stamp."""
    issue_for(authority, seconds=2)
    bundle = bundle_of()
    stamped = stamp_of(authority, bundle, tsa="short")
    write_bundle(bundle_of(stamps=(stamped,)), tmp_path / "proof")
    time.sleep(3)
    assert run(tmp_path / "proof") == OK_LINES
    trust = Trust(bundle.keys, {"lab": authority.root})
    assert grades(tmp_path / "proof", trust)["time-stamp"] is Grade.OK
    now = [
        "openssl",
        "ts",
        "-verify",
        "-data",
        "checkpoint",
        "-in",
        "lab.tsr",
        "-CAfile",
        "lab.pem",
    ]
    done = subprocess.run(now, cwd=tmp_path / "proof", capture_output=True, check=False)
    assert b"certificate has expired" in done.stderr


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 13])
def test_every_place_in_a_tree_can_be_proven(tmp_path, size):
    """We and the shell agree, for every leaf of trees of several shapes."""
    for index in range(size):
        directory = tmp_path / str(index)
        bundle = bundle_of(index, size)
        write_bundle(bundle, directory)
        assert run(directory) == OK_LINES[:3]
        assert grades(directory, Trust(bundle.keys))["inclusion"] is Grade.OK


def test_a_proof_checked_with_what_is_known_elsewhere_is_ok(proof, stamped):
    """Keys and certificates given: nothing is in doubt."""
    assert [(finding.name, finding.grade) for finding in check_proof(proof, stamped[1])] == [
        ("message", Grade.OK),
        ("inclusion", Grade.OK),
        ("signature", Grade.OK),
        ("time-stamp", Grade.OK),
    ]


def test_a_proof_that_vouches_for_itself_is_in_doubt(proof, stamped):
    """Without keys from elsewhere the findings say what to compare."""
    found = {finding.name: finding for finding in check_proof(proof)}
    assert found["signature"].grade is found["time-stamp"].grade is Grade.WARNING
    assert str(stamped[0].keys[0]) in found["signature"].hint
    assert "lab.pem" in found["time-stamp"].hint


def test_without_a_stamp_the_time_is_in_doubt(tmp_path):
    """That is said, and the rest still holds."""
    write_bundle(bundle_of(), tmp_path / "proof")
    assert grades(tmp_path / "proof", Trust(bundle_of().keys)) == {
        "message": Grade.OK,
        "inclusion": Grade.OK,
        "signature": Grade.OK,
        "time-stamp": Grade.WARNING,
    }
    assert run(tmp_path / "proof") == OK_LINES[:3]


@pytest.mark.parametrize(
    ("ago", "limit", "grade", "told"),
    [
        (timedelta(hours=5), timedelta(hours=2), Grade.WARNING,
         r"late: (5 h|4 h 59 min) after the commit \(limit 2 h\)"),
        (timedelta(hours=5), timedelta(hours=6), Grade.OK, r", (5 h|4 h 59 min) after the commit"),
        (timedelta(minutes=-30), timedelta(hours=2), Grade.WARNING,
         r"(29|30) min( \d+ s)? before the commit: the archive's clock was ahead"),
    ],
)  # fmt: skip
def test_a_stamp_is_compared_with_the_time_in_the_record(
    authority, tmp_path, ago, limit, grade, told
):
    """How late it came is told; a stamp that came late is as true as any other."""
    committed_at = datetime.now(UTC) - ago
    bundle = bundle_of(committed_at=committed_at)
    stamp = stamp_of(authority, bundle)
    write_bundle(bundle_of(committed_at=committed_at, stamps=(stamp,)), tmp_path / "proof")
    trust = Trust(bundle.keys, {"lab": authority.root}, limit)
    *others, found = check_proof(tmp_path / "proof", trust)
    assert {each.grade for each in others} == {Grade.OK}
    assert (found.grade, bool(re.search(told, found.detail))) == (grade, True), found.detail
    assert run(tmp_path / "proof") == OK_LINES


def test_two_signatures_and_two_stamps_are_all_checked(authority, tmp_path):
    """After a change of keys, and with a second authority; in a shell-hostile name too."""
    signers = (signer_of(), signer_of(seed=twin_seed()), signer_of("wit'ness.example/$HOME", 3))
    bundle = bundle_of(signers=signers)
    stamps = (stamp_of(authority, bundle, "one"), stamp_of(authority, bundle, "two.example"))
    write_bundle(bundle_of(signers=signers, stamps=stamps), tmp_path / "proof")
    expected = [*OK_LINES[:2], *OK_LINES[2:3] * 3, *OK_LINES[3:] * 2]
    assert run(tmp_path / "proof") == expected
    trust = Trust(bundle.keys[1:2], {"one": authority.root, "two.example": authority.root})
    found = check_proof(tmp_path / "proof", trust)
    assert [finding.grade for finding in found] == [Grade.OK] * 5


def flip(directory, name):
    """Change one bit in the middle of a file."""
    raw = bytearray((directory / name).read_bytes())
    raw[len(raw) // 2] ^= 1
    (directory / name).write_bytes(raw)


CHANGES = {
    "message.eml": {"message"},
    "record.json": {"message", "inclusion"},
    "proof.tlog-proof": {"inclusion"},
    "checkpoint": {"inclusion", "signature", "time-stamp"},
    "lab.tsr": {"time-stamp"},
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_flipped_bit_is_found_by_us_and_by_the_commands(proof, stamped, name):
    """In the step that concerns the file, and in no other."""
    flip(proof, name)
    failed = {step for step, grade in grades(proof, stamped[1]).items() if grade is Grade.FAILED}
    assert failed == CHANGES[name]
    said = {line.split(":")[0].replace(" ", "-") for line in run(proof) if "FAILED" in line}
    assert said == CHANGES[name]


@pytest.mark.parametrize("name", CHANGES)
def test_a_missing_file_is_found(proof, stamped, name):
    """Nothing that is not there is ok."""
    (proof / name).unlink()
    found = grades(proof, stamped[1])
    assert {step for step, grade in found.items() if grade is not Grade.OK} >= CHANGES[name]


def test_a_proof_of_another_message_does_not_pass(proof, stamped, tmp_path):
    """Message and record of one proof, path and checkpoint of another."""
    other = RawBytes(b"another message")
    write_bundle(bundle_of(message=other), tmp_path / "other")
    for name in ("message.eml", "record.json"):
        (proof / name).write_bytes((tmp_path / "other" / name).read_bytes())
    found = grades(proof, stamped[1])
    assert (found["message"], found["inclusion"]) == (Grade.OK, Grade.FAILED)
    assert run(proof)[:2] == ["message: ok", "inclusion: FAILED"]


def test_a_record_of_two_messages_names_none(proof, stamped):
    """Neither we nor the commands pick one."""
    digest = str(MESSAGE.digest).encode()
    other = str(RawBytes(b"other").digest).encode()
    (proof / "record.json").write_bytes(b'[{"digest":"%s"},{"digest":"%s"}]' % (digest, other))
    assert grades(proof, stamped[1])["message"] is Grade.FAILED
    assert run(proof)[0] == "message: FAILED"


def test_an_inclusion_proof_with_another_checkpoint_does_not_pass(proof, stamped):
    """Even one of the same tree: what is stamped must be what the path leads to."""
    twice = bundle_of(signers=(signer_of(), signer_of(seed=2)))
    write_bundle(twice, proof.parent / "other")
    (proof / "proof.tlog-proof").write_bytes(
        (proof.parent / "other" / "proof.tlog-proof").read_bytes()
    )
    assert grades(proof, stamped[1])["inclusion"] is Grade.FAILED
    assert run(proof)[1] == "inclusion: FAILED"


def test_certificates_known_elsewhere_outweigh_those_in_the_proof(proof, stamped, tmp_path):
    """A stamp by somebody who calls himself so does not pass."""
    home = tmp_path / "elsewhere"
    home.mkdir()
    trust = Trust(stamped[1].keys, {"lab": Lab(home).root})
    assert grades(proof, trust)["time-stamp"] is Grade.FAILED


def test_a_log_built_anew_with_another_key_is_found(tmp_path, stamped):
    """All consistent in itself, but not with the key that was published."""
    write_bundle(bundle_of(signers=(signer_of(seed=9),)), tmp_path / "proof")
    assert run(tmp_path / "proof") == OK_LINES[:3]
    assert grades(tmp_path / "proof", stamped[1])["signature"] is Grade.FAILED
    assert grades(tmp_path / "proof")["signature"] is Grade.WARNING


def test_a_key_file_of_another_key_is_found(proof):
    """What openssl is given and what C2SP tools are given must be one key."""
    [key] = proof.glob("key-*.pem")
    write_bundle(bundle_of(signers=(signer_of(seed=9),)), proof.parent / "other")
    [other] = (proof.parent / "other").glob("key-*.pem")
    key.write_bytes(other.read_bytes())
    assert grades(proof)["signature"] is Grade.FAILED
    assert "signature: FAILED" in run(proof)


@pytest.mark.parametrize(
    "place",
    [
        lambda path, _kept: path.symlink_to("/dev/zero"),
        lambda path, kept: path.symlink_to(kept),
        lambda path, _kept: os.mkfifo(path),
        lambda path, _kept: path.mkdir(),
    ],
    ids=["endless device", "link to the right file", "pipe nobody writes to", "directory"],
)
def test_a_file_that_leads_elsewhere_is_not_read(proof, stamped, place, tmp_path):
    """What is handed out is files."""
    for name in ("message.eml", "checkpoint"):
        (proof / name).rename(tmp_path / name)
        place(proof / name, tmp_path / name)
    found = grades(proof, stamped[1])
    assert {found["message"], found["inclusion"], found["signature"]} == {Grade.FAILED}


def test_an_endless_file_is_not_read(proof, stamped):
    """All files but the message have a limit."""
    (proof / "record.json").write_bytes(b"x" * (FILE_BYTES_MAX + 1))
    assert grades(proof, stamped[1])["inclusion"] is Grade.FAILED


def test_an_empty_directory_is_no_proof(tmp_path):
    """Every step fails, and nothing is raised."""
    assert set(grades(tmp_path).values()) == {Grade.FAILED, Grade.WARNING}
    assert grades(tmp_path / "missing")["message"] is Grade.FAILED


def test_nothing_of_other_messages_is_in_a_proof(tmp_path):
    """The other entries appear as hashes only."""
    write_bundle(bundle_of(), tmp_path / "proof")
    for path in (tmp_path / "proof").iterdir():
        assert b"other entry" not in path.read_bytes()


def test_only_what_belongs_together_is_written(tmp_path):
    """Another message, another record, or another place in the tree."""
    good = bundle_of()
    twice = b'{"digest":"%s","a":{"digest":"%s"}}' % ((str(MESSAGE.digest).encode(),) * 2)
    for message, record, inclusion in (
        (RawBytes(b"another"), good.record, good.inclusion),
        (MESSAGE, b"{}", good.inclusion),
        (MESSAGE, twice, good.inclusion),
        (MESSAGE, good.record, bundle_of(4).inclusion),
    ):
        mixed = ProofBundle(message, record, inclusion, good.checkpoint, good.keys)
        with pytest.raises(IntegrityError):
            write_bundle(mixed, tmp_path / "proof")
    assert not (tmp_path / "proof").exists()


def test_the_leaf_of_the_ledger_is_a_record(tmp_path):
    """What the ledger commits to names its digest once, whatever else stands in it."""
    hostile = f'"digest":"sha256:{"a" * 64}"'
    receipt = Receipt(
        seq=6,
        digest=MESSAGE.digest,
        size_bytes=MESSAGE.size_bytes,
        ref=MessageRef(MailboxId(hostile, hostile), 7, 8),
        internal_date=None,
        fetched_at=NOW,
        committed_at=NOW,
        kind=hostile,
        quarantined=False,
        fetch_flags=(hostile,),
    )
    leaves = [b"other", entry_leaf(receipt)]
    bundle = ProofBundle(
        MESSAGE, leaves[1], inclusion_of(1, leaves), checkpoint_of(leaves), (signer_of().key,)
    )
    write_bundle(bundle, tmp_path / "proof")
    assert run(tmp_path / "proof") == OK_LINES[:3]
    assert grades(tmp_path / "proof")["message"] is Grade.OK


def test_a_proof_is_not_mixed_with_other_files(tmp_path):
    """A directory with something in it is left alone; an empty one will do."""
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(ConfigError, match="empty directory"):
        write_bundle(bundle_of(), tmp_path)
    (tmp_path / "note.txt").unlink()
    written = write_bundle(bundle_of(), tmp_path)
    assert sorted(written) == sorted(tmp_path.iterdir())
    with pytest.raises(CycleError, match="cannot be written"):
        write_bundle(bundle_of(), tmp_path / "checkpoint")


def test_an_authority_whose_name_is_no_file_name_is_refused(stamped, tmp_path):
    """Nothing is written outside the directory."""
    [good] = stamped[0].stamps
    for name in ("../lab", "a b", "", "$(id)", "-rf", "Lab"):
        stamp = dataclasses.replace(good.stamp, authority=name)
        bad = bundle_of(stamps=(Stamped(stamp, good.certificates),))
        with pytest.raises(ConfigError, match="file name"):
            write_bundle(bad, tmp_path / "proof")


def test_a_large_message_is_written_as_it_is(tmp_path):
    """Longer than one window of reading."""
    message = RawBytes(os.urandom(3_000_000))
    bundle = bundle_of(message=message)
    write_bundle(bundle, tmp_path / "proof")
    assert (tmp_path / "proof" / "message.eml").read_bytes() == message.window(0, 3_000_000)
    assert grades(tmp_path / "proof", Trust(bundle.keys))["message"] is Grade.OK
    assert ORIGIN in (tmp_path / "proof" / "HOW-TO-CHECK.md").read_text()
