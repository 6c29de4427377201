"""Small changes to a configuration, as a mistake in Weir would make: the comparison has to notice each."""
import random


def rules(documents):
    """All rules of all VirtualServices but the marker's."""
    return [rule for document in documents if document["kind"] == "VirtualService" and document["metadata"]["name"] != "zz-marker"
            for rule in document["spec"]["http"]]


def values(documents, *path):
    """The dictionaries at the end of a path in rules; lists are gone through."""
    found = rules(documents)
    for step in path:
        found = [entry for place in found if step in place for entry in (place[step] if isinstance(place[step], list) else [place[step]])]
    return found


def change_paths(documents):
    """Exact paths are longer."""
    for uri in values(documents, "match", "uri"):
        if "exact" in uri:
            uri["exact"] += "x"


def change_prefixes_to_exact(documents):
    """Prefixes are taken for whole paths."""
    for uri in values(documents, "match", "uri"):
        if "prefix" in uri:
            uri["exact"] = uri.pop("prefix") or "/"


def drop_header_conditions(documents):
    """Headers are not looked at."""
    for match in values(documents, "match"):
        match.pop("headers", None)


def drop_query_conditions(documents):
    """Parameters are not looked at."""
    for match in values(documents, "match"):
        match.pop("queryParams", None)


def add_instead_of_set(documents):
    """Headers are added where they are to be replaced."""
    for level in (["headers"], ["route", "headers"]):
        for direction in ("request", "response"):
            for operations in values(documents, *level, direction):
                if "set" in operations and "add" not in operations:
                    operations["add"] = operations.pop("set")


def move_weights(documents):
    """The first of several destinations gets nothing."""
    for rule in rules(documents):
        weights = [entry.get("weight", 0) for entry in rule.get("route", [])]
        if sum(1 for weight in weights if weight) > 1:
            rule["route"][next(at for at, weight in enumerate(weights) if weight)]["weight"] = 0


def forget_redirect_ports(documents):
    """A redirect's port is forgotten."""
    for redirect in values(documents, "redirect"):
        redirect.pop("port", None)


def forget_origins(documents):
    """All origins are allowed."""
    for policy in values(documents, "corsPolicy"):
        policy["allowOrigins"] = [{"prefix": "h"}, {"exact": "null"}]


def forget_rewrites(documents):
    """Paths stay as they are."""
    for rule in rules(documents):
        if rule.get("rewrite", {}).pop("uri", None) and not rule["rewrite"]:
            del rule["rewrite"]


def forget_timeouts(documents):
    """Answers may take their time."""
    for rule in rules(documents):
        rule.pop("timeout", None)


def reverse_rules(documents):
    """The last rule comes first."""
    for document in documents:
        if document["kind"] == "VirtualService":
            document["spec"]["http"].reverse()


def forget_the_hash(documents):
    """A sticky service is not."""
    for document in documents:
        if document["kind"] == "DestinationRule" and document["metadata"]["name"] == "sticky":
            document["spec"]["trafficPolicy"] = {"loadBalancer": {"simple": "RANDOM"}}
            for subset in document["spec"].get("subsets", []):
                subset.pop("trafficPolicy", None)


FAULTS = {fault.__name__.replace("_", " "): fault for fault in (
    change_paths, change_prefixes_to_exact, drop_header_conditions, drop_query_conditions, add_instead_of_set, move_weights,
    forget_redirect_ports, forget_origins, forget_rewrites, forget_timeouts, reverse_rules, forget_the_hash)}
TRIES = 12


def numbers(seed, name):
    """Configurations to try one fault in."""
    return random.Random(f"{seed}/{name}").sample(range(100_000), TRIES)
