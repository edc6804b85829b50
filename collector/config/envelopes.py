"""The keys that say whose word counts for the envelopes in a mailbox.

Rule: none of them decides whether a message is archived; they decide what of it is
believed (format reference, 1.9 and 5).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictInt, field_validator

from collector.config.values import Flag, Section, Text, Texts, refused
from collector.domain.journal import JournalFormat, JournalProfile
from collector.formats.presets import PRESETS


class EnvelopeSettings(Section):
    """What one journal mailbox holds, and what about it is believed."""

    format: JournalFormat = JournalFormat.AUTO
    server: Text | None = None
    recipient_headers: Texts = ()
    sender_headers: Texts = ()
    addresses: Texts | None = None
    plus_addressing: Flag = False
    own_received_count: Annotated[StrictInt, Field(ge=1, le=20)] = 1
    alternate: Flag = False
    report_senders: Texts = ()
    return_paths: Texts = ()
    connecting_hosts: Texts = ()
    tenants: Texts = ()
    authserv_id: Text | None = None
    authserv_below: Flag = False
    authenticated_domains: Texts = ()

    @field_validator("server")
    @classmethod
    def _known_server(cls, server: str | None) -> str | None:
        if server is not None and server not in PRESETS:
            raise refused("this mail server has no preset", f"known are {', '.join(PRESETS)}")
        return server

    def profile_for(self, username: str) -> JournalProfile:
        """Return what the reader of messages needs.

        Args:
            username: of the account; the mailbox's own address when it is one and
                ``addresses`` does not tell.
        """
        own = (username,) if "@" in username else ()
        return JournalProfile(
            format=self.format,
            server=self.server or "",
            recipient_headers=self.recipient_headers,
            sender_headers=self.sender_headers,
            addresses=own if self.addresses is None else self.addresses,
            plus_addressing=self.plus_addressing,
            own_received_count=self.own_received_count,
            alternate=self.alternate,
            report_senders=self.report_senders,
            return_paths=self.return_paths,
            connecting_hosts=self.connecting_hosts,
            tenants=self.tenants,
            authserv_id=self.authserv_id or "",
            authserv_below=self.authserv_below,
            authenticated_domains=self.authenticated_domains,
        )
