"""``[evidence]``: what is signed, and with which key.

Rule: no key stands in the file, only where it is.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator

from collector.config.mail import MailSettings
from collector.config.values import FilePath, Seconds, Section, Text, Texts, refused, within

LATE = within(60, 365 * 86400, "1min to 365d")
ANCHOR = within(1, 86400, "1s to 1d")
THIN = within(86400, 36500 * 86400, "1d to 36500d")
_ORIGIN = re.compile(r"[^\s+]+")


class EvidenceSettings(Section):
    """The name of the log, the key that signs its checkpoints, and who else sees them."""

    origin: Text | None = None
    key_file: Path | None = None
    key_command: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    public_key: Text | None = None
    stamp_urls: Texts = ()
    stamp_certificates: FilePath | None = None
    stamp_late_after_s: Annotated[Seconds, Field(alias="stamp_late_after"), LATE] = 2 * 3600.0
    anchor_files: tuple[FilePath, ...] = ()
    anchor_urls: Texts = ()
    anchor_interval_s: Annotated[Seconds, Field(alias="anchor_interval"), ANCHOR] = 3600.0
    thin_after_s: Annotated[Seconds, Field(alias="thin_after"), THIN] = 30 * 86400.0
    mail: Annotated[MailSettings, Field(default_factory=lambda: MailSettings.model_validate({}))]
    _directory: Path = PrivateAttr(default=Path())

    def model_post_init(self, context: Any, /) -> None:  # noqa: ANN401 - pydantic's signature
        """Keep the folder of the file, where a relative ``key_file`` is looked up."""
        if context:
            self._directory = context["directory"]

    @property
    def directory(self) -> Path:
        """Where the configuration file lies."""
        return self._directory

    @field_validator("origin")
    @classmethod
    def _key_name(cls, origin: str | None) -> str | None:
        if origin is not None and not _ORIGIN.fullmatch(origin):
            hint = "write a URL of yours without its scheme, as mail.example.net/journal"
            raise refused("this origin cannot be used", hint)
        return origin

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.key_file is not None and self.key_command is not None:
            raise refused("there are two keys", "give key_file or key_command", "key_command")
        return self
