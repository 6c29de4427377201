#!/usr/bin/env python3
"""Compares the CPU per request of Weir with a raw byte relay (the floor), nginx and HAProxy, on plain HTTP/1.1.

    make bench                                          everything, about four minutes
    Benchmarks/macro/bench.py --peers floor,nginx,haproxy --rounds 1 --seconds 1

The proxy has the first core for itself, client and backend share the second. All proxies run, one is measured at a
time, and the rounds go through them in turn, so that a slow phase of the machine hits all alike. The run is valid only
if every peer returned the same bytes, no request failed, and the backend counted the requests that the client made.
A peer that is not installed is left out. Exit status: 0 valid, 1 not valid, 64 wrong arguments.
"""
import argparse
import datetime
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))

import peers as proxies  # noqa: E402
import report  # noqa: E402
from harness import programs  # noqa: E402

# name: (path, connections, what it shows). Connections stay open for a whole sample.
ROWS = {
    "small": ("/", 64, "GET, 128-byte body, 64 connections"),
    "16k": ("/b/16384", 64, "GET, 16 KB body, 64 connections"),
    "single": ("/", 1, "GET, 128-byte body, 1 connection"),
}
PEERS = ["floor", "nginx", "haproxy", "weir"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="length of one sample (default 3)")
    parser.add_argument("--peers", default=",".join(PEERS), help=f"some of {','.join(PEERS)} (default all)")
    parser.add_argument("--rows", default=",".join(ROWS), help=f"some of {','.join(ROWS)} (default all)")
    parser.add_argument("--weir", type=Path, default=ROOT / ".build/release/weir", metavar="PROGRAM")
    parser.add_argument("--out", type=Path, default=HERE.parent / "results", metavar="DIRECTORY")
    options = parser.parse_args()
    options.peers, options.rows = options.peers.split(","), options.rows.split(",")
    wrong = (set(options.peers) - set(PEERS)) | (set(options.rows) - set(ROWS))
    if wrong or options.rounds < 1 or options.seconds < 1:
        parser.print_usage(sys.stderr)
        print(f"not understood: {', '.join(sorted(wrong)) or 'rounds and seconds start at 1'}", file=sys.stderr)
        sys.exit(64)
    options.weir = options.weir.resolve()
    return options


