"""The main job, end to end: a real Dovecot is emptied into an archive that can be checked."""

from __future__ import annotations

import hashlib
import json
import subprocess

import pytest
from collector_program import Collector
from sample_mail import mixed, plain, report


@pytest.fixture
def full(collector: Collector, dovecot):
    """Return a configured collector and a user with fourteen messages, two of them the same."""
    user = dovecot.new_user()
    raws = [*mixed(12), plain(0), b"no header at all, but a long line\r\n" * 3]
    user.append_many(raws)
    collector.configure(collector.mailbox(user))
    return collector, user, raws


def test_the_mailbox_is_emptied_into_the_archive(full) -> None:
    """Every message is archived byte for byte, proven, and gone from the mailbox."""
    collector, user, _ = full
    delivered = list(user.messages().values())
    done = collector.run("collect", "--json")
    assert done.code == 4, done.err  # one is quarantined: a person should look
    facts = done.json()
    assert (facts["collected"], facts["cleared"], facts["expunged"]) == (14, 14, 14)
    assert (facts["waiting"], facts["quarantined"], facts["set_aside"]) == (0, 1, 0)
    assert user.messages() == {}
    records = collector.run("list", "--json").lines()
    for record, raw in zip(records, delivered, strict=True):
        assert collector.run("show", str(record["seq"]), "--raw").out == raw
        assert record["digest"] == f"sha256:{hashlib.sha256(raw).hexdigest()}"
        assert record["state"] == "expunged"
    assert collector.run("verify").code == 0


def test_a_second_run_finds_nothing_to_do(full) -> None:
    """Collecting again changes nothing and ends with 0."""
    collector, _, _ = full
    collector.run("collect")
    again = collector.run("collect", "--json")
    assert again.code == 0
    assert again.json()["collected"] == 0


def test_the_true_envelope_can_be_listed(full) -> None:
    """A report tells the Bcc recipient and the list; a copy is marked as not knowing them."""
    collector, _, _ = full
    collector.run("collect")
    records = collector.run("list", "--json").lines()
    envelope = records[1]["envelope"]
    assert records[1]["kind"] == "exchange"
    assert envelope["sender"] == "aardvark@secret.example"
    assert envelope["message_id"] == "<plain-1@example.com>"
    assert [(each["address"], each["kind"]) for each in envelope["recipients"]] == [
        ("first@example.net", "to"),
        ("hidden@example.net", "bcc"),
    ]
    assert envelope["recipients"][0]["via"] == [{"how": "expanded", "address": "team@example.net"}]
    assert records[0]["kind"] == "copy"
    assert {each["kind"] for each in records[0]["envelope"]["recipients"]} == {"header-to"}
    assert [each["seq"] for each in records if each["quarantined"]] == [14]


def test_the_original_comes_out_byte_for_byte(full) -> None:
    """``show --message`` gives the message inside a report; a copy is its own original."""
    collector, _, _ = full
    collector.run("collect")
    assert collector.run("show", "2", "--message").out == plain(1)
    assert collector.run("show", "1", "--message").out == plain(0)
    original = collector.run("list", "--json").lines()[1]["originals"][0]
    assert report(1)[original["offset"] :][: original["length"]] == plain(1)


def test_equal_bytes_are_stored_once(full) -> None:
    """The second arrival of the same bytes is an entry that names the first."""
    collector, _, _ = full
    collector.run("collect")
    records = collector.run("list", "--json").lines()
    assert [each["duplicate_of"] for each in records if each["duplicate_of"]] == [1]
    assert collector.run("show", "13", "--raw").out == plain(0)


def test_a_stranger_reads_the_archive_with_tar_alone(full, tmp_path) -> None:
    """tar, zstd and sha256sum give every message and its receipt."""
    collector, _, raws = full
    collector.run("collect")
    segment = collector.archive / "segments" / "000001.tar.zst"
    subprocess.run(["tar", "--zstd", "-xf", segment, "-C", tmp_path], check=True)
    found = sorted(path.read_bytes() for path in tmp_path.glob("*.eml"))
    assert found == sorted(set(raws))
    receipts = [json.loads(path.read_bytes()) for path in tmp_path.glob("*-????????????????.json")]
    assert sorted(each["seq"] for each in receipts) == list(range(1, 15))


def test_a_rebuilt_ledger_says_the_same(full) -> None:
    """A ledger made from the segments alone lists the same facts and finds the same bytes."""
    collector, _, _ = full
    collector.run("collect")
    before = collector.run("list", "--json").out
    for path in collector.archive.glob("ledger.db*"):
        path.unlink()
    assert collector.run("rebuild").code == 0
    assert collector.run("list", "--json").out == before
    assert collector.run("verify").code == 0
    assert collector.run("collect").code == 0


def test_an_export_is_accepted_by_sha256sum(full) -> None:
    """``sha256sum -c MANIFEST.sha256`` accepts what was exported."""
    collector, _, raws = full
    collector.run("collect")
    dest = collector.home / "out"
    assert collector.run("export", str(dest), "--json").json()["exported"] == 14
    subprocess.run(["sha256sum", "--quiet", "-c", "MANIFEST.sha256"], cwd=dest, check=True)
    assert len(list(dest.glob("*.eml"))) == len(set(raws))
    assert collector.run("export", str(dest)).code == 2  # nothing is overwritten


def test_two_mailboxes_share_one_archive(collector: Collector, dovecot) -> None:
    """Every configured mailbox and folder is emptied; names tell them apart."""
    one, other = dovecot.new_user(), dovecot.new_user()
    one.append_many(mixed(3))
    other.append_many(mixed(5))
    other.command("CREATE", "Spam", folder=None)
    other.append(plain(77), folder="Spam")
    tables = [
        collector.mailbox(one, name="one"),
        collector.mailbox(other, name="other", folders=["INBOX", "Spam"]),
    ]
    collector.configure(*tables)
    done = collector.run("collect", "--mailbox", "other", "--json")
    assert (done.code, done.json()["collected"]) == (0, 6)
    assert len(one.messages()) == 3
    assert collector.run("collect", "--json").json()["collected"] == 3
    assert one.messages() == other.messages() == other.messages("Spam") == {}
    assert (
        len(collector.run("list", "--mailbox", "other", "--folder", "Spam").text.split("\n")) == 2
    )


def test_flags_and_seen_marks_do_not_matter(collector: Collector, dovecot) -> None:
    r"""What another client has read or flagged \Deleted is collected all the same."""
    user = dovecot.new_user()
    user.append_many(mixed(4))
    user.command("UID", "STORE", "1:2", "+FLAGS", r"(\Seen \Deleted)")
    collector.configure(collector.mailbox(user))
    assert collector.run("collect", "--json").json()["collected"] == 4
    assert user.messages() == {}


def test_a_renumbered_mailbox_is_collected_anew(collector: Collector, dovecot) -> None:
    """Under another UIDVALIDITY all messages count as new; equal bytes are not stored twice."""
    user = dovecot.new_user()
    user.append_many(mixed(3))
    table = collector.mailbox(user, delete=False)
    collector.configure(table)
    assert collector.run("collect", "--json").json()["collected"] == 3
    dovecot.renumber(user)
    user.append(plain(9))
    collector.configure(collector.mailbox(user))
    done = collector.run("collect", "--json")
    assert done.json()["collected"] == 4
    assert user.messages() == {}
    assert "mailbox.renumbered" in collector.run("status").text
    records = collector.run("list", "--json").lines()
    assert [each["duplicate_of"] for each in records] == [None, None, None, 1, 2, 3, None]
    assert collector.run("verify").code == 0
