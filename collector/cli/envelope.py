"""An envelope as a person reads it: who really got the message, by which way, how certain.

Rule: what a mail server recorded, what an author wrote, and what a report inside
the report claims are never put under one heading.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from collector.domain.journal import Envelope, Recipient, Trust, Unwrapped

WAYS = {"expanded": "through the list", "forwarded": "forwarded from"}
TRUST = {
    Trust.VERIFIED: "its origin is confirmed",
    Trust.UNVERIFIED: "its origin is not confirmed",
    Trust.CONFLICTING: "what speaks for its origin and what speaks against it disagree",
}


def envelope_lines(unwrapped: Unwrapped) -> Iterator[str]:
    """Yield the lines that tell sender and recipients."""
    outer = unwrapped.envelope
    recorded = [each for each in outer.recipients if not each.derived]
    if recorded:
        yield f"received by, as the mail server recorded ({_trust(unwrapped)}):"
        yield from _recipients(recorded)
    else:
        yield "who received it is not recorded"
    if derived := [each for each in outer.recipients if each.derived]:
        yield "addressed by the author, which is no proof of receipt:"
        yield from _recipients(derived)
    for nested in unwrapped.nested:
        yield f"claimed by a report inside, {nested.level} deep; anybody could have put it there:"
        yield f"  sender {nested.sender or '-'}"
        yield from _recipients(nested.recipients)


def sender_of(envelope: Envelope) -> str:
    """Return who sent the message, and for whom."""
    behalf = f", on behalf of {envelope.on_behalf_of}" if envelope.on_behalf_of else ""
    return f"{envelope.sender or '-'}{behalf}"


def _trust(unwrapped: Unwrapped) -> str:
    reasons = f": {', '.join(unwrapped.trust_reasons)}" if unwrapped.trust_reasons else ""
    return f"{TRUST[unwrapped.trust]}{reasons}"


def _recipients(recipients: Iterable[Recipient]) -> Iterator[str]:
    for each in recipients:
        way = "".join(f", {WAYS.get(step.how, step.how)} {step.address}" for step in each.via)
        hidden = ", named in no header of the message" if each.undisclosed else ""
        source = "" if each.source == "report" else f", read from {each.source}"
        yield f"  {each.kind.value:<10} {each.address}{way}{hidden}{source}"
