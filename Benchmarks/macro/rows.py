"""The rows of the report: what is asked of which proxies."""
from dataclasses import dataclass

from harness import weir
from harness.routing import ONE, Table, Target

from clients import Load
from proxies import Setting

POST_BODY = b"p" * 1024


@dataclass(frozen=True)
class LoadRow:
    """Proxies under load, one after the other, in interleaved rounds."""

    name: str
    about: str
    load: Load
    table: Table = ONE
    target: Target = Target()
    main: bool = False

    def settings(self, options):
        """The proxies of this row. Only the main row measures each both with and without log by default."""
        chosen = [Setting(peer, self.table, logged) for peer in options.peers for logged in self.logs(peer, options)]
        # What a table costs is Weir with it over Weir with one route that takes all the same requests.
        partners = [Setting("weir", ONE, one.logged, "one route") for one in chosen
                    if one.peer == "weir" and self.table != ONE]
        return chosen + partners

    @property
    def targets(self):
        """What is asked for, to compare the bytes that come back."""
        return self.table.targets() if self.table != ONE else [self.target]

    def logs(self, peer, options):
        """Without and with log, in the order of measuring."""
        can_log = peer != "floor" and (peer != "weir" or weir.can_observe(options.weir))
        usual = (False, True) if self.main else (peer == "weir",)
        wanted = {"usual": usual, "off": (False,), "on": (True,), "both": (False, True)}[options.log]
        return wanted if can_log else (False,)


@dataclass(frozen=True)
class ReloadRow:
    """Weir under load while its configuration is replaced again and again, and the same without."""

    name: str
    about: str
    load: Load


@dataclass(frozen=True)
class IdleRow:
    """Connections that do nothing, and what each keeps resident."""

    name: str
    about: str
    connections: int


def rotating(kind, size, about):
    """A row whose requests rotate over all entries of a large table."""
    table = Table(kind, size)
    load = Load(tuple(target.bytes() for target in table.targets()), 64)
    return LoadRow(kind, f"GET, 128-byte body, 64 connections, requests rotating over {about}", load, table)


LARGE = Target(path="/b/16384")
PLAIN = (Target().bytes(),)
ROWS = [
    LoadRow("small", "GET, 128-byte body, 64 connections", Load(PLAIN, 64), main=True),
    LoadRow("16k", "GET, 16 KB body, 64 connections", Load((LARGE.bytes(),), 64), target=LARGE),
    LoadRow("post", "POST, 1 KB body, 64 connections", Load((Target().bytes("POST", POST_BODY),), 64)),
    LoadRow("single", "GET, 128-byte body, 1 connection", Load(PLAIN, 1)),
    LoadRow("thousand", "GET, 128-byte body, 1,000 connections", Load(PLAIN, 1_000)),
    rotating("hosts", 10_000, "10,000 hosts"),
    rotating("headers", 1_000, "1,000 header routes"),
    rotating("prefixes", 1_000, "1,000 prefixes"),
    rotating("regexes", 1_000, "1,000 regexes"),
    LoadRow("h2load", "GET, 128-byte body, 64 connections, made by h2load: an exact number of requests",
            Load(PLAIN, 64, client="h2load")),
    ReloadRow("reload", "GET, 128-byte body, 64 connections, a weight changed every 100 ms", Load(PLAIN, 64)),
    IdleRow("idle", "2,000 idle connections", 2_000),
]
