"""Memory stays flat, however large a message is."""

from __future__ import annotations

import subprocess
import sys

from collector_program import Collector
from sample_mail import plain, report

MEMORY_BYTES_MAX = 150 * 1024 * 1024
MESSAGE_BYTES = 100 * 1024 * 1024
MEASURE = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""
"""Started by a small process: a child's peak begins with its parent's at the fork."""


def test_a_message_of_100_mb(collector: Collector, dovecot) -> None:
    """Collecting, proving and reading a 100 MB report takes less than 150 MB of memory."""
    user = dovecot.new_user()
    user.append_many([plain(1), report(3, MESSAGE_BYTES), plain(5)], at_once=1)
    collector.configure(collector.mailbox(user), log='level = "error"')
    for command in (["collect"], ["verify"], ["show", "2", "--message"]):
        measured = subprocess.check_output(
            [sys.executable, "-c", MEASURE, *collector.command(*command)], text=True
        )
        code, memory_bytes = map(int, measured.split())
        assert code == 0
        assert memory_bytes < MEMORY_BYTES_MAX, command
    assert user.messages() == {}
    assert len(collector.run("show", "2", "--message").out) > MESSAGE_BYTES
