"""Measures one row of load: samples, what they must add up to, and the result."""
import time
from dataclasses import dataclass, field
from pathlib import Path

from harness import curl, programs, weir
from harness.protocols import PLAIN, Protocols

import report
from proxies import Field

WARM_UP_SECONDS = 1
SETTLE_SECONDS = 5


@dataclass(frozen=True)
class Cores:
    """Where the proxy runs, and where everything else does."""

    proxy: int
    other: int

    @property
    def about(self):
        """A sentence for the report."""
        if self.proxy == self.other:
            return ("Only ONE core: proxy, client and backend share it. CPU per request still compares, throughput and "
                    "latency do not.")
        return f"Proxy on core {self.proxy}, client and backend on core {self.other}."


@dataclass
class Run:
    """What all rows share: where they run, and what was found wrong."""

    options: object
    cores: Cores
    directory: Path
    backend: programs.Backend
    http2_backend: programs.Backend | None = None
    problems: list = field(default_factory=list)
    skipped: dict = field(default_factory=dict)
    versions: dict = field(default_factory=dict)

    def origin(self, protocols=PLAIN):
        """What is behind the proxies of a row; the one that few rows need is started by the first of them."""
        if not protocols.upstream_http2:
            return self.backend
        if not self.http2_backend:
            self.http2_backend = curl.HTTP2Backend(self.directory, self.cores.other)
        return self.http2_backend

    def stop(self):
        """Ends the origins."""
        for backend in (self.backend, self.http2_backend):
            if backend:
                backend.stop()

    def start(self, settings, name):
        """Starts the proxies of a row; those that cannot be had are remembered and said once.

        One that ends or does not answer makes the run invalid, and the row goes on without it.
        """
        origin = self.origin(settings[0].protocols)
        proxies = Field(settings, self.directory / name, self.cores, origin, self.options.weir)
        for missing, reason in proxies.skipped.items():
            if missing not in self.skipped:
                print(f"skipped: {missing}: {reason}")
        self.skipped |= proxies.skipped
        for missing, reason in proxies.broken.items():
            print(f"BROKEN: {missing}: {reason}")
            self.problems.append(f"{name}: {missing}: {reason}")
        self.versions |= {proxy.setting.peer: proxy.version for proxy in proxies.running}
        return proxies


class Books:
    """What Weir counted itself, to be held against what the client made; only with log and metrics.

    From the start of the process on there is a log line for each request of the metric, though lines come later.
    """

    def __init__(self, proxy):
        self.proxy = proxy
        self.made = 0  # requests known to have been answered
        self.unanswered = 0  # at most so many more, which clients that ended left behind
        self.before = proxy.metric(weir.REQUESTS_METRIC)

    def made_by(self, outcome, connections):
        """Adds a client's requests."""
        self.made += outcome.requests
        self.unanswered += 0 if outcome.exact else connections

    def close(self):
        """The counts, and what is wrong with them, once log and metric agree or do not get any closer."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            lines = self.proxy.log_lines() - self.before
            requests = self.proxy.metric(weir.REQUESTS_METRIC) - self.before
            if lines == requests or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        dropped = self.proxy.metric(weir.DROPPED_METRIC)
        counts = {"made": self.made, "unanswered_at_most": self.unanswered, "log_lines": lines, "metric": requests,
                  "dropped": dropped}
        right = lines == requests and dropped == 0 and 0 <= requests - self.made <= self.unanswered
        return counts, [] if right else [f"{self.proxy.name}: its books do not balance: {counts}"]


def cpu_sample(run, proxy, load, books=None):
    """Measures one proxy once, after a warm-up."""
    def make(seconds):
        outcome = load.run(proxy.port, seconds, run.cores.other, run.directory)
        if books:
            books.made_by(outcome, load.connections)
        return outcome

    origin = run.origin(load.protocols)
    make(WARM_UP_SECONDS)
    requests_before, cpu_before, begin = origin.count(), proxy.program.cpu_seconds(), time.monotonic()
    client = make(run.options.seconds)
    elapsed, cpu = time.monotonic() - begin, proxy.program.cpu_seconds() - cpu_before
    requests = origin.count() - requests_before
    # A proxy that retried or lost requests would count more or fewer than the client.
    if client.errors or not 0 <= requests - client.requests <= (0 if client.exact else load.connections):
        run.problems.append(f"{proxy.name}: {client.errors} errors, {client.requests} requests made, {requests} seen "
                            "by the backend")
    if client.surprise:
        run.problems.append(f"{proxy.name} negotiated {client.surprise}")
    return {"cpu_us": cpu * 1e6 / max(requests, 1), "per_second": client.per_second, "p50_us": client.p50_us,
            "p99_us": client.p99_us, "p999_us": client.p999_us, "busy": cpu / elapsed, "requests": requests,
            "errors": client.errors, "memory": proxy.program.memory_bytes()}


def check_same_bytes(run, proxies, targets):
    """Every proxy must return what the backend returns, for the first, a middle and the last route."""
    for target in {targets[0], targets[len(targets) // 2], targets[-1]}:
        expected = programs.get(run.backend.port, target.path)
        for proxy in proxies:
            if proxy.fetch(target) != expected:
                run.problems.append(f"{proxy.name} does not return the backend's bytes for {target}")


def check_same_answer(run, proxies, load):
    """Every proxy must return what the backend returns to the one request, gRPC status included."""
    expected = curl.fetch(run.origin(load.protocols).port, load.request,
                          Protocols(http2=load.protocols.upstream_http2))
    for proxy in proxies:
        if (found := curl.fetch(proxy.port, load.request, load.protocols)) != expected:
            run.problems.append(f"{proxy.name} does not return the backend's answer, but {found}")


def interleaved(count, measured, sample):
    """Rounds of samples, `{name: sample}` each, that begin with another one each time."""
    for number in range(count):
        first = number % len(measured)
        samples = {one.name: sample(one) for one in measured[first:] + measured[:first]}
        print(f"  round {number + 1}: " + ", ".join(
            f"{one.name} {samples[one.name]['cpu_us']:.2f} us" for one in measured), flush=True)
        yield samples


def load_row(run, row):
    """Measures all proxies of one row of load."""
    settings = row.settings(run.options)
    if not settings:
        return None
    proxies = run.start(settings, row.name)
    try:
        if not proxies.running:
            raise programs.Broken("there is nothing to measure")
        if row.load.protocols == PLAIN:
            check_same_bytes(run, proxies.running, row.targets)
        else:
            check_same_answer(run, proxies.running, row.load)
        books = {proxy.name: Books(proxy) for proxy in proxies.running if proxy.counts_requests}
        rounds = list(interleaved(run.options.rounds, proxies.running,
                                  lambda proxy: cpu_sample(run, proxy, row.load, books.get(proxy.name))))
        return {"rounds": rounds, "books": close_books(run, books, proxies.running),
                "summary": report.summarize(rounds, [proxy.name for proxy in proxies.running])}
    finally:
        proxies.stop()


def close_books(run, books, proxies):
    """The final counts of Weir's proxies; of the others only that they did write a log."""
    closed = {}
    for name, book in books.items():
        closed[name], problems = book.close()
        run.problems += problems
    run.problems += [f"{proxy.name} wrote no log" for proxy in proxies
                     if proxy.access_log and proxy.name not in books and proxy.log_lines() == 0]
    return closed
