"""The requests of a configuration: for each match one that meets it, some that just miss it, and some at random."""
import random
from dataclasses import dataclass

from comparison import vocabulary as words
from comparison.matches import Shape
from comparison.wire import Request

RANDOM_PROBES = 12
MISSES = 2


@dataclass(frozen=True)
class Probe:
    """A request for a port; `is_sampled` asks for all answers it can get, `case` is what it was made for."""

    port: int
    request: Request
    case: object = None
    is_sampled: bool = False


class ProbeMaker:
    """Makes requests with one source of chance, for the ports of the Gateways."""

    def __init__(self, seed, configuration, ports):
        self.chance = random.Random(f"{seed}/{configuration.number}/probes")
        self.configuration = configuration
        self.ports = ports

    def make(self):
        """All of them, in order."""
        found = [probe for case in self.configuration.cases for probe in self.of(case)]
        return found + [Probe(self.port(), self.request(Shape(), None)) for _ in range(RANDOM_PROBES)]

    def of(self, case):
        """Those of one case."""
        shape = case.shape
        hit = self.request(shape, case)
        found = [Probe(self.port(), hit, case, "by chance" in case.features), Probe(self.port(), self.request(shape, case), case)]
        others = []
        if "corsPolicy" in case.features:
            others += [self.preflight(shape, case), self.crossed(shape, case)]
        if "timeout" in case.features:
            others.append(hit.with_header("x-do", "delay=0.4"))
        if case.features & {"directResponse", "unknown destination", "no endpoint"} or self.chance.random() < 0.05:
            others.append(hit.with_header("content-type", "application/grpc"))
        if any(feature.startswith("headers response") for feature in case.features):
            others.append(hit.with_header("x-do", self.chance.choice(words.SCRIPTS)))
        others += [self.request(miss, case) for miss in self.chance.sample(case.misses, min(MISSES, len(case.misses)))]
        return found + [Probe(self.port(), request, case) for request in others]

    def port(self):
        """The first port mostly."""
        return self.ports[0] if self.chance.random() < 0.75 else self.ports[1]

    def request(self, shape, case):
        """A request of this shape; what the shape leaves open is chosen."""
        method = shape.method or self.chance.choice(words.METHODS)
        headers = [("Host", shape.host or self.host(case))]
        headers += list(shape.headers)
        taken = {name.lower() for name, _ in headers} | set(shape.without)
        for name in self.chance.sample(words.HEADER_NAMES, self.chance.choice([0, 0, 1, 2])):
            if name.lower() not in taken:
                headers.append((name, self.chance.choice(words.HEADER_VALUES)))
        if self.chance.random() < 0.05:
            headers.append(self.chance.choice([
                ("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "https"), ("x-envoy-internal", "true"), ("x-request-id", "mine"),
                ("x-forwarded-host", "front.example.com"), ("te", "trailers"), ("x-envoy-retry-on", "5xx"), ("keep-alive", "300"),
                ("x-envoy-original-path", "/forged"), ("x-envoy-attempt-count", "7"), ("x-forwarded-client-cert", "Hash=1")]))
        if self.chance.random() < 0.12:
            headers.append(("x-do", self.chance.choice(words.SCRIPTS)))
        if self.chance.random() < 0.06:
            headers.append(("Origin", self.chance.choice(words.ORIGINS)))
        body = b"some body" if method in ("POST", "PUT", "PATCH") and self.chance.random() < 0.6 else b""
        return Request(method, self.target(shape), tuple(headers), body)

    def host(self, case):
        """A Host that belongs to the case, most often."""
        if case is None or self.chance.random() < 0.04:
            return self.chance.choice(words.STRANGE_HOSTS + [host for hosts in words.HOST_HEADERS.values() for host in hosts])
        return self.chance.choice(words.HOST_HEADERS[self.chance.choice(case.hosts)])

    def target(self, shape):
        """Path and query."""
        path = shape.path if shape.path is not None else self.chance.choice(words.LOOSE_PATHS)
        query = list(shape.query)
        if self.chance.random() < 0.2:
            query.insert(self.chance.randint(0, len(query)), (self.chance.choice(words.QUERY_NAMES + ["other"]), self.chance.choice(words.QUERY_VALUES)))
        if not query:
            return path + ("?" if self.chance.random() < 0.02 else "")
        pairs = [name if value == "" and self.chance.random() < 0.5 else f"{name}={value}" for name, value in query]
        return path.partition("#")[0] + "?" + "&".join(pairs)

    def preflight(self, shape, case):
        """OPTIONS, as a browser asks before it asks."""
        request = self.request(Shape("OPTIONS", shape.path, shape.host, shape.query, shape.headers, shape.without + ("origin",)), case)
        headers = [("Origin", self.chance.choice(words.ORIGINS)), ("Access-Control-Request-Method", self.chance.choice(["GET", "PUT"]))]
        if self.chance.random() < 0.5:
            headers.append(("Access-Control-Request-Headers", "x-one, x-three"))
        return Request("OPTIONS", request.target, (*(pair for pair in request.headers if pair[0] != "Origin"), *headers))

    def crossed(self, shape, case):
        """A request from a page of another origin, to a backend that has an opinion of its own."""
        request = self.request(shape, case)
        headers = [pair for pair in request.headers if pair[0] not in ("Origin", "x-do")]
        headers.append(("Origin", self.chance.choice(words.ORIGINS)))
        if self.chance.random() < 0.4:
            headers.append(("x-do", "header=access-control-allow-origin:https://up.test;header=access-control-expose-headers:x-up"))
        return Request(request.method, request.target, tuple(headers), request.body)
