"""A WebSocket service for tests of the proxy in front of it.

    websocket_server.py     listens on a free loopback port and prints it

Paths: /greet speaks first; /close ends with code 4001; every other one gives messages back.
"""
import asyncio

import websockets


def path_of(connection):
    """The request's target; libraries of different age keep it in different places."""
    return connection.path if hasattr(connection, "path") else connection.request.path


async def serve(connection):
    """One client."""
    path = path_of(connection)
    if path == "/greet":
        await connection.send("hello first")
    if path == "/close":
        await connection.close(4001, "as asked")
        return
    async for message in connection:
        await connection.send(message)


async def main():
    """Serves until it is ended."""
    async with websockets.serve(serve, "127.0.0.1", 0, max_size=None, subprotocols=["chat.v2", "chat.v1"]) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(main())
