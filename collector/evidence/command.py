"""A signing key on another host or token, reached through a command.

Rule: the command gets the text on its standard input and answers with the
signature in base64 on its standard output; it is started without a shell,
bounded in time and in what it may say, and not believed: the caller checks the
signature with the public key it was told beforehand.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from collector.domain.errors import CycleError
from collector.evidence.note import VerifierKey, decode_base64

ANSWER_BYTES_MAX = 1024
"""A signature is 88 characters; whoever says more than this is not a signer."""


@dataclass(frozen=True, slots=True)
class CommandSigner:
    """Signs through a command; its standard error goes where ours goes.

    Attributes:
        argv: program and arguments.
        key: the public key it is expected to sign with.
        timeout_s: seconds until the command and its children are ended.
    """

    argv: tuple[str, ...]
    key: VerifierKey
    timeout_s: float = 30.0

    def sign(self, text: bytes) -> bytes:
        """Return the signature of ``text``.

        Raises:
            CycleError: the command failed, was too slow or said something else.
        """
        try:
            answer = self._ask(text)
        except OSError as error:
            raise self._failed(f"it cannot be run: {error.strerror}") from error
        signature = decode_base64(answer.decode("ascii", errors="replace").strip())
        if signature is None:
            raise self._failed("it did not answer with a signature in base64")
        return signature

    def _ask(self, text: bytes) -> bytes:
        process = subprocess.Popen(
            self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        with _ended_after(process, self.timeout_s) as too_slow, process:
            assert process.stdin is not None  # noqa: S101 - Popen was asked for both pipes
            assert process.stdout is not None  # noqa: S101
            with contextlib.suppress(BrokenPipeError):  # it may sign without having read
                process.stdin.write(text)
                process.stdin.close()
            answer = process.stdout.read(ANSWER_BYTES_MAX + 1)
            if len(answer) > ANSWER_BYTES_MAX:
                _end(process)
                raise self._failed("it says far more than a signature")
            exit_code = process.wait()
        if too_slow.is_set():
            raise self._failed(f"it did not answer within {self.timeout_s:g} s")
        if exit_code:
            raise self._failed(f"it ended with {exit_code}")
        return answer

    def _failed(self, why: str) -> CycleError:
        return CycleError(
            f"the signing command failed: {why}",
            subject=self.argv[0],
            hint="run it by hand with a file on its standard input",
        )


@contextmanager
def _ended_after(process: subprocess.Popen[bytes], timeout_s: float) -> Iterator[threading.Event]:
    """End the process and its children after ``timeout_s``; the event says that it was so."""
    too_slow = threading.Event()

    def end() -> None:
        too_slow.set()
        _end(process)

    timer = threading.Timer(timeout_s, end)
    timer.start()
    try:
        yield too_slow
    finally:
        timer.cancel()
        timer.join()


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
