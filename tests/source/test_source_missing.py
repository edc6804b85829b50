"""A server that is missing is never passed over in silence."""

from __future__ import annotations

import pytest
from throwaway import found


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail), ("", pytest.skip)])
def test_a_missing_server_fails_in_ci_and_skips_elsewhere(monkeypatch, ci, outcome) -> None:
    """With what is missing, what that means, and how to get it."""
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome.Exception, match="is NOT tested: apt-get install nothing"):
        found("a-server-nobody-has", "apt-get install nothing")