def cores():
    """The core of the proxy and the core of everything else, and a sentence about them."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) == 1:
        return allowed[0], allowed[0], (
            "Only ONE core: proxy, client and backend share it. CPU per request still compares, throughput and latency "
            "do not.")
    return allowed[0], allowed[1], f"Proxy on core {allowed[0]}, client and backend on core {allowed[1]}."


def load(port, path, connections, seconds, core):
    """Runs wrk and returns what its script printed.

    wrk and not h2load: it costs the shared core the least per request, keeps exact percentiles, and reports every kind
    of error apart. One thread, because it has one core.
    """
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "5s",
               "-H", "Host: bench.example.com", "-s", str(HERE / "report.lua"), f"http://127.0.0.1:{port}{path}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 20, stdin=subprocess.DEVNULL,
                          preexec_fn=programs.end_with_parent)
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line.removeprefix("RESULT "))
    raise programs.Broken(f"wrk failed: {done.stdout}{done.stderr}")


class Bench:
    """One run: the started programs, the samples taken and what was found wrong."""

    def __init__(self, options, directory):
        self.options = options
        self.directory = directory
        self.proxy_core, self.other_core, self.layout = cores()
        self.backend = None
        self.peers = []
        self.problems = []

    def start(self):
        self.backend = programs.Backend(self.directory, self.other_core)
        for name in self.options.peers:
            try:
                self.peers.append(proxies.Peer(
                    name, self.directory, self.proxy_core, self.backend.port, self.options))
            except programs.Unavailable as reason:
                print(f"skipped: {name}: {reason}")
        if not self.peers:
            raise programs.Broken("there is nothing to measure")

    def stop(self):
        for peer in self.peers:
            peer.program.stop()
        if self.backend:
            self.backend.stop()

    def check_same_bytes(self, path):
        """Every peer must return what the backend returns."""
        expected = programs.get(self.backend.port, path)
        for peer in self.peers:
            if programs.get(peer.port, path) != expected:
                self.problems.append(f"{peer.name} does not return the backend's bytes for {path}")

    def sample(self, peer, path, connections):
        """Measures one peer once."""
        load(peer.port, path, connections, 1, self.other_core)  # fills pools and caches; not measured
        requests_before, cpu_before, begin = self.backend.count(), peer.program.cpu_seconds(), time.monotonic()
        client = load(peer.port, path, connections, self.options.seconds, self.other_core)
        elapsed = time.monotonic() - begin
        requests = self.backend.count() - requests_before
        cpu = peer.program.cpu_seconds() - cpu_before
        errors = sum(client[kind] for kind in ("connect", "read", "write", "status", "timeout"))
        # The client leaves at most one request on each connection unanswered; a proxy that retried would count more.
        if errors or not 0 <= requests - client["requests"] <= connections:
            self.problems.append(
                f"{peer.name}, {path}: {errors} errors, {client['requests']} requests made, {requests} seen by the "
                "backend")
        return {
            "cpu_us": cpu * 1e6 / max(requests, 1), "per_second": client["requests"] * 1e6 / client["microseconds"],
            "p50_us": client["p50"], "p99_us": client["p99"], "max_us": client["max"], "busy": cpu / elapsed,
            "requests": requests, "errors": errors,
        }

    def row(self, name):
        """Measures all peers on one row of work, in interleaved rounds that begin with another peer each time."""
        path, connections, about = ROWS[name]
        print(f"\n{about}")
        self.check_same_bytes(path)
        rounds = []
        for number in range(self.options.rounds):
            first = number % len(self.peers)
            samples = {peer.name: self.sample(peer, path, connections)
                       for peer in self.peers[first:] + self.peers[:first]}
            rounds.append(samples)
            print(f"  round {number + 1}: " + ", ".join(
                f"{peer.name} {samples[peer.name]['cpu_us']:.2f} us" for peer in self.peers), flush=True)
        summary = report.summarize(rounds, [peer.name for peer in self.peers])
        print("\n" + report.table(summary))
        return {"name": name, "about": about, "path": path, "connections": connections, "summary": summary,
                "rounds": rounds}


def machine():
    cpu = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    return {"cpu": cpu, "cores": os.cpu_count(), "kernel": f"{platform.system()} {platform.release()}"}


def save(result, directory):
    directory.mkdir(parents=True, exist_ok=True)
    stem = directory / datetime.datetime.now().strftime("macro-%Y%m%d-%H%M%S")
    stem.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
    stem.with_suffix(".md").write_text(report.markdown(result))
    shutil.copy(stem.with_suffix(".md"), directory / "latest.md")
    print(f"\nsaved {stem}.md and .json")


def run(options, directory):
    options.programs = directory
    programs.compile_c(HERE / "relay.c", directory / "relay")
    bench = Bench(options, directory)
    try:
        programs.which("wrk")
        bench.start()
        print(bench.layout)
        rows = [bench.row(name) for name in options.rows]
    finally:
        bench.stop()
    versions = {peer.name: peer.version for peer in bench.peers} | {"wrk": programs.version(["wrk", "-v"])}
    save({"time": datetime.datetime.now().isoformat(timespec="seconds"), "machine": machine(), "layout": bench.layout,
          "settings": {"rounds": options.rounds, "seconds": options.seconds}, "versions": versions, "rows": rows,
          "problems": bench.problems}, options.out)
    for problem in bench.problems:
        print(f"PROBLEM: {problem}")
    return 1 if bench.problems else 0


def main():
    options = arguments()
    # However this is ended, the programs it started are ended too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    directory = Path(tempfile.mkdtemp(prefix="weir-bench-"))
    directory.chmod(0o755)  # nginx's worker may be another user
    try:
        return run(options, directory)
    except KeyboardInterrupt:
        return 130
    except (programs.Broken, programs.Unavailable, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
