"""Random configurations: Gateways, VirtualServices and what they lead to, each from its own seed."""
import random
from dataclasses import dataclass, field

from comparison import vocabulary as words
from comparison.actions import ActionMaker
from comparison.matches import MatchMaker, Shape
from comparison.services import Services, entry, endpoint


def marker_host(number):
    """A host that only this configuration has, and whose cluster only this one has: it answers once a proxy serves it."""
    return f"marker-{number}.invalid"


@dataclass(frozen=True)
class Place:
    """The ports of one pair of proxies: those of Gateways, a name for each backend's, one nobody listens on."""

    gateways: tuple
    backends: dict
    dead: int


@dataclass
class Case:
    """One match of one rule, as requests are made for it."""

    hosts: list
    shape: Shape
    misses: list
    features: frozenset

    @property
    def sticky(self):
        """What a request of this case is kept with its backend by, or None."""
        return next((feature.removeprefix("sticky by ") for feature in self.features if feature.startswith("sticky by ")), None)


@dataclass
class Configuration:
    """Documents, the features of everything that has a name in %ROUTE_NAME%, and what requests can be made for."""

    number: int
    documents: list
    features: dict
    cases: list = field(default_factory=list)

    def features_of(self, route_name):
        """The features of a route by its name, whose parts are divided by `.` and `-`."""
        found = set()
        for part in route_name.replace("-", ".").split("."):
            found |= self.features.get(part, set())
        return found


