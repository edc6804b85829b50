"""Access tokens as an issuer would sign them (RFC 7519, HS256), and a Dovecot that takes them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path

ISSUER = "https://issuer.example"
AUDIENCE = "journal-imap"
KEY = b"throwaway-key-of-the-tests-throwaway-key"

OAUTH_2_3 = """\
introspection_mode = local
local_validation_key_dict = fs:posix:prefix=@root@/keys/
username_attribute = sub
issuers = @issuer@
client_id = @audience@
"""
PASSDB_2_3 = """\
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = @root@/oauth2.conf.ext
}
"""
PASSDB_2_4 = """\
oauth2_introspection_mode = local
oauth2_username_attribute = sub
oauth2_issuers = @issuer@
oauth2_client_id = @audience@
oauth2_local_validation {
  dict fs {
    fs posix {
      prefix = @root@/keys/
    }
  }
}
passdb oauth2 {
  mechanisms_filter = xoauth2 oauthbearer
}
"""


def make_token(user: str, valid_s: float = 3600.0, issuer: str = ISSUER) -> str:
    """Return a signed token for ``user``; one of the past when ``valid_s`` is negative."""
    now = int(time.time())
    claims = {
        "sub": user,
        "iss": issuer,
        "aud": AUDIENCE,
        "iat": now - 7200,
        "nbf": now - 7200,
        "exp": now + int(valid_s),
    }
    text = ".".join(_part(each) for each in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{text}.{_encoded(hmac.new(KEY, text.encode(), hashlib.sha256).digest())}"


def _part(value: dict[str, object]) -> str:
    return _encoded(json.dumps(value).encode())


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def take_tokens(root: Path, version: str) -> str:
    """Write what a Dovecot needs to check such tokens; return its part of the configuration."""
    keys = root / "keys" / "default" / "HS256"
    keys.mkdir(parents=True, exist_ok=True)
    (keys / "default").write_bytes(base64.b64encode(KEY))
    (root / "oauth2.conf.ext").write_text(_filled(OAUTH_2_3, root), encoding="ascii")
    return _filled(PASSDB_2_3 if version.startswith("2.3") else PASSDB_2_4, root)


def _filled(text: str, root: Path) -> str:
    for name, value in (("root", str(root)), ("issuer", ISSUER), ("audience", AUDIENCE)):
        text = text.replace(f"@{name}@", value)
    return text
