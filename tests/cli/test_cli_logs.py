"""No secret and no body in any log, no subject and no address at INFO."""

from __future__ import annotations

import pytest
from collector_program import Collector
from sample_mail import SECRET_WORDS, mixed

BODY = "quokka-body"


@pytest.mark.parametrize(
    ("level", "forbidden"),
    [("info", SECRET_WORDS), ("debug", (BODY,))],
)
def test_what_a_whole_run_logs(collector: Collector, dovecot, level, forbidden) -> None:
    """Collecting, with a message set aside, logs neither the password nor what mail says."""
    user = dovecot.new_user()
    user.append_many([*mixed(20), b"quokka-body zanzibar-subject without a header\r\n" * 9])
    collector.configure(
        collector.mailbox(user, password_env="JOURNAL_PASSWORD"), log=f'level = "{level}"'
    )
    done = collector.run("collect", JOURNAL_PASSWORD=user.password)
    assert done.code == 4
    assert "message.committed" in done.err
    assert user.password not in done.err.replace("secret.example", "")
    for word in forbidden:
        assert word not in done.err
        assert word not in done.text
