"""The routing tables that proxies are measured with, and the requests that rotate over all their entries.

All routes lead to the same origin, so that a table costs what finding the route costs and nothing else.
"""
from dataclasses import dataclass

from harness.programs import BENCH_HOST

TENANT_HEADER = "x-tenant"


@dataclass(frozen=True)
class Target:
    """What one request asks for."""

    host: str = BENCH_HOST
    path: str = "/"
    tenant: str | None = None

    def headers(self):
        """The headers that select the route, beside Host."""
        return {} if self.tenant is None else {TENANT_HEADER: self.tenant}

    def bytes(self, method="GET", body=b""):
        """The whole HTTP/1.1 request."""
        fields = {"Host": self.host} | self.headers() | ({"Content-Length": len(body)} if body else {})
        lines = [f"{method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(frozen=True)
class Table:
    """One kind of route (`one`, `resilience`, `hosts`, `headers`, `prefixes`, `regexes`), so many times."""

    kind: str
    size: int = 1

    def __str__(self):
        return self.kind if self.size == 1 else f"{self.kind}-{self.size}"

    def targets(self):
        """A request for each route, in the order of the routes."""
        return [self._target(number) for number in range(self.size)]

    def _target(self, number):
        if self.kind == "hosts":
            return Target(host=f"shop-{number}.example.com")
        if self.kind == "headers":
            return Target(tenant=f"tenant-{number}")
        if self.kind == "prefixes":
            return Target(path=f"{self.prefix(number)}item")
        if self.kind == "regexes":
            return Target(path=f"/api/service-{number}/item-{number % 10}")
        return Target()

    @staticmethod
    def regex(number):
        """The pattern for a whole path of a route of the `regexes` kind."""
        return f"/api/service-{number}/[a-z]+-[0-9]+"

    @staticmethod
    def prefix(number):
        """The path prefix of a route of the `prefixes` kind."""
        return f"/api/service-{number}/"


ONE = Table("one")
# One route as well, with retries, timeouts and outlier detection.
RESILIENCE = Table("resilience")
