"""The rows of TLS handshakes: what one costs the proxy, from accepting the connection to closing it."""
import json
import time

from harness import programs, weir
from harness.protocols import CIPHER, GROUP, TLS_VERSION

import report
from clients import HERE, finished
from measure import WARM_UP_SECONDS, interleaved
from proxies import Setting


def handshake_row(run, row):
    """Measures all proxies of one row; what they negotiate has to be the same."""
    client = programs.compile_c(HERE / "handshakes.c", run.directory / "handshakes-client", "-lssl", "-lcrypto")
    settings = [Setting(peer, logged=peer == "weir" and weir.can_observe(run.options.weir), protocols=row.protocols)
                for peer in run.options.peers]
    proxies = run.start(settings, row.name)
    try:
        negotiated = {}
        able = [proxy for proxy in proxies.running if tried(run, proxy, row, client, negotiated)]
        if not able:
            return None
        if len(set(negotiated.values())) != 1:
            run.problems.append(f"{row.name}: not the same was negotiated: {negotiated}")
        rounds = list(interleaved(run.options.rounds, able, lambda proxy: sample(run, proxy, row, client)))
        return {"rounds": rounds, "unit": "handshake", "negotiated": " / ".join(sorted(set(negotiated.values()))),
                "summary": report.summarize(rounds, [proxy.name for proxy in able])}
    finally:
        proxies.stop()


def make(run, proxy, row, client, seconds):
    """What the client says about so many seconds of handshakes. One that failed has ended it with an error."""
    output = finished(
        [client, proxy.port, programs.BENCH_HOST, "resumed" if row.resumed else "full", seconds, row.connections,
         TLS_VERSION, CIPHER, GROUP], seconds, run.cores.other)
    try:
        return json.loads(output)
    except ValueError:
        raise programs.Broken(f"{row.name}: {proxy.name}: {output.strip()}") from None


def tried(run, proxy, row, client, negotiated):
    """Whether the proxy does what the row is about; remembers what it negotiated."""
    try:
        negotiated[proxy.name] = make(run, proxy, row, client, WARM_UP_SECONDS)["negotiated"]
    except programs.Broken as reason:
        run.problems.append(str(reason))
        return False
    return True


def sample(run, proxy, row, client):
    """Measures one proxy once, after a warm-up."""
    make(run, proxy, row, client, WARM_UP_SECONDS)
    cpu_before, begin = proxy.program.cpu_seconds(), time.monotonic()
    made = make(run, proxy, row, client, run.options.seconds)
    elapsed, cpu = time.monotonic() - begin, proxy.program.cpu_seconds() - cpu_before
    return {"cpu_us": cpu * 1e6 / made["handshakes"], "per_second": made["per_second"], "p50_us": made["p50"],
            "p99_us": made["p99"], "p999_us": made["p999"], "busy": cpu / elapsed, "requests": made["handshakes"],
            "errors": 0, "memory": proxy.program.memory_bytes()}
