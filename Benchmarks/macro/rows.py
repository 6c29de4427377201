"""The rows of the report: what is asked of which proxies."""
from dataclasses import dataclass

from harness import weir
from harness.curl import Request
from harness.protocols import PLAIN, Protocols
from harness.routing import ONE, RESILIENCE, Table, Target

from clients import Load
from proxies import Setting

POST_BODY = b"p" * 1024
GRPC_MESSAGE_BYTES = 128
GRPC_CALL = Request("/bench.Echo/Unary", b"\0" + GRPC_MESSAGE_BYTES.to_bytes(4) + b"m" * GRPC_MESSAGE_BYTES,
                    (("content-type", "application/grpc"), ("te", "trailers")))


@dataclass(frozen=True)
class LoadRow:
    """Proxies under load, one after the other, in interleaved rounds."""

    name: str
    about: str
    load: Load
    table: Table = ONE
    target: Target = Target()
    main: bool = False
    only_weir: bool = False

    def settings(self, options):
        """The proxies of this row. Only the main row measures each both with and without log by default."""
        chosen = [Setting(peer, self.table, logged, protocols=self.load.protocols)
                  for peer in options.peers if peer == "weir" or not self.only_weir
                  for logged in self.logs(peer, options)]
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
class MirrorRow:
    """Weir at a fixed rate with all requests copied to a second origin, and without."""

    name: str
    about: str
    load: Load


@dataclass(frozen=True)
class IdleRow:
    """Connections that do nothing, and what each keeps resident."""

    name: str
    about: str
    connections: int
    protocols: Protocols = PLAIN


@dataclass(frozen=True)
class HandshakeRow:
    """TLS handshakes and nothing else, some at a time."""

    name: str
    about: str
    protocols: Protocols
    resumed: bool = False
    connections: int = 8


def rotating(kind, size, about):
    """A row whose requests rotate over all entries of a large table."""
    table = Table(kind, size)
    load = Load(tuple(target.bytes() for target in table.targets()), 64)
    return LoadRow(kind, f"GET, 128-byte body, 64 connections, requests rotating over {about}", load, table)


def made_by_h2load(name, about, protocols, connections, streams=1, request=Request()):
    """A row in other protocols than plain HTTP/1.1."""
    return LoadRow(name, about, Load((), connections, "h2load", streams, request, protocols))


LARGE = Target(path="/b/16384")
SMALL = (Target().bytes(),)
ROWS = [
    LoadRow("small", "GET, 128-byte body, 64 connections", Load(SMALL, 64), main=True),
    LoadRow("16k", "GET, 16 KB body, 64 connections", Load((LARGE.bytes(),), 64), target=LARGE),
    LoadRow("post", "POST, 1 KB body, 64 connections", Load((Target().bytes("POST", POST_BODY),), 64)),
    LoadRow("single", "GET, 128-byte body, 1 connection", Load(SMALL, 1)),
    LoadRow("thousand", "GET, 128-byte body, 1,000 connections", Load(SMALL, 1_000)),
    LoadRow("resilience", "`small` on a route with timeouts and retries, outlier detection at its destination",
            Load(SMALL, 64), RESILIENCE, only_weir=True),
    rotating("hosts", 10_000, "10,000 hosts"),
    rotating("headers", 1_000, "1,000 header routes"),
    rotating("prefixes", 1_000, "1,000 prefixes"),
    rotating("regexes", 1_000, "1,000 regexes"),
    LoadRow("h2load", "GET, 128-byte body, 64 connections, made by h2load: an exact number of requests",
            Load(SMALL, 64, client="h2load")),
    made_by_h2load("tls", "GET, 128-byte body, HTTP/1.1 over TLS, 64 connections", Protocols("ecdsa"), 64),
    made_by_h2load("http2", "GET, 128-byte body, HTTP/2 over TLS, 8 connections x 32 streams",
                   Protocols("ecdsa", http2=True), 8, 32),
    made_by_h2load("http2-both", "GET, 128-byte body, HTTP/2 in plain text on both sides, 8 connections x 32 streams",
                   Protocols(http2=True, upstream_http2=True), 8, 32),
    made_by_h2load("grpc", "gRPC unary, 128-byte messages, HTTP/2 in plain text on both sides, 8 connections x 32 streams",
                   Protocols(http2=True, upstream_http2=True, grpc=True), 8, 32, GRPC_CALL),
    HandshakeRow("handshakes", "full TLS handshakes, ECDSA P-256", Protocols("ecdsa")),
    HandshakeRow("handshakes-rsa", "full TLS handshakes, RSA 2048", Protocols("rsa")),
    HandshakeRow("resumed", "resumed TLS handshakes", Protocols("ecdsa"), resumed=True),
    ReloadRow("reload", "GET, 128-byte body, 64 connections, a weight changed every 100 ms", Load(SMALL, 64)),
    MirrorRow("mirrored", "GET, 128-byte body, 2,000 a second over 20 connections, all of them copied to a second origin",
              Load((), 20, "h2load", rate=100)),
    IdleRow("idle", "2,000 idle connections", 2_000),
    IdleRow("idle-tls", "2,000 idle TLS connections, HTTP/1.1", 2_000, Protocols("ecdsa")),
]
