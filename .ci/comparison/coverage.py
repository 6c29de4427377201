"""What the requests met: a comparison that never got to a feature says nothing about it."""

# The features that a run has to meet, and how often at least.
LEAST = 20
FEATURES = [
    "uri exact", "uri prefix", "uri regex", "ignoreUriCase", "method", "authority", "scheme", "port", "gateways",
    *(f"{part} {kind}" for part in ("header", "withoutHeaders", "query") for kind in ("exact", "prefix", "regex", "present")),
    "wildcard host", "delegate", "redirect uri", "redirect prefixRewrite", "redirect authority", "redirect scheme", "redirect port",
    "redirect derivePort", "directResponse", "rewrite uri", "rewrite regex", "rewrite authority", "headers authority",
    *(f"headers {direction} {level}" for direction in ("request", "response") for level in ("route", "destination")), "variables",
    "corsPolicy", "timeout", "weights", "subset", "port selection", "short name in another namespace", "Kubernetes Service",
    "several endpoints", "consistentHash", "unknown destination", "no endpoint", "dead endpoint", "retry past a dead endpoint",
    *(f"sticky by {key}" for key in ("header", "cookie", "cookie made", "query", "source")),
    "flag NR", "flag NC", "flag UH", "flag UF", "flag UT", "flag URX", "answered without a route",
]


def table(counts):
    """Lines of what was met how often."""
    return [f"{counts.get(feature, 0):7d} {feature}" for feature in FEATURES]


def complaints(counts):
    """A sentence for each feature that was not met often enough."""
    return [f"only {counts.get(feature, 0)} requests met: {feature}" for feature in FEATURES if counts.get(feature, 0) < LEAST]