def document(kind, name, namespace, created=None, **spec):
    """One of Istio's documents."""
    metadata = {"name": name, "namespace": namespace}
    if created:
        metadata["creationTimestamp"] = created
    return {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def takes_some(match):
    """Whether a match leaves some requests to others."""
    return match.get("uri") not in (None, {"prefix": "/"}, {"prefix": ""}, {"regex": ".*"}) or len(match.keys() - {"name", "uri", "ignoreUriCase"}) > 0


class ConfigurationMaker:
    """Makes the configuration of a number."""

    def __init__(self, seed, number, place):
        self.chance = random.Random(f"{seed}/{number}")
        self.number = number
        self.place = place
        self.services = Services(self.chance, place.backends, place.dead)
        self.match_maker = MatchMaker(self.chance)
        self.action_maker = ActionMaker(self.chance, self.services)
        self.features = {}
        self.cases = []
        self.names = 0
        self.delegates = []

    def make(self):
        """The whole of it."""
        documents = [*self.gateways(), *self.marker()]
        for number in range(self.chance.choice([2, 3, 3, 4, 5])):
            documents.append(self.virtual_service(number))
        documents += self.delegates + self.services.documents
        self.chance.shuffle(documents)
        return Configuration(self.number, documents, self.features, self.cases)

    def name(self, prefix, features):
        """A name that occurs once, with what it stands for."""
        self.names += 1
        name = f"{prefix}{self.names}"
        self.features[name] = features
        return name

    def gateways(self):
        """One or two Gateways on two ports, with filters, wildcards and redirects to https."""
        first, second = self.place.gateways
        self.names_of_gateways = ["default/edge"]
        servers = [self.server(first, "http-a", self.chance.choice([["*"], ["*"], ["*"], ["*.example.com", "other.test"],
                                                                     ["default/*", "team/*.example.com"], ["./*", "team/other.test"]]))]
        if self.chance.random() < 0.5:
            servers.append(self.server(second, "http-b", self.chance.choice([["*"], ["*.example.com"], ["*/shop.example.com", "*.test"]])))
        found = [document("Gateway", "edge", "default", self.created(), selector={"istio": "ingressgateway"}, servers=servers)]
        if self.chance.random() < 0.5:
            self.names_of_gateways.append("team/side")
            port = self.chance.choice([first, second])
            server = self.server(port, "http-side", self.chance.choice([["*"], ["./*.example.com"], ["api.example.com", "*.test"]]))
            found.append(document("Gateway", "side", "team", self.created(), selector={"istio": "ingressgateway"}, servers=[server]))
        self.redirect_to_https(found)
        return found

    def redirect_to_https(self, gateways):
        """Some servers do; the oracle knows that of the last on a port alone, and of hosts without a namespace."""
        metadata = [gateway["metadata"] for gateway in gateways]
        order = sorted(range(len(gateways)), key=lambda at: (metadata[at].get("creationTimestamp", ""), metadata[at]["name"]))
        last = {server["port"]["number"]: server for at in order for server in gateways[at]["spec"]["servers"]}
        for server in last.values():
            if self.chance.random() < 0.2 and not any("/" in host for host in server["hosts"]):
                server["tls"] = {"httpsRedirect": True}

    @staticmethod
    def server(port, name, hosts):
        """One server of a Gateway."""
        return {"port": {"number": port, "name": name, "protocol": "HTTP"}, "hosts": hosts}

    def created(self):
        """A time of creation, mostly none; equal ones are broken by name."""
        return self.chance.choice([None, None, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2025-12-31T00:00:00Z"])

    def marker(self):
        """What answers with this configuration's number on each port, so that nobody has to wait by the clock."""
        name, host = f"marker-{self.number}", marker_host(self.number)
        servers = [self.server(port, f"marker-{port}", [host]) for port in self.place.gateways]
        return [document("Gateway", "zz-marker", "default", selector={"istio": "ingressgateway"}, servers=servers),
                document("VirtualService", "zz-marker", "default", hosts=[host], gateways=["zz-marker"],
                         http=[{"route": [{"destination": {"host": name}}]}]),
                entry(name, f"{name}.default.svc.cluster.local", [endpoint(self.place.backends["marker"])])]

    def virtual_service(self, number):
        """One VirtualService of a few rules."""
        namespace = self.chance.choice(["default", "default", "team"])
        hosts = self.hosts()
        gateways = self.chance.sample(self.names_of_gateways, self.chance.randint(1, len(self.names_of_gateways)))
        if self.chance.random() < 0.1:
            gateways = [*gateways, "mesh"] if "*" not in hosts else gateways
        shown = [gateway.split("/")[1] if gateway.startswith(namespace + "/") and self.chance.random() < 0.7 else gateway for gateway in gateways]
        features = {"wildcard host"} if any(host.startswith("*") for host in hosts) else set()
        rules = [self.rule(namespace, hosts, features, is_last) for is_last in [False] * self.chance.choice([1, 2, 3, 4, 6]) + [True]]
        return document("VirtualService", f"routes-{self.number}-{number}", namespace, self.created(), hosts=hosts, gateways=shown, http=rules)

    def hosts(self):
        """One or two hosts that do not overlap."""
        first = self.chance.choice(words.VIRTUAL_HOSTS + ["shop.example.com", "*"])
        if first.startswith("*") or self.chance.random() < 0.7:
            return [first]
        return [first, self.chance.choice([host for host in ("other.test", "10.1.2.3", "api.example.com") if host != first])]

    def rule(self, namespace, hosts, features, is_last):
        """One entry of `http`; the last one of a list most often matches everything."""
        features = set(features)
        name = self.name("r", features)
        rule = {"name": name}
        entries = 0 if is_last and self.chance.random() < 0.7 else self.chance.choice([1, 1, 1, 2, 3])
        matches = [self.match() for _ in range(entries)]
        if not is_last:  # what takes everything hides all that follows
            matches = [match for match in matches if takes_some(match.document)] or [self.narrow_match()]
        uris = {next(iter(match.document["uri"])) if "uri" in match.document else "none" for match in matches}
        if matches:
            rule["match"] = [match.document for match in matches]
        if self.chance.random() < 0.12:
            self.delegate(rule, features, namespace, hosts, matches)
            return rule
        self.action_maker.fill(rule, features, uris, namespace)
        self.add_cases(hosts, matches, features)
        return rule

    def match(self):
        """A match, mostly with a name, without which its requests are not counted."""
        match = self.match_maker.make(self.place.gateways, self.names_of_gateways)
        match.document["name"] = self.name("m", match.features)
        return match

    def narrow_match(self):
        """A match that does not take everything, or hardly ever."""
        match = self.match()
        for _ in range(20):
            if takes_some(match.document):
                break
            match = self.match()
        return match

    def delegate(self, rule, features, namespace, hosts, roots):
        """Hands a rule over to a VirtualService without hosts, whose matches mostly go with those of the root."""
        features.add("delegate")
        for match in roots:  # the oracle forgets them when it merges
            match.document.pop("sourceLabels", None)
            match.document.pop("sourceNamespace", None)
        target = self.chance.choice([namespace, "team", "default"])
        name = f"delegate-{self.number}-{len(self.delegates)}"
        rule["delegate"] = {"name": name} if target == namespace and self.chance.random() < 0.5 else {"name": name, "namespace": target}
        if self.chance.random() < 0.3:
            rule["headers"] = self.action_maker.operations(features, "route", False)
        if self.chance.random() < 0.3:
            rule["corsPolicy"] = self.action_maker.cors(features)
        rules = []
        for _ in range(self.chance.choice([1, 2, 3])):
            own = set()
            leaf = {"name": self.name("d", own)}
            matches = [self.leaf_match(roots) for _ in range(self.chance.choice([0, 1, 1, 2]))]
            if matches:
                leaf["match"] = [match.document for match in matches]
            self.action_maker.fill(leaf, own, {"delegated"}, target)
            rules.append(leaf)
            self.add_cases(hosts, matches or roots, own | features)
        if self.chance.random() < 0.9:
            self.delegates.append(document("VirtualService", name, target, http=rules))

    def leaf_match(self, roots):
        """A delegate's match, most often one that can be merged with one of the root's."""
        match = self.match()
        if roots and self.chance.random() < 0.7:
            root = self.chance.choice(roots)
            for part in ("uri", "method", "authority", "scheme", "headers", "withoutHeaders", "queryParams", "ignoreUriCase", "port"):
                match.document.pop(part, None)
                if part in root.document and self.chance.random() < 0.3:
                    match.document[part] = root.document[part]
            if "uri" not in match.document and root.document.get("uri", {}).get("prefix"):
                longer = root.document["uri"]["prefix"] + self.chance.choice(["", "x", "/leaf"])
                match.document["uri"] = {self.chance.choice(["prefix", "exact"]): longer}
                if "ignoreUriCase" in root.document:
                    match.document["ignoreUriCase"] = True
            match.shape, match.misses = root.shape, root.misses
            if "uri" in match.document and not match.document["uri"].get("regex"):
                path = match.document["uri"].get("prefix") or match.document["uri"].get("exact") or "/"
                match.shape = Shape(root.shape.method, path if path.startswith("/") else "/" + path, root.shape.host, root.shape.query, root.shape.headers)
            match.features.clear()
        return match

    def add_cases(self, hosts, matches, features):
        """Remembers what requests can be made."""
        if not matches:
            self.cases.append(Case(hosts, Shape(), [], frozenset(features)))
        for match in matches:
            self.cases.append(Case(hosts, match.shape, match.misses, frozenset(features)))
