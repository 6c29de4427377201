"""Speaks to websocket_server.py through a proxy and says what came of each case.

    websocket_client.py PORT AUTHORITY [CA.crt]        with a file: over TLS

Prints a line for each case: `NAME ok`, or `NAME failed: WHY`.
"""
import asyncio
import ssl
import sys
import traceback

import websockets

SECONDS = 30
LARGE = bytes(range(256)) * 4096  # 1 MiB


class Peer:
    """How to reach the service."""

    def __init__(self, port, authority, ca):
        self.where = {"host": "127.0.0.1", "port": int(port), "max_size": None, "subprotocols": ["chat.v1", "chat.v2"]}
        self.url = f"{'wss' if ca else 'ws'}://{authority}:{port}"
        if ca:
            self.where |= {"ssl": ssl.create_default_context(cafile=ca), "server_hostname": authority}

    def connect(self, path="/echo"):
        """An open connection, as a context."""
        return websockets.connect(self.url + path, **self.where)


def same(found, expected):
    """Ends the case unless both are equal."""
    if found != expected:
        raise AssertionError(f"{found!r:.200} is not {expected!r:.200}")


async def text_and_binary(peer):
    async with peer.connect() as connection:
        for message in ("grüße", b"\x00\xff", "", b""):
            await connection.send(message)
            same(await connection.recv(), message)


async def large_message(peer):
    async with peer.connect() as connection:
        await connection.send(LARGE)
        same(await connection.recv(), LARGE)


async def fragments(peer):
    async with peer.connect() as connection:
        await connection.send(str(number) for number in range(100))
        same(await connection.recv(), "".join(str(number) for number in range(100)))


async def ping_and_pong(peer):
    async with peer.connect() as connection:
        for _ in range(5):
            await (await connection.ping())


async def server_speaks_first(peer):
    async with peer.connect("/greet") as connection:
        same(await connection.recv(), "hello first")
        await connection.send("then I")
        same(await connection.recv(), "then I")


async def subprotocol(peer):
    async with peer.connect() as connection:
        same(connection.subprotocol in ("chat.v1", "chat.v2"), True)


async def close_code(peer):
    async with peer.connect("/close") as connection:
        try:
            await connection.recv()
        except websockets.ConnectionClosed as closed:
            same((closed.rcvd.code, closed.rcvd.reason), (4001, "as asked"))
        else:
            raise AssertionError("a message")


async def client_closes(peer):
    connection = await peer.connect()
    await connection.close(4002, "enough")
    same(connection.close_code, 4002)


async def pipelined(peer):
    """500 messages under way at once."""
    async with peer.connect() as connection:
        async def send_all():
            for number in range(500):
                await connection.send(str(number) * 100)
        sending = asyncio.create_task(send_all())
        for number in range(500):
            same(await connection.recv(), str(number) * 100)
        await sending


async def many_at_once(peer):
    async def one(number):
        async with peer.connect() as connection:
            for turn in range(5):
                await connection.send(f"{number} {turn}")
                same(await connection.recv(), f"{number} {turn}")
    await asyncio.gather(*(one(number) for number in range(50)))


async def unrouted(peer):
    """The proxy's own answer is no upgrade."""
    try:
        async with peer.connect("/unrouted"):
            raise AssertionError("upgraded")
    except websockets.InvalidHandshake as error:
        # Libraries of different age keep the status in different places.
        same(error.response.status_code if hasattr(error, "response") else error.status_code, 404)


CASES = (text_and_binary, large_message, fragments, ping_and_pong, server_speaks_first, subprotocol, close_code,
         client_closes, pipelined, many_at_once, unrouted)


async def main(port, authority, ca=None):
    """Runs all cases."""
    peer = Peer(port, authority, ca)
    for case in CASES:
        try:
            await asyncio.wait_for(case(peer), SECONDS)
            print(case.__name__, "ok", flush=True)
        except Exception:  # whatever it is, the other cases are to be tried
            print(case.__name__, "failed:", " ".join(traceback.format_exc().split()[-60:]), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
