"""What unwrapping costs: ``python tests/formats/bench_formats.py``.

Prints the median for a report of 75 KB, and the cost per megabyte up to 100 MB.
"""

from __future__ import annotations

import base64
import random
import statistics
import sys
import time

from report_samples import LINES, message_part, report, text_part

from collector.domain.blob import RawBytes
from collector.formats.unwrap import unwrap

REPORT_BYTES = 75_000
MEDIAN_MS_MAX = 1.0
SIZES_MB = (1, 3, 10, 30, 100)
RATIO_MAX = 3.0
"""Cost per megabyte at 100 MB against 1 MB; caches account for less than this."""


def sample(size_bytes: int) -> bytes:
    """Return a report of about that size around a multipart with a base64 attachment."""
    received = b"".join(
        b"Received: from relay%d.example.net (relay%d.example.net [192.0.2.%d])\r\n"
        b"\tby mx%d.example.net with ESMTPS id %032x;\r\n\tMon, 2 Nov 2026 08:11:0%d +0000\r\n"
        % (number, number, number, number, number * 7919, number)
        for number in range(1, 9)
    )
    stamps = b"".join(
        b"X-MS-Exchange-Organization-Stamp-%d: %s\r\n" % (number, b"0123456789abcdef" * 4)
        for number in range(40)
    )
    header = (
        received + b"From: Billing <billing@supplier.example>\r\nTo: accounting@example.com\r\n"
        b"Subject: Invoice 7\r\nMessage-ID: <inv-7@supplier.example>\r\nMIME-Version: 1.0\r\n"
        + stamps
        + b'Content-Type: multipart/mixed; boundary="inside"\r\n\r\n'
    )
    noise = random.Random(7).randbytes(max(0, (size_bytes - len(header) - 2_500) * 54 // 74))
    attachment = base64.encodebytes(noise).replace(b"\n", b"\r\n")
    original = (
        header
        + b"--inside\r\nContent-Type: text/plain\r\n\r\nPlease pay.\r\n--inside\r\n"
        + b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + attachment
        + b"--inside--\r\n"
    )
    recipients = [b"Recipient: user%d@example.com" % number for number in range(5)]
    return report(text_part(*recipients, lines=LINES), message_part(original))


def seconds(raw: RawBytes, repeat: int) -> list[float]:
    """Return CPU seconds of each of ``repeat`` calls."""
    taken = []
    for _ in range(repeat):
        start = time.process_time()
        unwrapped = unwrap(raw)
        taken.append(time.process_time() - start)
        if unwrapped.reason or not unwrapped.originals:
            raise SystemExit("the sample was not unwrapped")
    return taken


def main() -> int:
    """Print the figures; return 1 when a bound is missed."""
    raw = RawBytes(sample(REPORT_BYTES))
    median_ms = statistics.median(seconds(raw, 1_000)) * 1_000
    print(f"{raw.size_bytes:>11,} bytes   median {median_ms:.3f} ms  (at most {MEDIAN_MS_MAX} ms)")
    per_mb = []
    for size_mb in SIZES_MB:
        raw = RawBytes(sample(size_mb * 1_000_000))
        best = min(seconds(raw, 3)) * 1_000
        per_mb.append(best / (raw.size_bytes / 1e6))
        print(f"{raw.size_bytes:>11,} bytes   {best:8.2f} ms   {per_mb[-1]:.3f} ms/MB")
    ratio = per_mb[-1] / per_mb[0]
    print(f"cost per MB at {SIZES_MB[-1]} MB: {ratio:.2f} times that at {SIZES_MB[0]} MB")
    return int(median_ms > MEDIAN_MS_MAX or ratio > RATIO_MAX)


if __name__ == "__main__":
    sys.exit(main())
