"""TLS and LOGIN in front of a mail server that runs as already authenticated.

    python3 preauth_front.py PORT DIRECTORY PROGRAM [ARGUMENT ...]

DIRECTORY holds ``server.pem`` and ``server.key``.  Every connection that logs in gets a
PROGRAM of its own on standard input and output, whose greeting is ``* PREAUTH``.
Standard library only: it runs under any Python of the machine.
"""

import asyncio
import re
import ssl
import sys
from pathlib import Path

CAPABILITY = b"* CAPABILITY IMAP4rev1\r\n"
PASSWORD = b"secret"


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass everything on, then close."""
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def logged_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Answer until somebody logs in; return the tag of that command, empty when none does."""
    writer.write(b"* OK ready\r\n")
    while line := await reader.readline():
        tag, _, command = line.rstrip(b"\r\n").partition(b" ")
        words = command.split()
        name = words[0].upper() if words else b""
        while literal := re.search(rb"\{(\d+)\}$", command):
            writer.write(b"+ go on\r\n")
            words[-1] = await reader.readexactly(int(literal[1]))
            command = (await reader.readline()).rstrip(b"\r\n")
            words += command.split()
        if name == b"CAPABILITY":
            writer.write(CAPABILITY + tag + b" OK done\r\n")
        elif name == b"LOGIN" and words[-1].strip(b'"') == PASSWORD:
            return tag
        elif name == b"LOGIN":
            writer.write(tag + b" NO [AUTHENTICATIONFAILED] no\r\n")
        elif name == b"LOGOUT":
            writer.write(b"* BYE\r\n" + tag + b" OK done\r\n")
            return b""
        else:
            writer.write(tag + b" BAD not before LOGIN\r\n")
    return b""


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection."""
    tag = await logged_in(reader, writer)
    if tag:
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(*sys.argv[3:], stdin=pipe, stdout=pipe)
        assert child.stdin is not None
        assert child.stdout is not None
        while (greeting := await child.stdout.readline()) and b"PREAUTH" not in greeting:
            writer.write(greeting)  # an alert
        writer.write(tag + (b" OK in\r\n" if greeting else b" NO broken\r\n"))
        await asyncio.gather(pump(reader, child.stdin), pump(child.stdout, writer))
        await child.wait()
    writer.close()


async def main() -> None:
    """Listen until the end."""
    port, directory = int(sys.argv[1]), Path(sys.argv[2])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(directory / "server.pem", directory / "server.key")
    server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=context, limit=1 << 20)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
