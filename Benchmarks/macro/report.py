"""Turns measured rounds into medians, ratios and tables."""
from statistics import median


def ratio_to(rounds, peer, other):
    """Median over the rounds of this peer's CPU per request over the other's in the same round.

    Both were measured within seconds of each other, so a machine that is busy for a while moves both.
    """
    pairs = [(one[peer]["cpu_us"], one[other]["cpu_us"]) for one in rounds if peer in one and other in one]
    return median(a / b for a, b in pairs) if pairs and all(b > 0 for _, b in pairs) else None


def summarize(rounds, peers):
    """One entry a peer: the median of each number, and its ratio to each other peer that is a yardstick."""
    summary = {}
    for peer in peers:
        mine = [one[peer] for one in rounds if peer in one]
        if not mine:
            continue
        entry = {key: median(sample[key] for sample in mine)
                 for key in ("cpu_us", "per_second", "p50_us", "p99_us", "busy")}
        entry["errors"] = sum(sample["errors"] for sample in mine)
        entry["ratios"] = {other: ratio_to(rounds, peer, other)
                           for other in ("floor", "nginx", "haproxy") if other in peers}
        summary[peer] = entry
    return summary


def table(summary):
    """A Markdown table that also reads well on a terminal."""
    yardsticks = [name for name in ("floor", "nginx", "haproxy") if name in summary]
    header = ["peer", "CPU us/request", *[f"x {name}" for name in yardsticks], "requests/s", "p50 us", "p99 us",
              "core busy", "errors"]
    lines = [header]
    for peer, entry in summary.items():
        ratios = [f"{entry['ratios'][name]:.2f}" if entry["ratios"].get(name) else "-" for name in yardsticks]
        lines.append([peer, f"{entry['cpu_us']:.2f}", *ratios, f"{entry['per_second']:,.0f}", f"{entry['p50_us']:.0f}",
                      f"{entry['p99_us']:.0f}", f"{entry['busy']:.0%}", str(entry["errors"])])
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    rows = ["| " + " | ".join(
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(line, widths))) + " |" for line in lines]
    rows.insert(1, "|" + "|".join(
        "-" * (width + 2) if column == 0 else "-" * (width + 1) + ":" for column, width in enumerate(widths)) + "|")
    return "\n".join(rows)


def markdown(result):
    """The whole report."""
    machine, settings = result["machine"], result["settings"]
    parts = [
        "# Benchmark: CPU per request",
        f"{result['time']}, {machine['cpu']}, {machine['cores']} cores, {machine['kernel']}. {result['layout']}",
        f"{settings['rounds']} interleaved rounds of {settings['seconds']} s; medians, and medians of the ratios within "
        "a round. CPU is user + system of the whole proxy process with its children, divided by the requests the "
        "backend counted. `core busy` is that CPU over the time measured: well under 100 % means that the client or "
        "the backend was the limit, so throughput and latency are theirs.",
        "\n".join(f"- {name}: {text}" for name, text in result["versions"].items()),
    ]
    for row in result["rows"]:
        parts += [f"## {row['about']}", table(row["summary"])]
    if result["problems"]:
        parts += ["## Problems: these numbers are not valid", "\n".join(f"- {text}" for text in result["problems"])]
    return "\n\n".join(parts) + "\n"
