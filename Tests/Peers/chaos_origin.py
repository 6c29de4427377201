#!/usr/bin/env python3
"""An origin that a test can hurt: HTTP/1.1 and HTTP/2 with prior knowledge on one loopback port.

    chaos_origin.py PORT

Prints `listening` and answers every request with 200 and its port. SIGUSR1 resets all its connections; SIGUSR2 makes it
slow, and quick again: a slow one answers SLOW_SECONDS late. SIGSTOP, SIGCONT and SIGKILL do what they do. Needs the Python
module h2.
"""
import asyncio
import signal
import socket
import struct
import sys

import h2.config
import h2.connection
import h2.events
import h2.exceptions

SLOW_SECONDS = 0.8
PREFACE = b"PRI * HTTP/2.0"


class Origin:
    """One process: its connections and its mood."""

    def __init__(self, port):
        self.body = str(port).encode()
        self.writers = set()
        self.is_slow = False

    async def serve(self, reader, writer):
        """One connection, whichever protocol it begins with."""
        self.writers.add(writer)
        try:
            first = await reader.readexactly(len(PREFACE))
            await (self.http2(first, reader, writer) if first == PREFACE else self.http1(first, reader, writer))
        except (OSError, EOFError, asyncio.LimitOverrunError, h2.exceptions.ProtocolError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    async def pause(self):
        if self.is_slow:
            await asyncio.sleep(SLOW_SECONDS)

    async def http1(self, first, reader, writer):
        answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(self.body), self.body)
        while True:
            # Requests of the test have no body.
            first + await reader.readuntil(b"\r\n\r\n")
            first = b""
            await self.pause()
            writer.write(answer)
            await writer.drain()

    async def http2(self, first, reader, writer):
        wire = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        wire.initiate_connection()
        tasks = set()
        data = first
        while data:
            for event in wire.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    task = asyncio.ensure_future(self.answer(wire, event.stream_id, writer))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
            writer.write(wire.data_to_send())
            await writer.drain()
            data = await reader.read(65536)

    async def answer(self, wire, stream, writer):
        await self.pause()
        try:
            wire.send_headers(stream, [(":status", "200"), ("content-length", str(len(self.body)))])
            wire.send_data(stream, self.body, end_stream=True)
            writer.write(wire.data_to_send())
        except (h2.exceptions.ProtocolError, OSError):
            pass  # The stream was reset meanwhile, or the connection is gone.

    def reset_all(self):
        for writer in list(self.writers):
            connection = writer.get_extra_info("socket")
            if connection is not None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    def turn(self):
        self.is_slow = not self.is_slow


async def main(port):
    origin = Origin(port)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, origin.reset_all)
    loop.add_signal_handler(signal.SIGUSR2, origin.turn)
    server = await asyncio.start_server(origin.serve, "127.0.0.1", port, reuse_address=True, backlog=512)
    print("listening", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
