"""Weir as benchmarks start it: one worker, its routing table as the YAML its users write, everything on or off."""
import base64

from harness import programs
from harness.protocols import PLAIN
from harness.routing import RESILIENCE, TENANT_HEADER

DROPPED_METRIC = "weir_access_log_dropped_total"
REQUESTS_METRIC = "istio_requests_total"

GATEWAY_AND_ORIGIN = """\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: entry
spec:
  servers:
  - port: {{number: {listen}, name: {entry_name}, protocol: {entry}}}
    hosts: ["*"]
{tls}---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: origin
spec:
  hosts: [origin.example.com, canary.example.com]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports:
  - {{number: 80, name: {origin_name}, protocol: {origin}}}
  endpoints:
  - address: 127.0.0.1
    ports: {{{origin_name}: {backend}}}
"""
TLS = """\
    tls: {mode: SIMPLE, credentialName: bench}
"""
SECRET = """\
---
apiVersion: v1
kind: Secret
metadata:
  name: bench
type: kubernetes.io/tls
data:
  tls.crt: {chain}
  tls.key: {key}
"""
VIRTUAL_SERVICE = """\
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: {name}
spec:
  hosts: ["{host}"]
  gateways: [entry]
  http:
"""
ROUTE = """\
  - match:
    - {match}
    route:
    - destination: {{host: origin.example.com, port: {{number: 80}}}}
"""
RESILIENT = """\
    timeout: 10s
    retries: {attempts: 3, perTryTimeout: 2s, retryOn: "5xx,reset,connect-failure,refused-stream"}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: origin
spec:
  host: origin.example.com
  trafficPolicy:
    outlierDetection: {consecutive5xxErrors: 5, consecutiveGatewayErrors: 5, interval: 1s, baseEjectionTime: 5s}
"""
MIRRORED_ROUTE = """\
  - match:
    - uri: {prefix: /mirrored/}
    route:
    - destination: {host: origin.example.com, port: {number: 80}}
    mirrors:
    - destination: {host: shadow.example.com, port: {number: 80}}
  - route:
    - destination: {host: origin.example.com, port: {number: 80}}
"""
SHADOW = """\
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: shadow
spec:
  hosts: [shadow.example.com]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports:
  - {{number: 80, name: http, protocol: HTTP}}
  endpoints:
  - address: 127.0.0.1
    ports: {{http: {port}}}
"""
WEIGHTED_ROUTE = """\
  - route:
    - destination: {{host: origin.example.com, port: {{number: 80}}}}
      weight: {weight}
    - destination: {{host: canary.example.com, port: {{number: 80}}}}
      weight: {rest}
"""


def weighted(weight, listen, backend):
    """The YAML of one route that divides requests between two destinations."""
    return "".join([gateway_and_origin(listen, backend),
                    VIRTUAL_SERVICE.format(name="everything", host="*"),
                    WEIGHTED_ROUTE.format(weight=weight, rest=100 - weight)])


def mirrored(listen, backend, shadow):
    """The YAML of two routes to one origin; the one of paths below /mirrored/ copies all requests to a second origin."""
    return "".join([gateway_and_origin(listen, backend), SHADOW.format(port=shadow),
                    VIRTUAL_SERVICE.format(name="everything", host="*"), MIRRORED_ROUTE])


def gateway_and_origin(listen, backend, protocols=PLAIN, certificate=None):
    """The YAML of what is listened to and what is behind it."""
    origin = "GRPC" if protocols.grpc else "HTTP2" if protocols.upstream_http2 else "HTTP"
    entry = "HTTPS" if certificate else "HTTP"
    text = GATEWAY_AND_ORIGIN.format(
        listen=listen, backend=backend, origin=origin, origin_name=origin.lower(), entry=entry,
        entry_name=entry.lower(), tls=TLS if certificate else "")
    if certificate:
        chain, key = (base64.b64encode(file.read_bytes()).decode() for file in (certificate.chain, certificate.key))
        text += SECRET.format(chain=chain, key=key)
    return text


def configuration(table, listen, backend, protocols=PLAIN, certificate=None):
    """The YAML of a routing table."""
    parts = [gateway_and_origin(listen, backend, protocols, certificate)]
    if table.kind == "hosts":
        for number, target in enumerate(table.targets()):
            parts += [VIRTUAL_SERVICE.format(name=f"shop-{number}", host=target.host),
                      ROUTE.format(match="uri: {prefix: /}")]
        return "".join(parts)
    parts.append(VIRTUAL_SERVICE.format(name="everything", host="*"))
    for number, target in enumerate(table.targets()):
        match = {"headers": f"headers: {{{TENANT_HEADER}: {{exact: {target.tenant}}}}}",
                 "prefixes": f"uri: {{prefix: {table.prefix(number)}}}",
                 "regexes": f"uri: {{regex: '{table.regex(number)}'}}"}.get(table.kind, "uri: {prefix: /}")
        parts.append(ROUTE.format(match=match))
    if table == RESILIENCE:
        parts.append(RESILIENT)
    return "".join(parts)


def can_observe(program):
    """Whether this build has metrics and an access log."""
    return "--access-log" in programs.said_by([program, "serve", "--help"])


class Weir:
    """One `weir serve` with its files in `directory`, to be started with `command`.

    `observed` switches metrics and a text access log to a file on.
    """

    def __init__(self, program, directory, table, backend_port, observed, protocols=PLAIN, certificate=None):
        if not program.exists():
            raise programs.Unavailable(f"{program} is not built")
        if observed and not can_observe(program):
            raise programs.Unavailable("this build of Weir has neither metrics nor access log")
        watched = directory / "config"
        watched.mkdir(parents=True)
        self.port = programs.free_port()
        self.table = table
        self.backend_port = backend_port
        self.file = watched / "weir.yaml"
        self.file.write_text(configuration(table, self.port, backend_port, protocols, certificate))
        self.command = [program, "serve", "--config", watched, "--admin", f"127.0.0.1:{programs.free_port()}",
                        "--health", "off", "--bind", "127.0.0.1", "--workers", "1"]
        self.access_log = self.metrics_port = None
        if observed:
            self.access_log = directory / "access.log"
            self.metrics_port = programs.free_port()
            self.command += ["--metrics", f"127.0.0.1:{self.metrics_port}", "--access-log", self.access_log,
                             "--access-log-format", "text"]
        elif can_observe(program):
            self.command += ["--metrics", "off", "--access-log", "off"]

    def answers(self):
        """Whether the first route of the table leads to the origin."""
        target = self.table.targets()[0]
        return programs.get(self.port, target.path, target.headers() | {"Host": target.host})[0] == 200

    def metric(self, name):
        """The sum of all series of a metric, of which there must be one.

        Requests are counted twice, as the gateway sees them and as their destination would: the second is left out.
        """
        text = programs.get(self.metrics_port, "/stats/prometheus")[1].decode()
        lines = [line.rpartition(" ") for line in text.splitlines()
                 if line.startswith((name + "{", name + " ")) and 'reporter="destination"' not in line]
        if not lines:
            raise programs.Broken(f"Weir has no metric {name}")
        return int(sum(float(value) for _, _, value in lines))
