"""What consistent hashing promises, told of each proxy alone: Weir's hash need not choose the endpoint that Envoy's does."""
import re
from dataclasses import replace

from comparison.services import KEEP

KEYS = [f"key-{number}" for number in range(12)]
ROUNDS = 3
FEW_KEYS = 6
COOKIE = re.compile(r'session="?([^";]*)"?')


def check(lane, probes):
    """[(probe, complaint)] about the rules that lead to the sticky service by something that a request carries."""
    found = []
    for case in {id(probe.case): probe.case for probe in probes if probe.case and probe.case.sticky}.values():
        probe = next((probe for probe in probes if probe.case is case and reaches(lane, probe)), None)
        if probe is None:
            continue
        weir, envoy = (behaviour(proxy.clients[probe.port], probe.request, case.sticky) for proxy in (lane.weir, lane.envoy))
        if weir != envoy:  # both move where a rule takes away what the key is made of
            found.append((probe, f"  sticky by {case.sticky}\n    weir:  {weir}\n    envoy: {envoy}"))
    return found


def reaches(lane, probe):
    """Whether the request gets to the sticky service."""
    return not probe.request.header("x-do") and backend(lane.weir.clients[probe.port].ask(probe.request, "sticky")) in KEEP


def backend(answer):
    """The backend that answered."""
    return (answer.all("x-origin") or ["none"])[0]


def keyed(request, key, value):
    """The request of one user."""
    if key == "query":
        path, _, query = request.target.partition("?")
        rest = [pair for pair in query.split("&") if pair and pair.partition("=")[0] != "q"]
        return replace(request, target=path + "?" + "&".join([f"q={value}", *rest]))
    name, text = {"header": ("X-User", value)}.get(key, ("cookie", f"session={value}"))
    return replace(request, headers=(*(pair for pair in request.headers if pair[0].lower() != name.lower()), (name, text)))


def behaviour(client, request, key):
    """Words for what the proxy does with several users, and for what it does with one who has no cookie yet."""
    if key == "source":
        seen = {backend(client.ask(request, "sticky")) for _ in range(len(KEYS))}
        return "stays" if len(seen) == 1 else f"moved between {len(seen)}"
    homes, said = [], set()
    for value in KEYS:
        seen = {backend(client.ask(keyed(request, key, value), "sticky")) for _ in range(ROUNDS)}
        if seen <= set(KEEP):
            homes.append(seen)
    if len(homes) >= FEW_KEYS:
        said.add("stays" if all(len(seen) == 1 for seen in homes) else "moved")
        said.add("spreads" if len(set().union(*homes)) > 1 else "all at one")
    if key == "cookie made":
        said.add(newcomer(client, replace(request, headers=tuple(pair for pair in request.headers if pair[0].lower() != "cookie"))))
    return ", ".join(sorted(said))


def newcomer(client, request):
    """What becomes of a user without a cookie, who uses the one that came with the answer."""
    first = client.ask(request, "sticky")
    made = next((found[1] for value in first.all("set-cookie") if (found := COOKIE.match(value))), None)
    if made is None:
        return "no cookie made"
    if not re.fullmatch("[0-9a-f]{16}", made):
        return f"odd cookie {made}"
    again = {backend(client.ask(keyed(request, "cookie", made), "sticky")) for _ in range(ROUNDS)}
    return "cookie keeps" if again == {backend(first)} else "cookie moved"
