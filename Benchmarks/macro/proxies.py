"""The proxies that are measured: how each is configured for a routing table and started, with or without a log."""
import json
from dataclasses import dataclass
from pathlib import Path

from harness import curl, programs, routing, weir
from harness.envoy import envoy_program
from harness.programs import fill, which
from harness.protocols import PLAIN, Certificate, Protocols

HERE = Path(__file__).resolve().parent
YARDSTICKS = ["floor", "nginx", "haproxy", "envoy"]
PEERS = [*YARDSTICKS, "weir"]

# Istio's default text format.
ENVOY_LOG_FORMAT = (
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% '
    '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% '
    '%BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" '
    '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS% '
    '%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n')
# The like fields of HAProxy, which needs the headers captured and makes ids only when told.
HAPROXY_LOG_FORMAT = (
    'log-format "[%tr] \\"%HM %HP %HV\\" %ST %ts - \\"-\\" %U %B %Ta %Tr \\"%[capture.req.hdr(0)]\\" '
    '\\"%[capture.req.hdr(1)]\\" \\"%ID\\" \\"%[capture.req.hdr(2)]\\" \\"%si:%sp\\" %b %bi:%bp '
    '%fi:%fp %ci:%cp - default"')
HAPROXY_LOGGED = ["unique-id-format %[uuid]", *(f"http-request capture req.hdr({name}) len 64"
                  for name in ("x-forwarded-for", "user-agent", "host")), HAPROXY_LOG_FORMAT]


@dataclass(frozen=True)
class Setting:
    """A proxy with its routing table; `logged` adds an access log, and metrics where they can be switched."""

    peer: str
    table: routing.Table = routing.ONE
    logged: bool = False
    note: str = ""
    protocols: Protocols = PLAIN

    @property
    def name(self):
        """How reports call it."""
        return self.peer + ("+log" if self.logged else "") + (f", {self.note}" if self.note else "")


@dataclass(frozen=True)
class Place:
    """Where a proxy is to run."""

    directory: Path
    port: int
    backend_port: int
    weir_program: Path
    certificate: Certificate | None = None


