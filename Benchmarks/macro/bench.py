#!/usr/bin/env python3
"""Compares Weir's CPU with a raw byte relay (the floor), nginx, HAProxy and Envoy: per request of HTTP/1.1 and HTTP/2,
plain and in TLS, and per TLS handshake.

    make bench                                             everything, about half an hour
    make bench ARGS="--rows small,16k --rounds 1"          a quick look
    Benchmarks/macro/bench.py --peers floor,weir --log both

The proxy has the first core for itself, client and backend share the second. All proxies of a row run, one is measured
at a time, and the rounds go through them in turn, so that a slow phase of the machine hits all alike. The run is valid
only if every proxy returned the same bytes, no request failed, the backend counted the requests that the client made,
and so did Weir's metrics and access log. A proxy that cannot be had is left out.
Exit status: 0 valid, 1 not valid, 64 wrong arguments. A missed target is reported, and does not make a run invalid.
"""
import argparse
import datetime
import json
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import handshakes  # noqa: E402
import measure  # noqa: E402
import report  # noqa: E402
import special  # noqa: E402
import targets  # noqa: E402
from harness import programs, weir  # noqa: E402
from harness.command_line import Parser, names_in  # noqa: E402
from proxies import PEERS  # noqa: E402
from rows import ROWS, HandshakeRow, IdleRow, LoadRow, MirrorRow, ReloadRow  # noqa: E402

DESCRIPTORS = 8192
MEASURES = {LoadRow: measure.load_row, ReloadRow: special.reload_row, MirrorRow: special.mirror_row, IdleRow: special.idle_row,
            HandshakeRow: handshakes.handshake_row}
LOGGING = {
    "usual": "The first row measures each proxy with and without; in the others Weir has everything on and the other "
             "proxies have no log, which is the harder comparison.",
    "off": "No proxy had a log in this run, and Weir no metrics.",
    "on": "All proxies had a log in this run.",
    "both": "All rows of this run measure each proxy with and without.",
}


def arguments():
    """The command line."""
    rows = [row.name for row in ROWS]
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="samples of each proxy in a row (default 3)")
    parser.add_argument("--seconds", type=int, default=3, help="length of one sample (default 3)")
    parser.add_argument("--peers", type=names_in, default=PEERS, help=f"some of {','.join(PEERS)} (default all)")
    parser.add_argument("--rows", type=names_in, default=rows, help=f"some of {','.join(rows)} (default all)")
    parser.add_argument("--log", choices=LOGGING, default="usual",
                        help="which proxies write an access log (default: as the report says under `Logging`)")
    parser.add_argument("--weir", type=Path, default=programs.ROOT / ".build/release/weir", metavar="PROGRAM")
    parser.add_argument("--out", type=Path, default=HERE.parent / "results", metavar="DIRECTORY")
    options = parser.parse_args()
    parser.only(options.peers, PEERS)
    parser.only(options.rows, rows)
    if options.rounds < 1 or options.seconds < 1:
        parser.error("rounds and seconds start at 1")
    options.weir = options.weir.resolve()
    return options


def cores():
    """The core of the proxy and the core of everything else."""
    allowed = sorted(os.sched_getaffinity(0))
    return measure.Cores(allowed[0], allowed[min(1, len(allowed) - 1)])


def machine():
    """What this ran on."""
    cpu = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    return {"cpu": cpu, "cores": os.cpu_count(), "kernel": f"{platform.system()} {platform.release()}"}


def save(result, directory):
    """Writes JSON and Markdown."""
    directory.mkdir(parents=True, exist_ok=True)
    stem = directory / datetime.datetime.now().strftime("macro-%Y%m%d-%H%M%S")
    stem.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
    stem.with_suffix(".md").write_text(report.markdown(result))
    shutil.copy(stem.with_suffix(".md"), directory / "latest.md")
    print(f"\nsaved {stem}.md and .json")


def measure_rows(run):
    """All rows that were asked for, printed as they are done."""
    results = []
    for row in (row for row in ROWS if row.name in run.options.rows):
        print(f"\n{row.name}: {row.about}")
        measured = MEASURES[type(row)](run, row)
        if measured is None:
            continue
        results.append({"name": row.name, "about": row.about} | measured)
        print("\n" + report.row_text(results[-1]), flush=True)
        shutil.rmtree(run.directory / row.name, ignore_errors=True)  # access logs are large
    return results


def bench(options, directory):
    """The whole run; returns the exit status."""
    begin, layout = datetime.datetime.now(), cores()
    for client in ("wrk", "h2load"):
        programs.which(client)
    print(layout.about)
    backend = programs.Backend(directory, layout.other)
    run = measure.Run(options, layout, directory, backend)
    try:
        rows = measure_rows(run)
    finally:
        run.stop()
    logging = LOGGING[options.log]
    if not weir.can_observe(options.weir):
        logging += " THIS BUILD OF WEIR HAS NEITHER METRICS NOR ACCESS LOG: it ran without."
    result = {
        "time": begin.isoformat(timespec="seconds"), "machine": machine(), "layout": layout.about,
        "settings": {"rounds": options.rounds, "seconds": options.seconds, "logging": logging},
        "versions": run.versions | {"wrk": programs.version(["wrk", "-v"]),
                                    "h2load": programs.version(["h2load", "--version"])},
        "targets": targets.judge(rows), "rows": rows, "skipped": run.skipped, "problems": run.problems}
    print("\n" + report.targets_table(result["targets"]))
    save(result, options.out)
    print(f"took {(datetime.datetime.now() - begin).total_seconds() / 60:.1f} minutes")
    for problem in run.problems:
        print(f"PROBLEM: {problem}")
    return 1 if run.problems else 0


def main():
    """Runs everything below a temporary directory and leaves nothing behind."""
    options = arguments()
    # However this is ended, the programs it started are ended too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, most), most))
    directory = Path(tempfile.mkdtemp(prefix="weir-bench-"))
    directory.chmod(0o755)  # nginx's worker may be another user
    try:
        return bench(options, directory)
    except KeyboardInterrupt:
        return 130
    except (programs.Broken, programs.Unavailable, OSError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
