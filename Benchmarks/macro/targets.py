"""What Weir is meant to reach, held against the rows of a run."""
from dataclasses import dataclass

import report

LOGGED, BARE = "weir+log", "weir"
RIVALS = ("nginx", "haproxy")
IDLE_BYTES = 2048


@dataclass(frozen=True)
class CPURatio:
    """Weir's CPU per request over another proxy's, in one row."""

    row: str
    other: str
    limit: float
    target_format = "<= {:.2f}"

    def measure(self, row, weir):
        """(what is compared, its value) or None when it was not measured."""
        other = f"{weir}, {report.ONE_ROUTE}" if self.other == report.ONE_ROUTE else self.other
        value = report.ratio_to(row["rounds"], weir, other)
        return value and (f"CPU of {weir} x {other}", value, f"{value:.2f}")


@dataclass(frozen=True)
class BetterRatio:
    """Weir's CPU over that of whichever rival needs less, in one row."""

    row: str
    limit: float
    target_format = "<= {:.2f}"

    def measure(self, row, weir):
        """The ratio; None without rivals."""
        rivals = [name for name in RIVALS if name in row["summary"]]
        if not rivals:
            return None
        better = min(rivals, key=lambda name: row["summary"][name]["cpu_us"])
        value = report.ratio_to(row["rounds"], weir, better)
        return value and (f"CPU of {weir} x {better}, the better rival", value, f"{value:.2f}")


@dataclass(frozen=True)
class ReloadRatio:
    """The 99th percentile with reloads over that without."""

    row: str
    limit: float
    target_format = "<= {:.2f}, 0 failed"

    def measure(self, row, _):
        """The ratio; without limit when a request failed."""
        value = report.ratio_to(row["rounds"], "weir, reloading", "weir", "p99_us")
        failed = row["summary"]["weir, reloading"]["errors"]
        return value and ("p99 with reloads x without", float("inf") if failed else value,
                          f"{value:.2f}, {failed} failed")


@dataclass(frozen=True)
class MirrorRatio:
    """The 99th percentile with copies over that without, beside how much a repetition without differs."""

    row: str
    limit: float
    target_format = "<= {:.2f}"

    def measure(self, row, _):
        """The ratio."""
        value, noise = (report.ratio_to(row["rounds"], name, "weir", "p99_us") for name in ("weir, mirroring", "weir, again"))
        return value and ("p99 with copies x without", value, f"{value:.2f}, without again {noise:.2f}")


@dataclass(frozen=True)
class IdleBytes:
    """What an idle connection keeps."""

    row: str
    state: str
    limit: int = IDLE_BYTES
    target_format = "<= {:,}"

    def measure(self, row, weir):
        """Bytes a connection."""
        value = row["summary"].get(weir, {}).get(self.state)
        return None if value is None else (f"bytes of an idle connection, {self.state}", value, f"{value:,.0f}")


@dataclass(frozen=True)
class IdleRatio:
    """What an idle connection keeps, over what it does in another proxy."""

    row: str
    state: str
    other: str
    limit: float
    target_format = "<= {:.2f}"

    def measure(self, row, weir):
        """The ratio of bytes a connection."""
        mine, others = (row["summary"].get(name, {}).get(self.state) for name in (weir, self.other))
        return mine and others and (f"bytes of an idle connection, {self.state}, x {self.other}", mine / others,
                                    f"{mine / others:.2f}")


TARGETS = [
    CPURatio("small", "floor", 1.15),
    *(CPURatio("small", other, limit) for name, limit in (("nginx", 0.95), ("haproxy", 0.95), ("envoy", 0.45))
      for other in (name, f"{name}+log")),
    CPURatio("16k", "nginx", 1.0),
    *(CPURatio(row, report.ONE_ROUTE, 1.1) for row in ("hosts", "headers", "prefixes")),
    CPURatio("regexes", report.ONE_ROUTE, 1.5),
    CPURatio("resilience", report.ONE_ROUTE, 1.05),
    ReloadRatio("reload", 1.5),
    MirrorRatio("mirrored", 1.1),
    IdleBytes("idle", "fresh"),
    IdleBytes("idle", "used"),
    CPURatio("tls", "nginx", 1.0),
    CPURatio("http2", "haproxy", 1.0),
    CPURatio("http2-both", "envoy", 0.5),
    CPURatio("grpc", "envoy", 0.5),
    *(BetterRatio(row, 1.05) for row in ("handshakes", "handshakes-rsa", "resumed")),
    IdleRatio("idle-tls", "fresh", "nginx", 1.0),
    IdleRatio("idle-tls", "used", "nginx", 1.0),
]


def judge(rows):
    """A line for each target whose row was run: met, MISSED, or not measured."""
    by_name = {row["name"]: row for row in rows}
    lines = []
    for target in TARGETS:
        if target.row not in by_name:
            continue
        row = by_name[target.row]
        weir = LOGGED if LOGGED in row["summary"] else BARE
        found = target.measure(row, weir)
        if not found:
            continue
        what, value, text = found
        outcome = "met" if value <= target.limit else "MISSED"
        # Without log and metrics Weir does less than the target asks it to do.
        if weir == BARE and not isinstance(target, (ReloadRatio, MirrorRatio)):
            outcome += ", without log and metrics"
        lines.append({"row": target.row, "what": what, "measured": text, "outcome": outcome,
                      "target": target.target_format.format(target.limit)})
    return lines
