"""HTTPMatchRequests, each with what a request needs to meet it and how it can just miss it."""
from dataclasses import dataclass, field, replace

from comparison import vocabulary as words


@dataclass(frozen=True)
class Shape:
    """What a request still has to be; `None` and missing entries are free."""

    method: str = None
    path: str = None
    host: str = None
    query: tuple = ()
    headers: tuple = ()
    without: tuple = ()


@dataclass
class Match:
    """One entry of `match`, the shape that meets it, and shapes that are near it."""

    document: dict
    shape: Shape
    features: set
    misses: list = field(default_factory=list)


class MatchMaker:
    """Makes matches with one source of chance."""

    def __init__(self, chance):
        self.chance = chance

    def make(self, ports, gateways, uri_kinds=("none", "exact", "prefix", "prefix", "regex")):
        """A match that any HTTPMatchRequest field may be part of."""
        match = Match({}, Shape(), set())
        self.uri(match, self.chance.choice(uri_kinds))
        for part, odds in ((self.method, 0.15), (self.authority, 0.08), (self.scheme, 0.05), (self.headers, 0.3),
                           (self.without, 0.14), (self.query, 0.2)):
            if self.chance.random() < odds:
                part(match)
        self.listener(match, ports, gateways)
        return match

    def text(self, exacts, regexes):
        """A StringMatch, a value that meets it and one that does not."""
        kind = self.chance.choice(["exact", "prefix", "regex"])
        if kind == "regex":
            pattern, hits, misses = self.chance.choice(regexes)
            return {"regex": pattern}, self.chance.choice(hits), self.chance.choice(misses or [None]), kind
        value = self.chance.choice([text for text in exacts if text])
        if kind == "exact":
            return {"exact": value}, value, value + self.chance.choice(["x", "/", " x"]).strip(), kind
        cut = value[:self.chance.randint(1, len(value))]
        return {"prefix": cut}, cut + self.chance.choice(["", "x", "-1"]), "z" + cut, kind

    def uri(self, match, kind):
        """The path, with ignoreUriCase now and then."""
        if kind == "none":
            return
        path, near = None, []
        if kind == "regex":
            pattern, hits, near = self.chance.choice(words.PATH_REGEXES)
            match.document["uri"], path = {"regex": pattern}, self.chance.choice(hits)
        else:
            value = self.chance.choice(words.EXACT_PATHS if kind == "exact" else words.PREFIX_PATHS)
            match.document["uri"] = {kind: value}
            path = value if kind == "exact" else self.extended(value)
            near = [value.swapcase() or "/", value + "/", value[:-1] or "/", "/x" + value]
        match.features.add(f"uri {kind}")
        if self.chance.random() < 0.15:
            match.document["ignoreUriCase"] = True
            match.features.add("ignoreUriCase")
            path = path.swapcase() if kind != "regex" else path
        match.shape = replace(match.shape, path=path if path.startswith("/") else "/" + path)
        match.misses += [replace(match.shape, path=other) for other in near if other.startswith("/")]

    def extended(self, prefix):
        """A path that begins so."""
        return (prefix + self.chance.choice(words.PATH_TAILS)) or "/"

    def method(self, match):
        """The method."""
        document, value = self.chance.choice(words.METHOD_MATCHES)
        match.document["method"] = dict(document)
        match.features.add("method")
        match.misses.append(replace(match.shape, method="DELETE"))
        match.shape = replace(match.shape, method=value)

    def authority(self, match):
        """The Host as it is written, port and case included."""
        match.document["authority"] = dict(self.chance.choice(words.AUTHORITY_MATCHES))
        match.features.add("authority")
        if "exact" in match.document["authority"]:
            match.shape = replace(match.shape, host=match.document["authority"]["exact"])

    def scheme(self, match):
        """The listener's scheme, which is http for all these."""
        match.document["scheme"] = self.chance.choice([{"exact": "http"}, {"exact": "https"}, {"prefix": "http"}, {"regex": "http"}])
        match.features.add("scheme")

    def headers(self, match):
        """One or two headers."""
        wanted = {}
        for name in self.chance.sample(words.HEADER_NAMES, self.chance.choice([1, 1, 2])):
            if self.chance.random() < 0.15:
                wanted[name], hit, miss, kind = {}, self.chance.choice(["", "anything"]), None, "present"
            else:
                wanted[name], hit, miss, kind = self.text(words.HEADER_VALUES, words.HEADER_REGEXES)
            match.features.add(f"header {kind}")
            match.misses.append(match.shape)
            if miss is not None:
                match.misses.append(replace(match.shape, headers=match.shape.headers + ((name, miss),)))
                # One line of several is enough, wherever it stands.
                twice = [(name, hit), (name, miss)]
                self.chance.shuffle(twice)
                match.misses.append(replace(match.shape, headers=match.shape.headers + tuple(twice)))
            match.shape = replace(match.shape, headers=match.shape.headers + ((name, hit),))
        match.document["headers"] = wanted

    def without(self, match):
        """One or two headers that must not be so."""
        unwanted = {}
        taken = {name.lower() for name in match.document.get("headers", {})}
        for name in self.chance.sample([name for name in words.HEADER_NAMES if name.lower() not in taken], self.chance.choice([1, 1, 2])):
            if self.chance.random() < 0.25:
                unwanted[name], hit, other, kind = self.chance.choice([{}, {"regex": "*"}]), "x", None, "present"
            else:
                unwanted[name], hit, other, kind = self.text(words.HEADER_VALUES, words.HEADER_REGEXES)
            match.features.add(f"withoutHeaders {kind}")
            match.misses.append(replace(match.shape, headers=match.shape.headers + ((name, hit),)))
            match.misses.append(replace(match.shape, headers=match.shape.headers + ((name, ""),)))
            if other is not None and self.chance.random() < 0.5:
                match.shape = replace(match.shape, headers=match.shape.headers + ((name, other),))
            else:
                match.shape = replace(match.shape, without=match.shape.without + (name.lower(),))
        match.document["withoutHeaders"] = unwanted

    def query(self, match):
        """One or two query parameters."""
        wanted = {}
        for name in self.chance.sample(words.QUERY_NAMES, self.chance.choice([1, 1, 2])):
            if self.chance.random() < 0.2:
                wanted[name], hit, miss, kind = {}, "", None, "present"
            else:
                wanted[name], hit, miss, kind = self.text(words.QUERY_VALUES, words.QUERY_REGEXES)
            match.features.add(f"query {kind}")
            match.misses.append(match.shape)
            if miss is not None:
                match.misses.append(replace(match.shape, query=match.shape.query + ((name, miss), (name, hit))))
                match.misses.append(replace(match.shape, query=match.shape.query + ((name, hit), (name, miss))))
            match.shape = replace(match.shape, query=match.shape.query + ((name, hit),))
        match.document["queryParams"] = wanted

    def listener(self, match, ports, gateways):
        """Where the request came in."""
        if self.chance.random() < 0.07:
            match.document["port"] = self.chance.choice(ports)
            match.features.add("port")
        if self.chance.random() < 0.07:
            match.document["gateways"] = [self.chance.choice(gateways)]
            match.features.add("gateways")
        elif self.chance.random() < 0.03:
            match.document.update(self.chance.choice([{"sourceLabels": {"app": "nobody"}}, {"sourceNamespace": "nowhere"}]))
