"""Turns measured rounds into medians, ratios, tables and the whole report."""
from statistics import median

from proxies import YARDSTICKS

NUMBERS = ("cpu_us", "per_second", "p50_us", "p99_us", "p999_us", "busy", "memory")
ONE_ROUTE = "one route"
MEBIBYTE = 1 << 20


def ratio_to(rounds, peer, other, number="cpu_us"):
    """Median over the rounds of this peer's number over the other's in the same round.

    Both were measured within seconds of each other, so a machine that is busy for a while moves both.
    """
    pairs = [(one[peer][number], one[other][number]) for one in rounds if peer in one and other in one]
    return median(a / b for a, b in pairs) if pairs and all(b > 0 for _, b in pairs) else None


def summarize(rounds, peers):
    """One entry a peer: the median of each number, and its CPU in ratio to those it is to be compared with."""
    summary = {}
    for peer in peers:
        mine = [one[peer] for one in rounds if peer in one]
        if not mine:
            continue
        entry = {key: median(sample[key] for sample in mine) for key in NUMBERS}
        entry["errors"] = sum(sample["errors"] for sample in mine)
        entry["ratios"] = {other: ratio_to(rounds, peer, other) for other in YARDSTICKS if other in peers}
        if f"{peer}, {ONE_ROUTE}" in peers:
            entry["ratios"][ONE_ROUTE] = ratio_to(rounds, peer, f"{peer}, {ONE_ROUTE}")
        summary[peer] = entry
    return summary


def columns(lines):
    """A Markdown table, the first line its heading, that also reads well on a terminal."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    rows = ["| " + " | ".join(
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(line, widths))) + " |" for line in lines]
    rows.insert(1, "|" + "|".join(
        "-" * (width + 2) if column == 0 else "-" * (width + 1) + ":" for column, width in enumerate(widths)) + "|")
    return "\n".join(rows)


def load_table(summary, unit):
    """The table of a row of load; `unit` is what is counted."""
    yardsticks = [name for name in [*YARDSTICKS, ONE_ROUTE]
                  if any(name in entry["ratios"] for entry in summary.values())]
    lines = [["proxy", f"CPU us/{unit}", *[f"x {name}" for name in yardsticks], f"{unit}s/s", "p50 us", "p99 us",
              "p99.9 us", "memory MiB", "core busy", "errors"]]
    for peer, entry in summary.items():
        ratios = [f"{entry['ratios'][name]:.2f}" if entry["ratios"].get(name) else "-" for name in yardsticks]
        lines.append([peer, f"{entry['cpu_us']:.2f}", *ratios, f"{entry['per_second']:,.0f}", f"{entry['p50_us']:.0f}",
                      f"{entry['p99_us']:.0f}", f"{entry['p999_us']:.0f}", f"{entry['memory'] / MEBIBYTE:.1f}",
                      f"{entry['busy']:.0%}", str(entry["errors"])])
    return columns(lines)


def idle_table(summary):
    """The table of the row of idle connections."""
    return columns([["proxy", "bytes/connection, fresh", "bytes/connection, after one request", "memory MiB"]] + [
        [peer, f"{entry['fresh']:,.0f}", f"{entry['used']:,.0f}", f"{entry['memory'] / MEBIBYTE:.1f}"]
        for peer, entry in summary.items()])


def row_text(row):
    """Everything about one row, below its heading."""
    is_idle = any("fresh" in entry for entry in row["summary"].values())
    parts = [idle_table(row["summary"]) if is_idle else load_table(row["summary"], row.get("unit", "request"))]
    parts += [f"Negotiated: {row['negotiated']}."] if "negotiated" in row else []
    parts += [f"{name}: {books['made']:,} requests made (and at most {books['unanswered_at_most']:,} begun), "
              f"{books['metric']:,} by the metric, {books['log_lines']:,} log lines, {books['dropped']:,} dropped."
              for name, books in row.get("books", {}).items()]
    if "changes" in row:
        parts.append(f"The configuration was changed {row['changes']:,} times and taken into use {row['published']:,} "
                     "times. Percentiles of the two lines compare; their CPU does not, since compiling is in it.")
    if "copies" in row:
        parts.append(f"{row['copies']:,} copies arrived, one of each request that was to be copied. CPU is that of the "
                     "whole process: a copied request is sent twice.")
    return "\n\n".join(parts)


def markdown(result):
    """The whole report."""
    machine, settings = result["machine"], result["settings"]
    parts = [
        "# Benchmark: CPU per request",
        f"{result['time']}, {machine['cpu']}, {machine['cores']} cores, {machine['kernel']}. {result['layout']}",
        f"{settings['rounds']} interleaved rounds of {settings['seconds']} s; medians, and medians of the ratios "
        "within a round. CPU is user + system of the whole proxy process with its children and threads, divided by the "
        "requests the backend counted. `core busy` is that CPU over the time measured: well under 100 % means that the "
        "client or the backend was the limit, so throughput and latency are theirs.",
        "Every proxy has one worker or thread, keep-alive on both sides without limits, and returned the backend's "
        "bytes. `+log` writes a text access log with Istio's fields to a file (nginx buffers 64 KB or 1 s, HAProxy "
        f"writes each line, Envoy buffers 64 KB or 10 s); for Weir it also means metrics. {settings['logging']}",
        "\n".join(f"- {name}: {text}" for name, text in result["versions"].items()),
        "## Targets", targets_table(result["targets"])]
    parts += [f"- left out: {name}: {reason}" for name, reason in result["skipped"].items()]
    for row in result["rows"]:
        parts += [f"## {row['name']}: {row['about']}", row_text(row)]
    if result["problems"]:
        parts += ["## Problems: these numbers are not valid", "\n".join(f"- {text}" for text in result["problems"])]
    return "\n\n".join(parts) + "\n"


def targets_table(verdicts):
    """The targets, what was measured, and whether it is met."""
    return columns([["row", "what", "measured", "target", "outcome"]] + [
        [one["row"], one["what"], one["measured"], one["target"], one["outcome"]] for one in verdicts])
