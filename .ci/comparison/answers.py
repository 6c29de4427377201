"""Answers without what differs by nature, and what differs between two of them."""
import json
import re

from comparison.services import shown

UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b")
INSTANT = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
SECONDS = re.compile(r"\b1[789]\d{8}\b")
# A later try is told how much time is left.
ATTEMPT, TIMEOUTS = "x-envoy-attempt-count", ("x-envoy-expected-rq-timeout-ms", "grpc-timeout")
MADE_COOKIE = re.compile(r'^(session=)"[0-9a-f]{16}"')
ABSENT = "(absent)"
# What stands between the values of several lines of one name.
LINES = " | "
# How a proxy frames its answer and keeps its connection is between it and its client; what arrives whole is compared.
FRAMING = ("connection", "content-length", "keep-alive", "transfer-encoding")
# The tag is the comparison's own, and x-seen is compared by what is in it.
OURS = ("x-tag", "x-seen")
FAILURES = "failure"
ANSWERED, SEEN = "header ", "seen header "


class Normaliser:
    """Takes out of one proxy's answers what is its own: ports, times, ids, and which of several equal backends answered."""

    def __init__(self, place, local_ports):
        self.names = {f"127.0.0.1:{port}": f"<{shown(name)}>" for name, port in place.backends.items()}
        self.names[f"127.0.0.1:{place.dead}"] = "<dead>"
        self.local = {str(local): str(declared) for declared, local in local_ports.items()}

    def text(self, text, client_port):
        """One value."""
        text = re.sub(r"\b127\.0\.0\.1:\d+", lambda found: self.names.get(found[0], found[0]), text)
        text = re.sub(r"\b\d{4,5}\b", lambda found: "<client port>" if found[0] == str(client_port) else self.local.get(found[0], found[0]), text)
        return INSTANT.sub("<instant>", SECONDS.sub("<seconds>", UUID.sub("<uuid>", text)))

    def lines(self, headers, client_port, prefix, found):
        """Header lines by name, in the order of their values."""
        by_name = {}
        for name, value in headers:
            lower = name.lower()
            value = {"date": "<date>", "x-envoy-upstream-service-time": "<ms>"}.get(lower) or self.text(value, client_port)
            if lower in ("x-backend", "x-origin"):
                value = shown(value)
            value = MADE_COOKIE.sub(r"\1<made>", value)
            by_name.setdefault(lower, []).append(value if name == lower else f"({name}) {value}")
        for name, values in by_name.items():
            if name not in OURS and (prefix != ANSWERED or name not in FRAMING):
                found[f"{prefix}{name}"] = LINES.join(values)

    def facts(self, answer):
        """An answer as {where: what}; what the backend saw begins with `seen`."""
        if answer.failure:
            return {FAILURES: answer.failure}
        found = {"status": str(answer.status)}
        self.lines(answer.headers, answer.client_port, ANSWERED, found)
        seen = self.seen(answer)
        if seen is None:
            found["body"] = self.text(answer.body.decode("latin-1"), answer.client_port)
            return found
        found |= {"seen backend": shown(seen["backend"]), "seen method": seen["method"], "seen target": seen["target"], "seen body": seen["body"]}
        self.lines(seen["headers"], answer.client_port, SEEN, found)
        if found.get(SEEN + ATTEMPT) != "1":
            found |= {SEEN + name: "<time left>" for name in TIMEOUTS if SEEN + name in found}
        return found

    @staticmethod
    def seen(answer):
        """What the backend saw, or None for an answer that is not from a backend."""
        text = (answer.all("x-seen") or [answer.body.decode("latin-1")])[0]
        if not text.startswith('{"backend"'):
            return None
        return json.loads(text)


def differences(weir, envoy):
    """[(where, Weir's, Envoy's)] of two answers' facts."""
    return [(where, weir.get(where, ABSENT), envoy.get(where, ABSENT))
            for where in sorted(weir.keys() | envoy.keys()) if weir.get(where) != envoy.get(where)]
