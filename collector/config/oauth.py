"""``[mailbox.oauth]``: where the access tokens of a mailbox come from.

Rule: no secret stands in the file, only where it is; what belongs to another way of
getting tokens is refused, so that nobody believes it counts.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, field_validator, model_validator

from collector.config.password import PasswordFile, SecretFile
from collector.config.values import FilePath, Flag, Section, Text, Texts, refused

_MICROSOFT = ("client_secret_file", "certificate_file", "device_code")
_GOOGLE = ("service_account_file", "refresh_token_file")
_OF_MICROSOFT = ("tenant", "certificate_file", "device_code", "authority")
_OF_GOOGLE = (*_GOOGLE, "token_uri")


class OauthSettings(Section):
    """Who issues tokens, and what he is shown for them."""

    provider: Literal["microsoft", "google"]
    tenant: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,200}$")] | None = None
    client_id: Text | None = None
    client_secret_file: Path | None = None
    client_secret_expires_on: date | None = None
    certificate_file: Path | None = None
    device_code: Flag = False
    service_account_file: Path | None = None
    refresh_token_file: Path | None = None
    scopes: Texts = ()
    authority: Text | None = None
    token_uri: Text | None = None
    ca_file: FilePath | None = None
    kept_tokens_file: FilePath | None = None
    _directory: Path = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:  # noqa: ANN401 - pydantic's signature
        """Keep the folder of the file, where relative names of secrets are looked up."""
        self._directory = context["directory"]

    @field_validator("authority", "token_uri")
    @classmethod
    def _address(cls, address: str | None) -> str | None:
        if address is None:
            return None
        parts = urlsplit(address)
        if parts.scheme != "https" or not parts.hostname or parts.username:
            raise refused("this is not an address for secrets", "write https://host or below it")
        return address.rstrip("/")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = _MICROSOFT if self.provider == "microsoft" else _GOOGLE
        foreign = _OF_GOOGLE if self.provider == "microsoft" else _OF_MICROSOFT
        for key in self._given(foreign):
            raise refused(f"this is not for {self.provider}", "take the line out", key)
        given = self._given(ways)
        if len(given) != 1:
            raise refused("how tokens are got is not clear", f"give exactly one of {_and(ways)}")
        for key in self._given(("client_secret_expires_on",)):
            if self.client_secret_file is None:
                raise refused("there is no client secret", "take the line out", key)
        for key in _NEEDED[given[0]]:
            if getattr(self, key) is None:
                raise refused("this key is missing", f"{given[0]} needs it", key)
        return self

    def _given(self, keys: tuple[str, ...]) -> list[str]:
        return [key for key in keys if getattr(self, key) not in {None, False}]

    def secret(self, key: str) -> PasswordFile:
        """Return what tells the secret of one line that ``key`` names."""
        return PasswordFile(self.secret_file(key))

    def secret_file(self, key: str) -> SecretFile:
        """Return the file that ``key`` names."""
        what = key.removesuffix("_file").replace("_", " ")
        return SecretFile(getattr(self, key), self._directory, what)

    def secret_files(self) -> list[SecretFile]:
        """Return every file with a secret that is named."""
        keys = ("client_secret_file", "certificate_file", *_GOOGLE)
        return [self.secret_file(key) for key in self._given(keys)]


_NEEDED = {
    "client_secret_file": ("tenant", "client_id"),
    "certificate_file": ("tenant", "client_id"),
    "device_code": ("tenant", "client_id"),
    "service_account_file": (),
    "refresh_token_file": ("client_id", "client_secret_file"),
}


def _and(words: tuple[str, ...]) -> str:
    return ", ".join(words)
