"""The programs that make load, and what they say about it."""
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness import programs
from harness.curl import Request
from harness.protocols import CIPHER, GROUP, PLAIN, TLS_VERSION, Protocols

HERE = Path(__file__).resolve().parent
GRACE_SECONDS = 30
H2LOAD_REQUESTS_PER_SECOND = 20_000


@dataclass(frozen=True)
class Outcome:
    """What a client saw. `exact` says that no request was left unanswered when it ended.

    `surprise` says what else was negotiated than the row is about.
    """

    requests: int
    per_second: float
    p50_us: float
    p99_us: float
    p999_us: float
    errors: int
    exact: bool
    surprise: str = ""


@dataclass(frozen=True)
class Load:
    """Requests to make over so many connections, which stay open meanwhile, so many streams each.

    wrk sends `requests` (bytes each) in turn; h2load sends `request` again and again, in any protocol, and where there is
    a `rate` so many times a second on each connection.
    """

    requests: tuple
    connections: int
    client: str = "wrk"
    streams: int = 1
    request: Request = Request()
    protocols: Protocols = PLAIN
    rate: int = 0

    def run(self, port, seconds, core, directory):
        """Makes the load on a loopback port from one core, for about so long."""
        return CLIENTS[self.client](self, port, seconds, core, directory)


def wrk(load, port, seconds, core, directory):
    """wrk costs the shared core the least per request and reports every kind of error apart.

    It has one thread, as it has one core. When the time is over it leaves a request on each connection unanswered.
    """
    file = directory / "requests"
    file.write_bytes(b"".join(request + b"\0" for request in load.requests))
    output = finished(
        ["wrk", "-t1", f"-c{load.connections}", f"-d{seconds}s", "--timeout", "5s", "-s", HERE / "load.lua",
         f"http://127.0.0.1:{port}/", "--", file], seconds, core)
    for line in output.splitlines():
        if line.startswith("RESULT "):
            said = json.loads(line.removeprefix("RESULT "))
            return Outcome(said["requests"], said["requests"] * 1e6 / said["microseconds"], said["p50"], said["p99"],
                           said["p999"], sum(said["errors"].values()), exact=False)
    raise programs.Broken(f"wrk failed: {output}")


def h2load(load, port, seconds, core, directory):
    """h2load makes a number of requests instead of lasting a time, so every count can be held against it exactly."""
    log, body = directory / "h2load.log", directory / "body"
    count = seconds * (load.rate * load.connections or H2LOAD_REQUESTS_PER_SECOND)
    log.unlink(missing_ok=True)  # h2load appends
    body.write_bytes(load.request.body)
    output = finished(
        ["h2load", "-t1", f"-c{load.connections}", f"-m{load.streams}", f"-n{count}", f"--log-file={log}",
         *([f"--rps={load.rate}"] if load.rate else []), *([] if load.protocols.http2 else ["--h1"]), f"--tls13-ciphers={CIPHER}", f"--groups={GROUP}",
         *(f"--header={name}: {value}" for name, value in load.request.headers),
         *([f"--data={body}"] if load.request.body else []), f"--connect-to=127.0.0.1:{port}",
         f"{load.protocols.scheme}://{programs.BENCH_HOST}{load.request.path}"], seconds + 60, core)
    # Start of the request, status, duration; both times in microseconds.
    lines = [line.split() for line in log.read_text().splitlines()]
    if len(lines) != count:
        raise programs.Broken(f"h2load logged {len(lines)} of {count} requests: {output}")
    durations = sorted(int(line[2]) for line in lines)
    starts = [int(line[0]) for line in lines]
    elapsed = max(start + int(line[2]) for start, line in zip(starts, lines)) - min(starts)
    p50, p99, p999 = (durations[min(int(count * part), count - 1)] for part in (0.5, 0.99, 0.999))
    errors = sum(line[1] != "200" for line in lines)
    return Outcome(count, count * 1e6 / elapsed, p50, p99, p999, errors, exact=True,
                   surprise=surprise(load.protocols, output) if load.protocols.certificate else "")


def surprise(protocols, output):
    """What h2load says to have negotiated, unless it is what this row is about."""
    said = dict(line.split(": ", 1) for line in output.splitlines() if ": " in line)
    found = [said.get(name, "?") for name in
             ("TLS Protocol", "Cipher", "Server Temp Key", "Application protocol")]
    found[2] = found[2].split()[0]
    return "" if found == [TLS_VERSION, CIPHER, GROUP, protocols.alpn] else ", ".join(found)


CLIENTS = {"wrk": wrk, "h2load": h2load}


def finished(command, seconds, core):
    """Runs a client on its core and returns what it printed."""
    done = subprocess.run(["taskset", "-c", str(core), *map(str, command)], capture_output=True, text=True,
                          timeout=seconds + GRACE_SECONDS, stdin=subprocess.DEVNULL,
                          preexec_fn=programs.end_with_parent)
    return done.stdout + done.stderr
