"""The classes of differences that are meant: each with a reason, and as narrow as it can be told."""
import re
from dataclasses import dataclass

import yaml

from comparison.answers import LINES

MOST_CLASSES = 10
TEXTS = {"name", "reason"}
PATTERNS = {"where", "weir", "envoy", "request", "status"}
FIELDS = TEXTS | PATTERNS | {"joined"}


class BadList(Exception):
    """The list of classes is not as it has to be."""


@dataclass(frozen=True)
class KnownClass:
    """All patterns have to match the whole of their text, but `request`, which is looked for in the request's lines.

    `joined` says that Envoy's value has to be Weir's lines with commas between them.
    """

    name: str
    reason: str
    where: re.Pattern
    weir: re.Pattern
    envoy: re.Pattern
    request: re.Pattern
    status: re.Pattern
    joined: bool

    def explains(self, difference, request, status):
        """Whether one difference in the answers to a request, whose status Envoy gave, belongs to the class."""
        where, weir, envoy = difference
        if self.joined and ",".join(filter(None, weir.split(LINES))) != envoy:
            return False
        return bool(self.where.fullmatch(where) and self.weir.fullmatch(weir) and self.envoy.fullmatch(envoy)
                    and self.request.search(str(request)) and self.status.fullmatch(status))


def read(text):
    """The classes of a file."""
    found = []
    for item in yaml.safe_load(text) or []:
        if set(item) - FIELDS or not {"name", "reason", "where"} <= set(item):
            raise BadList(f"a class has name, reason and where, and of weir, envoy, request, status and joined what narrows it: {item}")
        patterns = {key: re.compile(item.get(key, ".*" if key != "request" else ""), re.DOTALL | (re.MULTILINE if key == "request" else 0))
                    for key in PATTERNS}
        found.append(KnownClass(item["name"], item["reason"], joined=item.get("joined", False), **patterns))
    if len(found) > MOST_CLASSES or len({known.name for known in found}) < len(found):
        raise BadList(f"at most {MOST_CLASSES} classes, each with a name of its own")
    return found


def unexplained(found, request, status, classes, met):
    """The differences that no class explains; those that one does are counted in `met`."""
    left = []
    for difference in found:
        known = next((known for known in classes if known.explains(difference, request, status)), None)
        if known is None:
            left.append(difference)
        else:
            met[known.name] = met.get(known.name, 0) + 1
    return left