class Proxy:
    """A started proxy: its process, port, version, and log file if it has one."""

    version_flag = "--version"
    counts_requests = False

    def __init__(self, setting, place, core):
        self.setting = setting
        self.name = setting.name
        self.port = place.port
        self.access_log = place.directory / "access.log" if setting.logged else None
        if reason := self.cannot(setting.protocols):
            raise programs.Unavailable(reason)
        command = self.configure(setting, place)
        self.version = programs.version([command[0], self.version_flag])
        self.program = programs.Program(self.name, command, core, self.output(place))
        try:
            self.program.wait_ready(self.answers)
        except BaseException:
            self.program.stop()
            raise

    def configure(self, setting, place):
        """Writes the configuration and returns the command."""
        raise NotImplementedError

    def output(self, place):
        """Where the program's own words go."""
        return place.directory / "output"

    def cannot(self, protocols):
        """Why it has no place in rows of these protocols, or None."""

    def answers(self):
        """Whether the last route leads to the origin."""
        if self.setting.protocols != PLAIN:
            return curl.fetch(self.port, curl.Request(), self.setting.protocols)[0] == 200
        return self.fetch(self.setting.table.targets()[-1])[0] == 200

    def fetch(self, target):
        """Status and body of one request."""
        return programs.get(self.port, target.path, target.headers() | {"Host": target.host})

    def log_lines(self):
        """Lines in the access log."""
        with open(self.access_log, "rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


class Floor(Proxy):
    """The byte relay, which has no routes and no log."""

    def configure(self, setting, place):
        """Compiles the relay."""
        relay = programs.compile_c(HERE / "relay.c", place.directory / "relay")
        return [relay, place.port, place.backend_port]

    def cannot(self, protocols):
        """It would only pass encrypted bytes on, or have no say in how streams share connections."""
        return None if protocols == PLAIN else "a byte relay speaks neither TLS nor HTTP/2"


class Nginx(Proxy):
    """A `server` a host, a `location` a prefix, a `map` over header values."""

    version_flag = "-v"

    def configure(self, setting, place):
        """Fills in nginx.conf."""
        log = f"{self.access_log} text buffer=64k flush=1s" if setting.logged else "off"
        config = fill(HERE / "peers/nginx.conf", place.directory / "nginx.conf", DIRECTORY=place.directory, LOG=log,
                      BACKEND=place.backend_port, ROUTES=self.routes(setting, place))
        return [which("nginx"), "-e", "stderr", "-p", place.directory, "-c", config]

    def cannot(self, protocols):
        """It has HTTP/2 to gRPC services alone."""
        return "nginx speaks HTTP/2 to no upstream but gRPC services" if protocols.upstream_http2 and not protocols.grpc else None

    @staticmethod
    def routes(setting, place):
        """The part of the configuration that depends on protocols and table."""
        table, port, spoken = setting.table, place.port, setting.protocols
        flags = (" ssl" if spoken.certificate else "") + (" http2" if spoken.http2 else "")
        entry, targets = f"listen 127.0.0.1:{port}{flags} reuseport;", table.targets()
        if spoken.certificate:
            entry += f" ssl_certificate {place.certificate.chain}; ssl_certificate_key {place.certificate.key};"
        to_origin = "{ grpc_pass grpc://origin; }" if spoken.grpc else "{ proxy_pass http://origin; }"
        if table.kind == "hosts":
            listen = f"listen 127.0.0.1:{port};"
            return "\n".join(
                f"server {{ {listen if number else entry} server_name {target.host}; location / {to_origin} }}"
                for number, target in enumerate(targets))
        if table.kind == "prefixes":
            locations = "\n".join(f"location {table.prefix(number)} {to_origin}" for number in range(table.size))
            return f"server {{ {entry}\n{locations}\n}}"
        if table.kind == "regexes":
            locations = "\n".join(f"location ~ ^{table.regex(number)}$ {to_origin}" for number in range(table.size))
            return f"server {{ {entry}\n{locations}\n}}"
        if table.kind == "headers":
            values = "\n".join(f"{target.tenant} origin;" for target in targets)
            variable = "$http_" + routing.TENANT_HEADER.replace("-", "_")
            return (f"map {variable} $chosen {{\n{values}\n}}\n"
                    f"server {{ {entry} location / {{ proxy_pass http://$chosen; }} }}")
        return f"server {{ {entry} location / {to_origin} }}"


class HAProxy(Proxy):
    """A map over hosts, header values, prefixes or regexes, as its manual advises for many."""

    version_flag = "-v"
    MAPS = {"hosts": "req.hdr(host),lower,map_str", "headers": f"req.hdr({routing.TENANT_HEADER}),map_str",
            "prefixes": "path,map_beg", "regexes": "path,map_reg"}

    def configure(self, setting, place):
        """Fills in haproxy.cfg and writes the map."""
        table, route = setting.table, "default_backend origin"
        if table.kind in self.MAPS:
            keys = [self.key(table, number, target) for number, target in enumerate(table.targets())]
            names = place.directory / "routes.map"
            names.write_text("".join(f"{key} origin\n" for key in keys))
            route = f"use_backend %[{self.MAPS[table.kind]}({names})]"
        config = fill(HERE / "peers/haproxy.cfg", place.directory / "haproxy.cfg", LISTEN=place.port, ROUTE=route,
                      BACKEND=place.backend_port, SCHEME=setting.protocols.scheme, ENTRY=self.entry(setting, place),
                      ORIGIN="proto h2" if setting.protocols.upstream_http2 else "",
                      LOG_TARGET="log stdout format raw local0" if setting.logged else "",
                      LOG_FORMAT="\n    ".join(HAPROXY_LOGGED) if setting.logged else "no log")
        return [which("haproxy"), "-db", "-f", config]

    @staticmethod
    def entry(setting, place):
        """How clients are listened to."""
        if setting.protocols.certificate:
            file = place.certificate.joined(place.directory / "certificate.pem")
            return f"ssl crt {file} alpn {setting.protocols.alpn}"
        return "proto h2" if setting.protocols.http2 else ""

    @staticmethod
    def key(table, number, target):
        """What selects a route."""
        if table.kind == "regexes":
            return f"^{table.regex(number)}$"
        return {"hosts": target.host, "headers": target.tenant}.get(table.kind) or table.prefix(number)

    def output(self, place):
        """Its log is its standard output."""
        return self.access_log or super().output(place)


class Envoy(Proxy):
    """Virtual hosts and routes as Istio's control plane would write them."""

    def configure(self, setting, place):
        """Fills in envoy.yaml; the parts that are generated are JSON, which is YAML."""
        log = [{"name": "envoy.access_loggers.file", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": str(self.access_log), "log_format": {"text_format_source": {"inline_string": ENVOY_LOG_FORMAT}}}}]
        config = fill(HERE / "peers/envoy.yaml", place.directory / "envoy.yaml", LISTEN=place.port,
                      BACKEND=place.backend_port, LOG=json.dumps(log if setting.logged else []),
                      VIRTUAL_HOSTS=json.dumps(self.virtual_hosts(setting.table)),
                      TRANSPORT=json.dumps(self.transport(setting, place)),
                      ORIGIN_OPTIONS=json.dumps(self.origin_options(setting.protocols)))
        return [envoy_program(), "--disable-hot-restart", "--concurrency", "1", "--log-level", "error",
                "-c", config]

    @staticmethod
    def transport(setting, place):
        """TLS at the listener, or nothing."""
        if not setting.protocols.certificate:
            return None
        files = {"certificate_chain": {"filename": str(place.certificate.chain)},
                 "private_key": {"filename": str(place.certificate.key)}}
        return {"name": "envoy.transport_sockets.tls", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {"tls_certificates": [files], "alpn_protocols": [setting.protocols.alpn]}}}

    @staticmethod
    def origin_options(protocols):
        """HTTP/2 to the origin, or nothing."""
        if not protocols.upstream_http2:
            return {}
        return {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}}}}

    @staticmethod
    def virtual_hosts(table):
        """The routing table."""
        def route(match):
            return {"match": match, "route": {"cluster": "origin", "timeout": "0s"}}

        if table.kind == "hosts":
            return [{"name": target.host, "domains": [target.host], "routes": [route({"prefix": "/"})]}
                    for target in table.targets()]
        matches = [{"prefix": "/"}]
        if table.kind == "headers":
            matches = [{"prefix": "/", "headers": [{"name": routing.TENANT_HEADER,
                                                    "string_match": {"exact": target.tenant}}]}
                       for target in table.targets()]
        if table.kind == "prefixes":
            matches = [{"prefix": table.prefix(number)} for number in range(table.size)]
        if table.kind == "regexes":
            matches = [{"safe_regex": {"regex": table.regex(number)}} for number in range(table.size)]
        return [{"name": "everything", "domains": ["*"], "routes": [route(match) for match in matches]}]


