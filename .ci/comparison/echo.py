"""The backends: a process that listens on several ports and answers each request with what it saw.

    python3 echo.py NAME=PORT...

An answer is JSON: backend, method, target, header lines as they came, and body; to HEAD it is the header x-seen. The
request header x-do changes it, items divided by `;`: status=N, delay=SECONDS, header=NAME:VALUE, chunked.
"""
import asyncio
import json
import sys


class Echo(asyncio.Protocol):
    """One connection of a proxy. Requests on it are answered one after the other."""

    def __init__(self, name):
        self.name = name
        self.buffer = b""
        self.busy = False

    def connection_made(self, transport):
        """Called by asyncio."""
        self.transport = transport

    def data_received(self, data):
        """Called by asyncio."""
        self.buffer += data
        self.next_request()

    def next_request(self):
        """Answers what has arrived whole."""
        while not self.busy:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            first, *lines = self.buffer[:end].decode("latin-1").split("\r\n")
            headers = [[name, value.strip()] for name, _, value in (line.partition(":") for line in lines)]
            known = {name.lower(): value for name, value in reversed(headers)}
            body, rest = self.body(known, end + 4)
            if rest < 0:
                return
            self.buffer = self.buffer[rest:]
            method, target, _ = first.split(" ", 2)
            seen = {"backend": self.name, "method": method, "target": target, "headers": headers,
                    "body": body.decode("latin-1")}
            self.answer(method, seen, known.get("x-do", ""))

    def body(self, headers, start):
        """The request's body and where it ends; -1 while it is not all there."""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while True:
                line = self.buffer.find(b"\r\n", start)
                if line < 0:
                    return b"", -1
                size = int(self.buffer[start:line], 16)
                end = line + 2 + size + 2
                if len(self.buffer) < end:
                    return b"", -1
                if size == 0:
                    return body, end
                body += self.buffer[line + 2:end - 2]
                start = end
        end = start + int(headers.get("content-length", 0))
        return (b"", -1) if len(self.buffer) < end else (self.buffer[start:end], end)

    def answer(self, method, seen, script):
        """Writes the answer, at once or after its delay."""
        status, delay, chunked, lines = 200, 0.0, False, [("content-type", "application/json"), ("x-backend", self.name), ("x-origin", self.name)]
        for item in filter(None, script.split(";")):
            key, _, value = item.partition("=")
            if key == "status":
                status = int(value)
            elif key == "delay":
                delay = float(value)
            elif key == "chunked":
                chunked = True
            elif key == "header":
                name, _, text = value.partition(":")
                lines.append((name, text))
        text = json.dumps(seen).encode()
        bodyless = method == "HEAD" or status in (204, 304)
        if bodyless:
            lines.append(("x-seen", text.decode()))
        if chunked and not bodyless:
            lines.append(("transfer-encoding", "chunked"))
            text = b"%x\r\n%s\r\n0\r\n\r\n" % (len(text), text)
        elif status not in (204, 304):
            lines.append(("content-length", str(len(text))))
        head = f"HTTP/1.1 {status} Said\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines) + "\r\n"
        data = head.encode("latin-1") + (b"" if bodyless else text)
        if not delay:
            self.transport.write(data)
            return
        self.busy = True
        asyncio.get_running_loop().call_later(delay, self.late, data)

    def late(self, data):
        """Writes a delayed answer."""
        self.busy = False
        if not self.transport.is_closing():
            self.transport.write(data)
            self.next_request()


async def main(arguments):
    """Listens until it is ended."""
    loop = asyncio.get_running_loop()
    for argument in arguments:
        name, _, port = argument.partition("=")
        await loop.create_server(lambda name=name: Echo(name), "127.0.0.1", int(port))
    print("listening", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
