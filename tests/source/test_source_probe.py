"""``collector check``: what a mailbox can and cannot do, said before it is collected."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fault_proxy import Close, FaultProxy, Reply, Rule
from played_imap import PlayedImap
from source_samples import account_of, letter

from collector.domain.finding import Grade
from collector.source.probe import probe
from collector.source.rights import Access, others, read_acl, read_myrights

pytestmark = pytest.mark.dovecot


def findings_of(user, tmp_path, folder="INBOX", **changes):
    """Return the findings by name; several of one name become a list."""
    found: dict[str, list] = {}
    for each in probe(account_of(user, tmp_path, **changes), folder):
        assert each.subject == f"journal:{folder}"
        assert each.grade is Grade.OK or each.hint
        found.setdefault(each.name, []).append(each)
    return found


def test_a_mailbox_of_one_s_own(dovecot, tmp_path) -> None:
    """Everything is looked at, in order; the owner has more rights than needed."""
    user = dovecot.new_user()
    user.append(letter(1))
    found = findings_of(user, tmp_path)
    assert list(found) == [
        "connection",
        "login",
        "uidplus",
        "move",
        "idle",
        "folder",
        "deletion",
        "rights",
        "others",
        "quota",
        "accounting",
    ]
    assert "TLSv1" in found["connection"][0].detail
    assert found["folder"][0].detail == "1 messages"
    assert found["deletion"][0].detail == "by uid-expunge"
    assert found["rights"][0].grade is Grade.WARNING
    assert "delete the folder" in found["rights"][0].detail
    assert found["others"][0].grade is Grade.OK
    assert found["quota"][0].grade is Grade.OK
    assert user.flags() == {1: set()}


def test_others_with_rights_are_named(dovecot, tmp_path) -> None:
    """Who reads or deletes is a danger; who only deposits is not."""
    user = dovecot.new_user()
    user.append(letter(1))
    for who, rights in (
        ("user=post", ["lookup", "insert", "post"]),
        ("user=reader", ["lookup", "read"]),
        ("user=thief", ["lookup", "read", "write-deleted", "expunge"]),
        ("authenticated", ["lookup", "write-deleted"]),
    ):
        dovecot.doveadm("acl", "set", "-u", user.name, "INBOX", who, *rights)
    told = [each.detail for each in findings_of(user, tmp_path)["others"]]
    assert any("reader can read the journal" in each for each in told)
    assert any("thief can read and delete from the journal" in each for each in told)
    assert any("authenticated" in each and "can delete from" in each for each in told)
    assert not any("post can" in each for each in told)


def test_a_collector_with_just_its_rights(dovecot, tmp_path) -> None:
    """``lrte`` is enough to work; who else has rights cannot be seen then, and is said."""
    owner, collector = dovecot.new_user(), dovecot.new_user("collector")
    owner.append(letter(1))
    rights = ["lookup", "read", "write-deleted", "expunge"]
    dovecot.doveadm("acl", "set", "-u", owner.name, "INBOX", f"user={collector.name}", *rights)
    found = findings_of(collector, tmp_path, folder=f"shared/{owner.name}")
    assert found["rights"][0].grade is Grade.OK
    assert found["deletion"][0].grade is Grade.OK
    assert "cannot be checked" in found["others"][0].detail


def test_a_collector_without_the_right_to_delete(dovecot, tmp_path) -> None:
    """It fails with the missing letters and a hint."""
    owner, reader = dovecot.new_user(), dovecot.new_user("reader")
    owner.append(letter(1))
    dovecot.doveadm(
        "acl", "set", "-u", owner.name, "INBOX", f"user={reader.name}", "lookup", "read"
    )
    found = findings_of(reader, tmp_path, folder=f"shared/{owner.name}")
    assert found["deletion"][0].grade is Grade.FAILED
    assert found["rights"][0].grade is Grade.FAILED
    assert "t (flag them as deleted), e (expunge them)" in found["rights"][0].detail


def test_a_full_mailbox_warns_early(dovecot_with, tmp_path) -> None:
    """A journal mailbox over its quota bounces reports."""
    user = dovecot_with(quota_mib=1).new_user()
    user.append(letter(1, size_bytes=900_000))
    (quota,) = findings_of(user, tmp_path)["quota"]
    assert quota.grade is Grade.WARNING
    assert "of 1024 KiB" in quota.detail


def test_a_folder_with_a_space_has_a_quota_too(dovecot, tmp_path) -> None:
    """IMAPClient does not quote the name there."""
    user = dovecot.new_user()
    dovecot.doveadm("mailbox", "create", "-u", user.name, "The Journal")
    found = findings_of(user, tmp_path, folder="The Journal")
    assert found["quota"][0].grade is Grade.OK
    assert "KiB" in found["quota"][0].detail


def test_without_uidplus_the_remedy_is_told(dovecot_with, tmp_path) -> None:
    """Refused, moved, or by plain EXPUNGE with a warning."""
    user = dovecot_with(hidden=("UIDPLUS", "MOVE")).new_user()
    found = findings_of(user, tmp_path)
    assert found["uidplus"][0].grade is Grade.WARNING
    assert "move" not in found
    assert found["deletion"][0].grade is Grade.FAILED
    assert "exclusive = true" in found["deletion"][0].hint
    (deletion,) = findings_of(user, tmp_path, exclusive=True)["deletion"]
    assert deletion.grade is Grade.WARNING


def test_a_server_whose_expunge_takes_a_label_off_is_told(tmp_path) -> None:
    """Gmail: messages must be moved to its trash to be gone."""
    with PlayedImap(capability="IMAP4rev1 UIDPLUS MOVE X-GM-EXT-1") as server:
        (deletion,) = findings_of(server.user(), tmp_path)["deletion"]
        assert deletion.grade is Grade.WARNING
        assert "deleted_folder" in deletion.hint
        (deletion,) = findings_of(server.user(), tmp_path, deleted_folder="[Gmail]/Bin")["deletion"]
        assert (deletion.grade, deletion.detail) == (Grade.OK, "by move")


def test_a_missing_folder_does_not_end_the_check(dovecot, tmp_path) -> None:
    """What can still be looked at is looked at."""
    found = findings_of(dovecot.new_user(), tmp_path, folder="Nowhere")
    assert found["folder"][0].grade is Grade.FAILED
    assert "others" in found


def test_a_refused_login_ends_the_check(dovecot, tmp_path) -> None:
    """Nothing more can be seen; the password is not told."""
    user = replace(dovecot.new_user(), password="tr0ub4dor&3")
    found = findings_of(user, tmp_path)
    assert list(found) == ["connection", "login"]
    assert found["login"][0].grade is Grade.FAILED
    assert "tr0ub4dor" not in repr(found)


def test_a_host_that_is_not_there_is_one_finding(tmp_path) -> None:
    """With a hint at host and port."""
    with PlayedImap() as server:
        user = server.user()
        found = findings_of(user, tmp_path, port=1)
    assert list(found) == ["connection"]
    assert "refused" in found["connection"][0].detail


@pytest.mark.parametrize("command", ["SELECT", "MYRIGHTS", "GETACL", "GETQUOTAROOT"])
def test_a_step_that_fails_is_a_finding(dovecot, tmp_path, command) -> None:
    """Refused: the check goes on.  Lost: it ends, with what was seen before."""
    user = dovecot.new_user()
    with FaultProxy(dovecot, Rule(command, Reply(("{tag} NO no",)))) as proxy:
        assert "quota" in findings_of(proxy.user(user), tmp_path)
    with FaultProxy(dovecot, Rule(command, Close())) as proxy:
        found = findings_of(proxy.user(user), tmp_path)
        last = list(found.values())[-1][-1]
        assert last.grade is Grade.FAILED
        assert "closed" in last.detail


def test_rights_are_read_in_every_form() -> None:
    """Quoted, in the letters of RFC 2086, negative, with groups."""
    assert read_myrights(b'* MYRIGHTS "a b" lrd') == frozenset("lrtex")
    assert read_myrights(b"* MYRIGHTS INBOX lrtedc") == frozenset("lrte")
    assert read_myrights(b"* OK done") is None
    acl = read_acl(b'* ACL "INBOX" "owner" "lrswipcda" anyone lr -bob d "me" lrte')
    assert acl is not None
    assert [each.who for each in others(acl, "me")] == ["owner", "anyone"]
    assert Access("a", frozenset("lip")).may_read is False
    assert Access("a", frozenset("lt")).may_delete is True
    assert read_acl(b"* ACL INBOX") == []