class Weir(Proxy):
    """Weir, with metrics and text access log or without both."""

    version_flag = "version"

    def configure(self, setting, place):
        """Writes the resources its users would write."""
        self.weir = weir.Weir(place.weir_program, place.directory, setting.table, place.backend_port, setting.logged,
                              setting.protocols, place.certificate)
        self.port, self.access_log, self.counts_requests = self.weir.port, self.weir.access_log, setting.logged
        return self.weir.command

    def metric(self, name):
        """The sum of a metric's series."""
        return self.weir.metric(name)


KINDS = {"floor": Floor, "nginx": Nginx, "haproxy": HAProxy, "envoy": Envoy, "weir": Weir}


class Field:
    """The proxies of one row, all running, in front of one backend."""

    def __init__(self, settings, directory, cores, backend, weir_program):
        self.running = []
        self.skipped, self.broken = {}, {}
        directory.mkdir()
        directory.chmod(0o755)  # nginx's worker may be another user
        for number, setting in enumerate(settings):
            certificate = setting.protocols.certificate and Certificate.made(setting.protocols.certificate, directory)
            place = Place(directory / str(number), programs.free_port(), backend.port, weir_program, certificate)
            place.directory.mkdir()
            try:
                self.running.append(KINDS[setting.peer](setting, place, cores.proxy))
            except programs.Unavailable as reason:
                self.skipped[setting.name] = str(reason)
            except programs.Broken as reason:
                self.broken[setting.name] = str(reason)
            except BaseException:
                self.stop()
                raise

    def stop(self):
        """Ends all of them."""
        for proxy in self.running:
            proxy.program.stop()
