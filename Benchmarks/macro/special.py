"""The rows that are no plain load: reloads under load, copied requests, and idle connections."""
import dataclasses
import itertools
import ssl
import threading
import time

from harness import lockstep, programs, weir
from harness.curl import Request
from harness.routing import Target

import report
from measure import Books, close_books, cpu_sample, interleaved
from proxies import Setting

RELOAD_SECONDS = 0.1
WEIGHTS = (30, 70)
SETTLE_SECONDS = 1.0
STEADY, RELOADING = "weir", "weir, reloading"
AGAIN, MIRRORING = "weir, again", "weir, mirroring"
PUBLISH_SECONDS = 10.0


class Reloads:
    """Replaces Weir's configuration by renaming, again and again, while the block runs."""

    def __init__(self, instance):
        self.instance = instance
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.count = 0

    def run(self):
        """The thread."""
        for weight in itertools.cycle(WEIGHTS):
            if self.stopping.wait(RELOAD_SECONDS):
                return
            self.write(weight)
            self.count += 1

    def write(self, weight):
        """One change of a weight."""
        replace(self.instance, weir.weighted(weight, self.instance.port, self.instance.backend_port))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()


def replace(instance, text):
    """Gives a running Weir another configuration, made outside of the watched directory."""
    new = instance.file.parent.parent / "new.yaml"
    new.write_text(text)
    new.rename(instance.file)


class Alias:
    """The one running Weir, measured under several names."""

    def __init__(self, proxy, name):
        self.proxy, self.name = proxy, name
        self.port, self.program = proxy.port, proxy.program


def reload_row(run, row):
    """Measures Weir with and without reloads, in turn."""
    logged = weir.can_observe(run.options.weir)
    proxies = run.start([Setting("weir", logged=logged)], row.name)
    if not proxies.running:
        return None
    proxy = proxies.running[0]
    changes = []
    try:
        books = {proxy.name: Books(proxy)} if logged else {}

        def sample(one):
            if one.name == STEADY:
                return cpu_sample(run, one, row.load, books.get(proxy.name))
            with Reloads(proxy.weir) as reloads:
                result = cpu_sample(run, one, row.load, books.get(proxy.name))
            changes.append(reloads.count)
            return result

        published_before = published(proxy.program)
        rounds = list(interleaved(run.options.rounds, [Alias(proxy, STEADY), Alias(proxy, RELOADING)], sample))
        seen = published(proxy.program) - published_before
        if seen < sum(changes) * 0.9:
            run.problems.append(f"of {sum(changes)} changes of the configuration Weir published {seen}")
        return {"rounds": rounds, "changes": sum(changes), "published": seen,
                "books": close_books(run, books, proxies.running),
                "summary": report.summarize(rounds, [STEADY, RELOADING])}
    finally:
        proxies.stop()


def mirror_row(run, row):
    """Measures Weir with and without copies, in turn; without twice, which shows how much a repetition differs."""
    logged = weir.can_observe(run.options.weir)
    proxies = run.start([Setting("weir", logged=logged)], row.name)
    if not proxies.running:
        return None
    proxy, shadow = proxies.running[0], None
    try:
        (run.directory / "shadow").mkdir(exist_ok=True)
        shadow = programs.Backend(run.directory / "shadow", run.cores.other)
        before = published(proxy.program)
        replace(proxy.weir, weir.mirrored(proxy.weir.port, proxy.weir.backend_port, shadow.port))
        deadline = time.monotonic() + PUBLISH_SECONDS
        while published(proxy.program) == before:
            if time.monotonic() > deadline:
                raise programs.Broken("Weir does not take the mirrors into use")
            time.sleep(0.05)
        books = {proxy.name: Books(proxy)} if logged else {}
        copied = dataclasses.replace(row.load, request=Request("/mirrored/"))
        copies = {"expected": 0, "seen": 0}

        def sample(one):
            mirrors = one.name == MIRRORING
            begin, requests = shadow.count(), run.backend.count()
            result = cpu_sample(run, one, copied if mirrors else row.load, books.get(proxy.name))
            copies["expected"] += run.backend.count() - requests if mirrors else 0
            copies["seen"] += shadow.count() - begin
            return result

        names = [STEADY, AGAIN, MIRRORING]
        rounds = list(interleaved(run.options.rounds, [Alias(proxy, name) for name in names], sample))
        if copies["seen"] != copies["expected"]:
            run.problems.append(f"of {copies['expected']} requests {copies['seen']} were copied")
        return {"rounds": rounds, "copies": copies["seen"], "books": close_books(run, books, proxies.running),
                "summary": report.summarize(rounds, names)}
    finally:
        if shadow:
            shadow.stop()
        proxies.stop()


def published(program):
    """How many configurations Weir has said to have taken into use."""
    return program.log.read_text(errors="replace").count("configuration published")


def idle_row(run, row):
    """Bytes that an idle connection keeps resident, without a request so far and after one, for each proxy."""
    summary = {}
    for peer in run.options.peers:
        logged = peer == "weir" and weir.can_observe(run.options.weir)
        proxies = run.start([Setting(peer, logged=logged, protocols=row.protocols)], f"{row.name}-{peer}")
        try:
            for proxy in proxies.running:
                summary[proxy.name] = idle_bytes(proxy, row)
                print("  {}: {fresh:,.0f} bytes fresh, {used:,.0f} bytes after a request".format(
                    proxy.name, **summary[proxy.name]), flush=True)
        except OSError as error:
            run.problems.append(f"{peer}: idle connections: {error}")
        finally:
            proxies.stop()
    return {"summary": summary}


def idle_bytes(proxy, row):
    """Growth of the resident memory, a connection, after one connection to warm up."""
    plain, connections = [Target().bytes()], row.connections
    tls = tls_client() if row.protocols.certificate else None
    warm = lockstep.Client(proxy.port, 1, tls)
    warm.run(plain, 1)
    before = resident(proxy)
    idle = lockstep.Client(proxy.port, connections, tls)
    fresh = resident(proxy)
    idle.run(plain, connections)
    used = resident(proxy)
    idle.close()
    warm.close()
    return {"fresh": (fresh - before) / connections, "used": (used - before) / connections, "memory": used}


def tls_client():
    """TLS as the other rows have it, but for cipher and group, which make no difference to what is kept."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the certificate is the benchmark's own
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["http/1.1"])
    return context


def resident(proxy):
    """Resident memory once everything has been accepted and settled."""
    time.sleep(SETTLE_SECONDS)
    return proxy.program.memory_bytes("Rss")
