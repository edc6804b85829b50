"""``collector check``: what a mailbox can and cannot do, said before it is collected."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from bearer_tokens import make_token
from fault_proxy import Close, FaultProxy, Reply, Rule
from played_imap import PlayedImap
from source_samples import account_of, letter

from collector.domain.access import AccessToken
from collector.domain.errors import LoginError
from collector.domain.finding import Grade
from collector.source.probe import probe
from collector.source.rights import Access, others, read_acl, read_myrights

pytestmark = pytest.mark.dovecot


def findings_of(user, tmp_path, folder="INBOX", **changes):
    """Return the findings by name; several of one name become a list."""
    found: dict[str, list] = {}
    arrivals = changes.pop("arrivals_bytes_day", None)
    now = changes.pop("now", lambda: datetime.now(UTC))
    for each in probe(account_of(user, tmp_path, **changes), folder, now, arrivals):
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
        "dns",
        "connection",
        "certificate",
        "login",
        "provider",
        "uidplus",
        "move",
        "idle",
        "folder",
        "permanentflags",
        "deletion",
        "rights",
        "others",
        "quota",
        "server-clock",
        "accounting",
    ]
    assert "127.0.0.1" in found["dns"][0].detail
    assert found["provider"][0].detail.startswith("dovecot, by what it shows")
    assert found["server-clock"][0].detail == "as ours, to some seconds"
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
        assert deletion.grade is Grade.FAILED
        assert "deleted_folder" in deletion.hint
        (deletion,) = findings_of(server.user(), tmp_path, provider="generic")["deletion"]
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
    assert list(found) == ["dns", "connection", "certificate", "login"]
    assert found["login"][0].grade is Grade.FAILED
    assert "tr0ub4dor" not in repr(found)


def test_a_host_that_is_not_there_is_one_finding(tmp_path) -> None:
    """With a hint at host and port."""
    with PlayedImap() as server:
        user = server.user()
        found = findings_of(user, tmp_path, port=1)
    assert list(found) == ["dns", "connection"]
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


def test_a_host_without_an_address_is_one_finding(tmp_path) -> None:
    """The name service knows nothing of it."""
    with PlayedImap() as server:
        found = findings_of(server.user(), tmp_path, host="nowhere.invalid")
    assert list(found) == ["dns"]
    assert "not known" in found["dns"][0].detail


def test_a_certificate_is_told_before_it_ends(dovecot, tmp_path) -> None:
    """Whom it is for, by whom, and how long; a warning three weeks before."""
    (found,) = findings_of(dovecot.new_user(), tmp_path)["certificate"]
    assert found.grade is Grade.WARNING
    assert found.detail.startswith("for localhost, 127.0.0.1")
    assert "by throwaway ca; 2 days left" in found.detail


@pytest.mark.parametrize("away", [timedelta(seconds=90), -timedelta(seconds=90), timedelta(days=9)])
def test_the_server_s_clock_is_read_without_writing(dovecot, tmp_path, away) -> None:
    """How old it says the newest message is, against our clock; nothing is changed."""
    user = dovecot.new_user()
    user.append(letter(1))
    time.sleep(1.1)
    with FaultProxy(dovecot) as proxy:
        now = lambda: datetime.now(UTC) - away  # noqa: E731 - our clock is wrong by that much
        (found,) = findings_of(proxy.user(user), tmp_path, now=now)["server-clock"]
        writing = [each for each in proxy.commands if "STORE" in each or "APPEND" in each]
        searches = [each for each in proxy.commands if "YOUNGER" in each]
    assert found.grade is Grade.WARNING
    seconds, _, where = found.detail.partition(" s ")
    assert abs(int(seconds) - abs(away.total_seconds())) <= 3
    assert where == ("ahead of ours" if away > timedelta() else "behind ours")
    assert writing == []
    assert len(searches) <= 40
    assert user.flags() == {1: set()}


def test_a_server_without_within_is_not_guessed_at(dovecot_with, tmp_path) -> None:
    """Unknown is said so, and is no failure; a message from the future tells all the same."""
    user = dovecot_with(hidden=("UNKNOWN",)).new_user()
    user.append(letter(1))
    (found,) = findings_of(user, tmp_path)["server-clock"]
    assert (found.grade, found.detail) == (
        Grade.OK,
        "not known: the server offers no way to ask (WITHIN)",
    )
    now = lambda: datetime.now(UTC) - timedelta(hours=1)  # noqa: E731
    (found,) = findings_of(user, tmp_path, now=now)["server-clock"]
    assert found.grade is Grade.WARNING
    assert "ahead of ours" in found.detail


def test_an_empty_folder_tells_no_time(dovecot, tmp_path) -> None:
    """Nothing was written down there yet."""
    (found,) = findings_of(dovecot.new_user(), tmp_path)["server-clock"]
    assert (found.grade, found.detail) == (
        Grade.OK,
        "not known: no message tells when it arrived",
    )


def test_a_quota_is_forecast_at_the_present_rate(dovecot_with, tmp_path) -> None:
    """How long it would last if nothing were collected; less than two weeks is a warning."""
    user = dovecot_with(quota_mib=100).new_user()
    (found,) = findings_of(user, tmp_path, arrivals_bytes_day=1024**2)["quota"]
    assert (found.grade, found.detail) == (
        Grade.OK,
        "0 of 102400 KiB, full in 100 days if nothing were collected",
    )
    (found,) = findings_of(user, tmp_path, arrivals_bytes_day=10 * 1024**2)["quota"]
    assert found.grade is Grade.WARNING
    assert "full in 10 days" in found.detail


def test_what_no_client_can_see_is_said_of_gmail(tmp_path) -> None:
    """Settings that lose or hide mail are warnings; limits are told."""
    answers = {"^LIST": lambda _: [b'* LIST (\\Trash) "/" "[Gmail]/Bin"\r\n']}
    with PlayedImap(answers, capability="IMAP4rev1 UIDPLUS MOVE X-GM-EXT-1") as server:
        found = findings_of(server.user(), tmp_path)
    assert found["provider"][0].detail == (
        "gmail, by what it shows; deleted messages go to [Gmail]/Bin; 2250 MB in 24 hours; "
        "15 connections at a time"
    )
    hints = " ".join(each.hint for each in found["gmail"] if each.grade is Grade.WARNING)
    assert "maxFolderSize" in hints
    assert "autoExpunge" in hints
    assert "expungeBehavior" in hints
    assert found["deletion"][0].detail == "by move"


def test_a_token_is_looked_at_before_the_login(dovecot_with, tmp_path) -> None:
    """How long it is good for; an issuer that hands out none ends the look."""
    user = dovecot_with(tokens=True).new_user()

    def token(*, fresh):
        return AccessToken(make_token(user.name), 3540.0)

    found = findings_of(user, tmp_path, token=token)
    assert found["token"][0].detail == "handed out, good for 59 minutes"
    assert found["login"][0].grade is Grade.OK

    def none(*, fresh):
        raise LoginError("nobody logged in", hint="run `collector login`")

    found = findings_of(user, tmp_path, token=none)
    assert list(found)[-1] == "token"
    assert found["token"][0].hint == "run `collector login`"


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
