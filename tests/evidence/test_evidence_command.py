"""Signing through a command, real ones."""

import sys
import time

import psutil
import pytest
from evidence_authority import openssl
from evidence_samples import ORIGIN, checkpoint_of, signer_of, sync

from collector.domain.errors import ConfigError, CycleError
from collector.evidence.checkpoint import read_checkpoint, sign_checkpoint
from collector.evidence.command import ANSWER_BYTES_MAX, CommandSigner
from collector.evidence.keys import create_key_file, decode_public_key


def shell(script, key=None, timeout_s=20.0):
    """Return a signer that is a shell script."""
    return CommandSigner(("sh", "-c", script), key or signer_of().key, timeout_s)


def test_openssl_behind_a_command_signs_a_checkpoint(tmp_path):
    """The text goes in, the signature comes out, and the checkpoint verifies."""
    key = create_key_file(tmp_path / "key", ORIGIN, sync)
    signer = shell(
        f"cat > {tmp_path}/text && openssl pkeyutl -sign -rawin -inkey {tmp_path}/key"
        f" -in {tmp_path}/text | openssl base64 -A",
        key,
    )
    checkpoint = checkpoint_of([b"a", b"b"]).checkpoint
    signed = sign_checkpoint(checkpoint, [signer])
    assert read_checkpoint(signed.raw, [key]).checkpoint == checkpoint
    assert (tmp_path / "text").read_text() == signed.raw.decode().split("\n\n")[0] + "\n"
    public = openssl("pkey", "-in", tmp_path / "key", "-pubout")
    assert decode_public_key(ORIGIN, public) == key


def test_a_command_that_signs_with_another_key_is_noticed(tmp_path):
    """The public key was known beforehand."""
    create_key_file(tmp_path / "other", ORIGIN, sync)
    signer = shell(
        f"cat > {tmp_path}/text && openssl pkeyutl -sign -rawin -inkey {tmp_path}/other"
        f" -in {tmp_path}/text | openssl base64 -A"
    )
    with pytest.raises(ConfigError, match="another key than configured"):
        sign_checkpoint(checkpoint_of([b"a"]).checkpoint, [signer])


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("exit 3", "ended with 3"),
        ("cat > /dev/null; echo c2lnbmF0dXJl; exit 1", "ended with 1"),
        ("echo not base64", "did not answer with a signature"),
        ("printf '\\377'", "did not answer with a signature"),
        (f"head -c {ANSWER_BYTES_MAX + 1} /dev/zero", "says far more"),
        ("yes", "says far more"),
    ],
)
def test_a_command_that_does_not_sign_fails(script, why):
    """Each failure says what the command did."""
    with pytest.raises(CycleError, match=why):
        shell(script).sign(b"text")


def test_a_command_that_is_not_there_fails():
    """No such program."""
    with pytest.raises(CycleError, match="cannot be run: No such file"):
        CommandSigner(("/nonexistent/signer",), signer_of().key).sign(b"text")


def test_a_silent_command_that_reads_nothing_still_signs():
    """An answer counts even when the text was never read to its end."""
    assert shell("exec 0<&-; echo AAAA").sign(b"x" * 1_000_000) == b"\0\0\0"


@pytest.mark.parametrize(
    "script",
    [
        "sleep 60",
        "sleep 60 & exit 0",
        (
            f'exec {sys.executable} -c \'import time; [print(end="a", flush=True) or time.sleep(.1)'
            " for _ in range(600)]'"
        ),
    ],
    ids=["hangs", "leaves a child", "drips"],
)
def test_a_slow_command_is_ended_with_its_children(script):
    """Time is bounded, and nobody stays behind."""
    before = set(psutil.Process().children(recursive=True))  # servers of other tests
    began = time.monotonic()
    with pytest.raises(CycleError, match=r"did not answer within 0\.5 s"):
        shell(script, timeout_s=0.5).sign(b"text")
    assert time.monotonic() - began < 10
    left = set(psutil.Process().children(recursive=True)) - before
    assert [child.name() for child in left if child.status() != psutil.STATUS_ZOMBIE] == []
