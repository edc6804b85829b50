"""What an issuer's refusal means: somebody must act, or it passes.

Rule: the issuer's own code and text are told, cleaned; a person searches the web for them.

Codes: RFC 6749, sections 4.1.2.1 and 5.2; RFC 8628, section 3.5.
"""

from __future__ import annotations

from collector.domain.errors import ConfigError, CycleError, LoginError
from collector.domain.foreign import clean

PASSING = {"temporarily_unavailable", "server_error", "slow_down", "internal_failure"}
EXTRA = "pip install 'journal-collector[oauth]'"


def refused(code: str, text: str, issuer: str, hint: str) -> CycleError:
    """Return the error of a refusal.

    Args:
        code: as the RFCs name it; empty when none was given.
        text: the issuer's explanation.
        hint: what to look at when somebody must act.
    """
    told = clean(": ".join(each for each in (code, text) if each)) or "no reason told"
    what = f"the issuer refuses an access token: {told}"
    if code in PASSING:
        return CycleError(what, subject=issuer, hint="it is tried again")
    return LoginError(what, subject=issuer, hint=hint)


def unreachable(issuer: str, error: BaseException) -> CycleError:
    """Return the error of an issuer that does not answer as one."""
    kind = type(error).__name__
    return CycleError(
        f"no access token could be fetched ({kind})",
        subject=issuer,
        hint="check network, proxy and ca_file; it is tried again",
    )


def missing_library(name: str) -> ConfigError:
    """Return the error of an extra that is not installed."""
    return ConfigError(f"tokens need the library {name}", subject="[mailbox.oauth]", hint=EXTRA)
