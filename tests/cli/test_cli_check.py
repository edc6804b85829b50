"""``collector check``: a verdict before the first run, with what to do, and nothing changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sample_mail import SECRET_WORDS, plain, report

from collector.service.exit_code import ExitCode

pytestmark = pytest.mark.dovecot


def checked(collector, code: int = ExitCode.DONE):
    """Run the check; return its facts, and its findings by name."""
    ran = collector.run("check", "--json")
    assert ran.code == code, ran.err
    facts = ran.json()
    found: dict[str, list] = {}
    for each in facts["findings"]:
        found.setdefault(each["name"], []).append(each)
    for word in SECRET_WORDS:
        assert word not in ran.text + ran.err
    return facts, found


@pytest.fixture
def user(dovecot):
    """Return a user with an empty mailbox."""
    return dovecot.new_user()


def test_a_good_mailbox_is_ready_and_nothing_is_changed(collector, user) -> None:
    """Before the first run: what waits is looked at, and stays as it is."""
    user.append(*(report(number) for number in range(9)), plain(9))
    before = (user.messages(), user.flags())
    collector.configure(collector.mailbox(user))
    facts, found = checked(collector)
    assert facts["verdict"] == "ready-with-warnings"  # the certificate ends in three days
    (sample,) = found["sample"]
    assert sample["detail"] == (
        "of the 10 newest: 9 exchange reports, 1 plain copy without envelope"
    )
    assert sample["result"] == "warning"
    (dry_run,) = found["dry-run"]
    assert dry_run["detail"].startswith(f"UID 10: {len(plain(9))} bytes, sha256:")
    assert "removed by uid-expunge; nothing was changed" in dry_run["detail"]
    assert (user.messages(), user.flags()) == before
    assert not collector.archive.exists()
    for each in facts["findings"]:
        assert each["result"] == "ok" or each["hint"]
        assert each["result"] == "ok" or f"{each['subject']}: {each['hint']}" in facts["todo"]


def test_a_verdict_is_printed_with_what_to_do(collector, user) -> None:
    """For a person: a list at the end, numbered."""
    user.append(plain(1))
    collector.configure(collector.mailbox(user))
    ran = collector.run("check")
    assert ran.code == ExitCode.DONE
    last = ran.text.split("\n\n")[-1]
    assert last.startswith("ready, with warnings\n  1. ")
    assert "have it renewed on the server" in last


def test_an_empty_folder_is_no_fault(collector, user) -> None:
    """There is nothing to look at yet."""
    collector.configure(collector.mailbox(user))
    _, found = checked(collector)
    assert found["sample"][0]["result"] == "ok"
    assert "dry-run" not in found


@pytest.mark.parametrize(
    ("mail", "changed", "hint"),
    [
        (plain, {"format": "exchange"}, "what is no report is archived and quarantined"),
        (plain, {}, "is it the journal mailbox"),
        (report, {"report_senders": ["nobody@example.net"]}, "conflict with what a genuine"),
    ],
)
def test_what_does_not_look_like_the_journal_is_told(collector, user, mail, changed, hint) -> None:
    """With what may be wrong: the mailbox, its format, or whose word is believed."""
    user.append(mail(1), mail(2))
    collector.configure(collector.mailbox(user, **changed))
    _, found = checked(collector)
    assert found["sample"][0]["result"] == "warning"
    assert hint in found["sample"][0]["hint"]


def test_what_is_archived_already_is_told(collector, user) -> None:
    """The bytes would not be stored a second time."""
    user.append(report(1))
    collector.configure(collector.mailbox(user, delete=False))
    assert collector.run("collect").code == ExitCode.DONE
    _, found = checked(collector)
    assert "left in the mailbox; nothing was changed" in found["dry-run"][0]["detail"]
    assert (
        "would be noted as a copy of 1 as exchange, 2 recipient(s)"
        in (found["dry-run"][0]["detail"])
    )


def test_a_wrong_password_is_not_ready(collector, user) -> None:
    """The rest of the machine is looked at all the same."""
    collector.configure(collector.mailbox(user))
    (collector.home / "imap-password").write_text("wrong")
    facts, found = checked(collector, ExitCode.LATER)
    assert facts["verdict"] == "not-ready"
    assert "check username and password" in facts["todo"][0]
    assert found["disk"][0]["result"] in {"ok", "warning"}
    assert "sample" not in found


def test_secrets_that_others_can_read_are_told(collector, user) -> None:
    """Password and keys: by every user a failure, by the group a warning."""
    user.append(report(1))
    collector.configure(collector.mailbox(user, delete=False))
    assert collector.run("collect").code == ExitCode.DONE
    (collector.archive / "checkpoints" / "log.key").chmod(0o640)
    (collector.archive / "canary.key").touch(0o644)
    _, found = checked(collector, ExitCode.LATER)
    (collector.archive / "canary.key").unlink()
    told = {each["subject"].rpartition("/")[2]: each for each in found["secrets"]}
    assert (told["log.key"]["result"], told["canary.key"]["result"]) == ("warning", "failed")
    assert told["log.key"]["hint"].startswith("chmod 0600 ")
    (collector.home / "imap-password").chmod(0o644)
    _, found = checked(collector, ExitCode.LATER)
    told = {each["subject"].rpartition("/")[2]: each["result"] for each in found["secrets"]}
    assert told == {"imap-password": "failed", "log.key": "warning"}


def test_the_medium_and_the_disk_are_looked_at(collector, user) -> None:
    """Whether a proof reaches it, and how much of it is free."""
    user.append(*(plain(number, 700_000) for number in range(3)))
    collector.configure(collector.mailbox(user))
    _, found = checked(collector)
    assert found["read-back"][0]["detail"].startswith("a proof")
    assert "3 messages wait, 2 MiB" in found["disk"][0]["detail"]
    left = {each.name for each in collector.home.iterdir()}
    assert left == {"collector.toml", "imap-password"}


def test_a_rate_that_was_seen_for_a_day_gives_forecasts(collector, user) -> None:
    """Of disk and quota, from when messages arrived."""
    client = user.connected()
    for days in (3, 2, 1):
        when = datetime.now(UTC) - timedelta(days=days)
        client.append("INBOX", None, when, plain(days, 400_000))
    client.logout()
    collector.configure(collector.mailbox(user))
    _, found = checked(collector)
    assert "a day" not in found["disk"][0]["detail"]
    assert collector.run("collect").code == ExitCode.DONE
    _, found = checked(collector)
    assert "MiB and 1 messages a day (seen for 3 days)" in found["disk"][0]["detail"]
    assert "days if nothing were collected" in found["quota"][0]["detail"]


def test_a_client_secret_is_told_before_it_expires(collector, user) -> None:
    """The day somebody wrote down, a month before."""
    secret = collector.home / "client-secret"
    secret.touch(mode=0o600)
    secret.write_text("x")
    last_day = datetime.now(UTC).date() + timedelta(days=10)
    table = collector.mailbox(user).replace('password_file = "imap-password"', "")
    collector.configure(
        f"{table}\n[mailbox.oauth]\nprovider = 'microsoft'\ntenant = 't'\nclient_id = 'c'\n"
        f"client_secret_file = 'client-secret'\nclient_secret_expires_on = {last_day}\n"
        f"authority = 'https://localhost:1'\n"
    )
    facts, found = checked(collector, ExitCode.LATER)
    assert found["client-secret"][0]["result"] == "warning"
    assert "in 10 days" in found["client-secret"][0]["detail"]
    assert found["token"][0]["result"] == "failed"
    assert "https://localhost:1/t" in found["token"][0]["detail"]
    assert facts["verdict"] == "not-ready"


def test_a_mailbox_that_may_not_be_emptied_is_not_ready(collector, dovecot, user) -> None:
    """No right to delete: what is there is looked at all the same."""
    user.append(report(1))
    reader = dovecot.new_user("reader")
    dovecot.doveadm("acl", "set", "-u", user.name, "INBOX", f"user={reader.name}", "lookup", "read")
    collector.configure(collector.mailbox(reader, folders=[f"shared/{user.name}"]))
    _, found = checked(collector, ExitCode.LATER)
    assert found["permanentflags"][0]["result"] == "failed"
    assert found["rights"][0]["result"] == "failed"
    assert found["sample"][0]["detail"] == "of the 1 newest: 1 exchange report"
