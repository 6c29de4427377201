"""What requests are routed to: the same backends in each configuration, under services of many shapes."""
from dataclasses import dataclass

DOMAIN = "default.svc.cluster.local"
# The names of backends. Those of one pool stand behind one name together, so which of them answers is chance.
SINGLE = ["one", "v1", "v2", "outside", "outside-alt", "team", "kube-v1", "kube-v2", "marker"]
POOL = ["pool-1", "pool-2", "pool-3"]
KEEP = ["keep-1", "keep-2", "keep-3"]
LIVE = ["live-1", "live-2"]
BACKENDS = [*SINGLE, *POOL, *KEEP, *LIVE]


def shown(name):
    """A backend's name without what is chance."""
    return name.partition("-")[0] if name in POOL + KEEP + LIVE else name


@dataclass(frozen=True)
class Destination:
    """A destination, what it shows, and whether its answer is one of several or failure."""

    document: dict
    features: frozenset = frozenset()
    by_chance: bool = False
    sticky: str = ""


def entry(name, host, endpoints, ports=({"number": 9080, "name": "http", "protocol": "HTTP"},), namespace="default"):
    """A ServiceEntry of fixed addresses."""
    spec = {"hosts": [host], "location": "MESH_INTERNAL", "resolution": "STATIC", "ports": list(ports)}
    if endpoints:
        spec["endpoints"] = endpoints
    return {"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
            "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def endpoint(port, version=None, name="http", weight=None):
    """One address of it."""
    found = {"address": "127.0.0.1", "ports": {name: port}}
    if version:
        found["labels"] = {"version": version}
    if weight:
        found["weight"] = weight
    return found


def rule(name, host, **spec):
    """A DestinationRule."""
    return {"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": {"name": name, "namespace": "default"},
            "spec": {"host": host, **spec}}


class Services:
    """The services of one configuration, as documents and as destinations to choose from."""

    def __init__(self, chance, ports, dead):
        self.chance = chance
        self.ports = ports
        self.dead = dead
        self.sticky_key, sticky_policy = self.sticky()
        self.documents = [*self.plain(), *self.kubernetes(), *self.pool(sticky_policy)]

    def plain(self):
        """ServiceEntries and their rules."""
        ports, dead = self.ports, self.dead
        two_ports = [{"number": 80, "name": "http", "protocol": "HTTP"}, {"number": 8080, "name": "http-alt", "protocol": "HTTP"}]
        outside = {"address": "127.0.0.1", "ports": {"http": ports["outside"], "http-alt": ports["outside-alt"]}}
        labels = [{"name": version, "labels": {"version": version}} for version in ("v1", "v2")]
        found = [
            entry("one", f"one.{DOMAIN}", [endpoint(ports["one"])]),
            entry("versions", f"versions.{DOMAIN}", [endpoint(ports["v1"], "v1"), endpoint(ports["v2"], "v2")]),
            entry("outside", "outside.example.org", [outside], two_ports),
            entry("one", "one.team.svc.cluster.local", [endpoint(ports["team"])], namespace="team"),
            entry("half", f"half.{DOMAIN}", [endpoint(dead), *(endpoint(ports[name]) for name in LIVE)]),
            entry("dead", f"dead.{DOMAIN}", [endpoint(dead)]),
            entry("empty", f"empty.{DOMAIN}", []),
            rule("half", "half", trafficPolicy={"loadBalancer": {"simple": "ROUND_ROBIN"}}),
        ]
        ghost = {"name": "ghost", "labels": {"version": "v9"}}
        if self.chance.random() < 0.3:  # one host, two rules: the subsets come together, the first of a name counts
            found += [rule("versions-a", "versions", subsets=[labels[0], ghost]),
                      rule("versions-b", f"versions.{DOMAIN}", subsets=[dict(ghost, name="v1"), labels[1]])]
        else:
            found.append(rule("versions", self.chance.choice(["versions", f"versions.{DOMAIN}"]), subsets=[*labels, ghost]))
        return found

    def kubernetes(self):
        """A Service with its slice and pods; a third pod is not ready."""
        pods, endpoints = [], []
        for number, (version, port) in enumerate((("v1", self.ports["kube-v1"]), ("v2", self.ports["kube-v2"]), ("v1", self.dead))):
            name = f"kube-{number}"
            pods.append({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default", "labels": {"app": "kube", "version": version}}})
            ready = number < 2
            slice_ports = [{"name": "http", "port": port, "protocol": "TCP"}]
            endpoints.append({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "ports": slice_ports,
                "metadata": {"name": name, "namespace": "default", "labels": {"kubernetes.io/service-name": "kube"}},
                "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": name}}]})
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kube", "namespace": "default"},
                   "spec": {"selector": {"app": "kube"}, "ports": [{"name": "http", "port": 8000, "targetPort": 80}]}}
        subsets = [{"name": version, "labels": {"version": version}} for version in ("v1", "v2")]
        return [service, *pods, *endpoints, rule("kube", "kube", subsets=subsets)]

    def pool(self, sticky_policy):
        """Three backends behind one name, balanced by a hash, and three behind another, balanced in some other way."""
        endpoints, kept = ([endpoint(self.ports[name], "all") for name in names] for names in (POOL, KEEP))
        simple = self.chance.choice(["ROUND_ROBIN", "RANDOM", "LEAST_REQUEST", "LEAST_CONN"])
        subset = {"name": "all", "labels": {"version": "all"}}
        return [entry("sticky", f"sticky.{DOMAIN}", kept), entry("pool", f"pool.{DOMAIN}", endpoints),
                self.chance.choice([
                    rule("sticky", "sticky", trafficPolicy={"loadBalancer": {"consistentHash": sticky_policy}}),
                    rule("sticky", "sticky", trafficPolicy={"loadBalancer": {"simple": "RANDOM"}}, subsets=[
                        dict(subset, trafficPolicy={"loadBalancer": {"consistentHash": sticky_policy}})])]),
                rule("pool", f"*.{DOMAIN}" if self.chance.random() < 0.2 else "pool", subsets=[subset],
                     trafficPolicy={"loadBalancer": {"simple": simple}})]

    def sticky(self):
        """What a client is recognised by, and the policy that says so."""
        key = self.chance.choice(["header", "cookie", "cookie made", "cookie made", "query", "source"])
        ttl = self.chance.choice(["3600s", "1h30m", "0s"])
        cookie = {"name": "session", "ttl": ttl}
        if self.chance.random() < 0.5:
            cookie["path"] = "/foo"
        if self.chance.random() < 0.4:
            cookie["attributes"] = [{"name": "SameSite", "value": "Lax"}, {"name": "Secure"}]
        policy = {"header": {"httpHeaderName": "X-User"}, "cookie": {"httpCookie": {"name": "session"}}, "cookie made": {"httpCookie": cookie},
                  "query": {"httpQueryParameterName": "q"}, "source": {"useSourceIp": True}}[key]
        if key == "cookie":
            policy["httpCookie"]["ttl"] = ttl
        algorithm = self.chance.choice([{}, {"ringHash": {"minimumRingSize": 512}}, {"maglev": {"tableSize": 1009}}, {"maglev": {"tableSize": 65537}}])
        return key, policy | algorithm

    def sure(self, namespace):
        """A destination that is there and always the same."""
        if namespace == "team" and self.chance.random() < 0.5:
            return Destination({"host": "one"}, frozenset({"short name in another namespace"}))
        suffix = f".{DOMAIN}" if namespace == "team" or self.chance.random() < 0.3 else ""
        return self.chance.choice([
            Destination({"host": "one" + suffix}),
            Destination({"host": "one" + suffix, "port": {"number": 9080}}, frozenset({"port selection"})),
            Destination({"host": "versions" + suffix, "subset": "v1"}, frozenset({"subset"})),
            Destination({"host": "versions" + suffix, "subset": "v2"}, frozenset({"subset"})),
            Destination({"host": "outside.example.org", "port": {"number": 80}}, frozenset({"port selection"})),
            Destination({"host": "outside.example.org", "port": {"number": 8080}}, frozenset({"port selection"})),
            Destination({"host": "kube" + suffix, "subset": "v1"}, frozenset({"Kubernetes Service"})),
            Destination({"host": "kube" + suffix, "subset": "v2"}, frozenset({"Kubernetes Service"})),
        ])

    def any(self, namespace):
        """Any destination, most often one that is there."""
        if self.chance.random() < 0.7:
            return self.sure(namespace)
        suffix = f".{DOMAIN}" if namespace == "team" or self.chance.random() < 0.3 else ""
        if self.chance.random() < 0.3:
            document = {"host": "sticky" + suffix, "subset": "all"} if self.has_sticky_subset() else {"host": "sticky" + suffix}
            return Destination(document, frozenset({"consistentHash"}), sticky=self.sticky_key)
        missing = frozenset({"unknown destination"})
        return self.chance.choice([
            Destination({"host": "pool" + suffix}, frozenset({"several endpoints"})),
            Destination({"host": "pool" + suffix, "subset": "all"}, frozenset({"several endpoints"})),
            Destination({"host": "half" + suffix}, frozenset({"retry past a dead endpoint"}), by_chance=True),
            Destination({"host": "dead" + suffix}, frozenset({"dead endpoint"})),
            Destination({"host": "empty" + suffix}, frozenset({"no endpoint"})),
            Destination({"host": "versions" + suffix, "subset": "ghost"}, frozenset({"no endpoint"})),
            Destination({"host": "versions" + suffix, "subset": "nothing"}, missing),
            Destination({"host": "nowhere"}, missing),
            Destination({"host": "one.default"}, missing),
            Destination({"host": "one" + suffix, "port": {"number": 81}}, missing),
            Destination({"host": "outside.example.org"}, missing),
        ])

    def has_sticky_subset(self):
        """Whether only a subset of the service is balanced by hash."""
        return any(document["kind"] == "DestinationRule" and document["metadata"]["name"] == "sticky" and "subsets" in document["spec"]
                   for document in self.documents)
