"""The contract, run against every server that can be had."""

from __future__ import annotations

import time

import pytest
from courier_server import CourierServer
from cyrus_server import CyrusServer
from pymap_server import PymapServer
from source_contract import MailboxContract, Place


def place_of(user, folder, tmp_path) -> Place:
    """Return a place whose folder can be deleted and made anew."""

    def remake() -> None:
        time.sleep(1.1)  # UIDVALIDITY is a time in seconds
        user.command("DELETE", folder, folder=None)
        user.command("CREATE", folder, folder=None)

    return Place(user, folder, tmp_path, remake=remake)


@pytest.mark.dovecot
@pytest.mark.parametrize("mail_format", ["maildir", "mdbox"])
class TestDovecot(MailboxContract):
    """Dovecot 2.3, which hands over NIL for a message that is gone."""

    @pytest.fixture
    def place(self, dovecot_with, mail_format, tmp_path):
        """Return a folder of a fresh user."""
        server = dovecot_with(mail_format=mail_format)
        user = server.new_user()
        server.doveadm("mailbox", "create", "-u", user.name, "Journal")
        return place_of(user, "Journal", tmp_path)


@pytest.fixture(scope="class")
def server(request):
    """Return a running server of the class's kind."""
    started = request.cls.server_class()
    yield started
    started.stop()


class OneUser(MailboxContract):
    """Servers with one user and a fresh folder for every test."""

    @pytest.fixture
    def place(self, server, tmp_path):
        """Return a fresh folder."""
        return place_of(server.user(), server.new_folder(), tmp_path)


class TestPymap(OneUser):
    """pymap 0.36, the server of the demonstration."""

    server_class = PymapServer


@pytest.mark.slow
class TestCyrus(OneUser):
    """Cyrus 3.6, which hands over the true body of a message that is gone."""

    server_class = CyrusServer


@pytest.mark.slow
class TestCourier(OneUser):
    """Courier 5, which makes up a message for one that is gone."""

    server_class = CourierServer
