"""What a rule does with a request: everything of HTTPRoute that Istio's validation lets through."""
from comparison import vocabulary as words


class ActionMaker:
    """Makes actions with one source of chance."""

    def __init__(self, chance, services):
        self.chance = chance
        self.services = services

    def fill(self, rule, features, uris, namespace):
        """Gives a rule its action; `uris` are the kinds of the paths it matches."""
        roll = self.chance.random()
        if roll < 0.13:
            self.redirect(rule, features, uris)
        elif roll < 0.25:
            self.direct_response(rule, features)
        else:
            self.route(rule, features, namespace)
        if self.chance.random() < 0.3:
            rule["headers"] = self.operations(features, "route", "rewrite" not in rule or "authority" not in rule["rewrite"])
        if self.chance.random() < 0.2:
            rule["corsPolicy"] = self.cors(features)

    def redirect(self, rule, features, uris):
        """Every field of a redirect."""
        redirect = {}
        if self.chance.random() < 0.7:
            if uris == {"prefix"} and self.chance.random() < 0.8:
                redirect["prefixRewrite"] = self.chance.choice(["/", "/other", "/other/"])
                features.add("redirect prefixRewrite")
            else:
                redirect["uri"] = self.chance.choice(words.REDIRECT_URIS)
                features.add("redirect uri")
        if self.chance.random() < 0.5:
            redirect["authority"] = self.chance.choice(words.REDIRECT_AUTHORITIES)
            features.add("redirect authority")
        if self.chance.random() < 0.4:
            redirect["scheme"] = self.chance.choice(["http", "https"])
            features.add("redirect scheme")
        roll = self.chance.random()
        if roll < 0.25:
            redirect["port"] = self.chance.choice(words.REDIRECT_PORTS)
            features.add("redirect port")
        elif roll < 0.5:
            redirect["derivePort"] = self.chance.choice(["FROM_REQUEST_PORT", "FROM_PROTOCOL_DEFAULT"])
            features.add("redirect derivePort")
        if not redirect or self.chance.random() < 0.5:
            redirect["redirectCode"] = self.chance.choice([301, 302, 303, 307, 308])
        if set(redirect) <= {"redirectCode", "derivePort"}:
            redirect["uri"] = "/moved"
        rule["redirect"] = redirect

    def direct_response(self, rule, features):
        """A status with or without a body."""
        rule["directResponse"] = {"status": self.chance.choice([200, 200, 204, 304, 403, 404, 418, 503])}
        roll = self.chance.random()
        if roll < 0.5:
            rule["directResponse"]["body"] = {"string": self.chance.choice(["no entry", "{\"a\": 1}", "line\nline", ""])}
        elif roll < 0.7:
            rule["directResponse"]["body"] = {"bytes": "AAECaGVsbG8="}
        features.add("directResponse")

    def route(self, rule, features, namespace):
        """Destinations with what may come along."""
        if self.chance.random() < 0.25:
            rule["route"] = self.weighted(features, namespace)
        else:
            destination = self.services.any(namespace)
            features |= destination.features
            if destination.by_chance:
                features.add("by chance")
            if destination.sticky:
                features.add(f"sticky by {destination.sticky}")
            rule["route"] = [self.destination(destination, features)]
            if self.chance.random() < 0.1:
                rule["route"][0]["weight"] = self.chance.choice([0, 1, 100])
        if self.chance.random() < 0.25:
            rule["rewrite"] = self.rewrite(features)
        if self.chance.random() < 0.12:
            rule["timeout"] = "0.15s"
            features.add("timeout")

    def destination(self, destination, features):
        """One entry of `route`."""
        found = {"destination": dict(destination.document)}
        if self.chance.random() < 0.2:
            found["headers"] = self.operations(features, "destination", True)
        return found

    def weighted(self, features, namespace):
        """Several destinations; shares of a few percent would take too many requests to see."""
        features |= {"weights", "by chance"}
        shares = self.chance.choice([[50, 50], [30, 70], [1, 1, 1], [0, 100], [100, 0], [20, 30, 50], [0, 1], [25, 0, 25]])
        found = []
        for share in shares:
            destination = self.services.any(namespace) if self.chance.random() < 0.3 else self.services.sure(namespace)
            features |= destination.features
            found.append(self.destination(destination, features))
            if share or self.chance.random() < 0.5:
                found[-1]["weight"] = share
        return found

    def rewrite(self, features):
        """Path, authority, or both."""
        rewrite = {}
        roll = self.chance.random()
        if roll < 0.45:
            rewrite["uri"] = self.chance.choice([uri for uri in words.REWRITE_URIS if uri])
            features.add("rewrite uri")
        elif roll < 0.75:
            pattern, substitution = self.chance.choice(words.REGEX_REWRITES)
            rewrite["uriRegexRewrite"] = {"match": pattern, "rewrite": substitution}
            features.add("rewrite regex")
        if not rewrite or self.chance.random() < 0.3:
            rewrite["authority"] = self.chance.choice(words.REWRITE_AUTHORITIES)
            features.add("rewrite authority")
        return rewrite

    def operations(self, features, level, may_set_authority):
        """Header operations in both directions."""
        found = {}
        for direction, names, variables in (("request", words.REQUEST_OPERATION_NAMES, words.REQUEST_VARIABLES),
                                            ("response", words.RESPONSE_OPERATION_NAMES, words.RESPONSE_VARIABLES)):
            if self.chance.random() < 0.6:
                found[direction] = self.direction(names, variables, features)
                features.add(f"headers {direction} {level}")
        if "request" in found and may_set_authority and self.chance.random() < 0.12:
            name = self.chance.choice(["Host", ":authority", "host"])
            found["request"].setdefault(self.chance.choice(["set", "set", "add"]), {})[name] = "set.example.org"
            features.add("headers authority")
        return found or {"request": {"set": {"x-added": "alone"}}}

    def direction(self, names, variables, features):
        """Operations in one direction."""
        found = {}
        for operation in self.chance.sample(["set", "add", "remove"], self.chance.choice([1, 1, 2, 3])):
            chosen = self.chance.sample(names, self.chance.choice([1, 1, 2]))
            if operation == "remove":
                found["remove"] = chosen
                continue
            found[operation] = {}
            for name in chosen:
                if self.chance.random() < 0.55:
                    found[operation][name] = self.chance.choice(variables)
                    features.add("variables")
                else:
                    found[operation][name] = self.chance.choice(words.PLAIN_VALUES)
        return found

    def cors(self, features):
        """A corsPolicy."""
        policy = {}
        origins = [dict(origin) for origin in self.chance.sample(words.ORIGIN_MATCHES, self.chance.choice([1, 1, 2]))]
        if self.chance.random() < 0.15:
            policy["allowOrigin"] = [self.chance.choice(["https://app.example.com", "*"])]
        else:
            policy["allowOrigins"] = origins
        for name, odds, values in (("allowMethods", 0.7, [["GET", "POST"], ["*"], ["PUT"]]),
                                   ("allowHeaders", 0.6, [["x-one", "X-Two"], ["*"], ["content-type"]]),
                                   ("exposeHeaders", 0.4, [["x-up"], ["x-up", "X-Added"], ["*"]]), ("maxAge", 0.4, ["24h", "60s", "1m30s"]),
                                   ("allowCredentials", 0.4, [True, False]), ("unmatchedPreflights", 0.4, ["FORWARD", "IGNORE", "UNSPECIFIED"])):
            if self.chance.random() < odds:
                policy[name] = self.chance.choice(values)
        features.add("corsPolicy")
        return policy
