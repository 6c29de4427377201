"""One lane: a Weir, an Envoy and their backends, which go through configurations one after the other."""
import copy
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from comparison import sticky
from comparison.answers import ABSENT, Normaliser, differences
from comparison.configurations import ConfigurationMaker, Place
from comparison.known import unexplained
from comparison.probes import ProbeMaker
from comparison.proxies import Oracle, Weir
from comparison.services import BACKENDS
from harness import programs

# Answers that chance decides are asked for again until both proxies have given the same ones; one that only one of them
# gives shows as what is still missing at the end. A share of a tenth is missed once in 10^18 runs.
SAMPLES = 24
MOST_SAMPLES = 400
# A busy machine may let a timeout pass that nothing else would: a difference has to show again this many times.
CONFIRMATIONS = 2
FEW_FINDINGS = 3
HERE = Path(__file__).resolve().parent
ADMIN_PORTS = GATEWAY_PORTS = 2
# Two Gateway ports for each proxy, two admin ports, the backends, and a port nobody listens on.
PORTS = 2 * GATEWAY_PORTS + ADMIN_PORTS + len(BACKENDS) + 1


@dataclass
class Outcome:
    """What a lane found; the counts are by name."""

    findings: list = field(default_factory=list)
    features: dict = field(default_factory=dict)
    classes: dict = field(default_factory=dict)
    requests: int = 0
    configurations: int = 0
    passing: int = 0

    def add(self, other):
        """Joins another lane's."""
        self.findings += other.findings
        self.requests += other.requests
        self.configurations += other.configurations
        self.passing += other.passing
        for mine, theirs in ((self.features, other.features), (self.classes, other.classes)):
            for name, count in theirs.items():
                mine[name] = mine.get(name, 0) + count


class Lane:
    """The programs of one lane; `fault` changes the documents that Weir gets."""

    def __init__(self, options, directory, ports, fault=None):
        self.options = options
        self.directory = directory
        self.fault = fault
        ports = list(ports)
        self.declared, local = tuple(ports[:2]), ports[2:4]
        admin_ports, dead = ports[4:6], ports[6]
        self.place = Place(self.declared, dict(zip(BACKENDS, ports[7:])), dead)
        self.local_ports = dict(zip(self.declared, local))
        self.admin_ports = admin_ports
        self.outcome = Outcome()
        self.features_by_tag = []

    def run(self, numbers):
        """Compares the configurations of these numbers."""
        with ExitStack() as stack:
            self.start(stack)
            self.pool = stack.enter_context(ThreadPoolExecutor(2))
            for number in numbers:
                self.compare(ConfigurationMaker(self.options.seed, number, self.place).make())
                if len(self.outcome.findings) >= FEW_FINDINGS:
                    break
        self.count()
        return self.outcome

    def start(self, stack):
        """Starts everything; Envoy takes longest and goes first."""
        self.envoy = Oracle(self.options.suites, self.directory / "envoy", self.declared, self.admin_ports[0])
        stack.callback(self.envoy.stop)
        self.weir = Weir(self.options.weir, self.directory / "weir", self.local_ports, self.admin_ports[1])
        stack.callback(self.weir.stop)
        names = [f"{name}={port}" for name, port in self.place.backends.items()]
        backends = programs.Program("backends", [sys.executable, "-B", HERE / "echo.py", *names], None, self.directory / "backends.out")
        stack.callback(backends.stop)
        backends.wait_ready(lambda: "listening" in (self.directory / "backends.out").read_text())
        self.envoy.ready()
        self.weir.ready()
        self.normalisers = [Normaliser(self.place, self.local_ports), Normaliser(self.place, {})]

    # --- one configuration ------------------------------------------------------------------------------------------

    def compare(self, configuration):
        """Serves one configuration from both and sends its requests."""
        self.outcome.configurations += 1
        documents = configuration.documents
        if self.fault:
            documents = copy.deepcopy(documents)
            self.fault(documents)
        troubles = list(self.pool.map(lambda proxy, what: proxy.serve(configuration, what), (self.weir, self.envoy),
                                      (documents, configuration.documents)))
        if any(troubles):
            self.report(configuration, None, None, "\n".join(filter(None, troubles)))
            return
        probes = ProbeMaker(self.options.seed, configuration, self.declared).make()
        by_chance = any("by chance" in case.features for case in configuration.cases)
        for number, probe in enumerate(probes):
            tag, port, request = f"{configuration.number}-{number}", probe.port, probe.request
            pairs = self.ask(port, request, tag, 1)
            left = self.judge(pairs, request)
            if by_chance and (probe.is_sampled or left):
                left = self.sample(probe, tag, pairs)
            elif left and not self.is_lasting(probe, tag):
                self.outcome.passing += 1
                left = []
            self.features_by_tag.append((tag, configuration))
            if left:
                self.report(configuration, port, request, self.described(left))
                if len(self.outcome.findings) >= FEW_FINDINGS:
                    return
        for probe, complaint in sticky.check(self, probes):
            self.report(configuration, probe.port, probe.request, complaint)

    def ask(self, port, request, tag, times):
        """Facts of the answers of both, Weir's first."""
        def facts(proxy, normaliser):
            return [normaliser.facts(proxy.clients[port].ask(request, tag)) for _ in range(times)]

        self.outcome.requests += times
        return list(self.pool.map(facts, (self.weir, self.envoy), self.normalisers))

    def is_lasting(self, probe, tag):
        """Whether a difference shows each time that the request is sent again."""
        return all(self.judge(self.ask(probe.port, probe.request, tag, 1), probe.request) for _ in range(CONFIRMATIONS))

    def sample(self, probe, tag, pairs):
        """The differences that are left when all answers to a request have been seen."""
        for _ in range(MOST_SAMPLES // SAMPLES):
            more = self.ask(probe.port, probe.request, tag, SAMPLES)
            pairs = [distinct(old + new) for old, new in zip(pairs, more)]
            left = self.judge(pairs, probe.request)
            if not left:
                break
        return left

    def judge(self, pairs, request):
        """Differences that nobody explained: each answer of one has its like among those of the other."""
        left = []
        for mine, others, is_weir in ((pairs[0], pairs[1], True), (pairs[1], pairs[0], False)):
            others = distinct(others)
            for answer in distinct(mine):
                found = []
                for other in others:
                    weir, envoy = (answer, other) if is_weir else (other, answer)
                    met = {}
                    rest = unexplained(differences(weir, envoy), request, envoy.get("status", ABSENT), self.options.classes, met)
                    found.append((len(rest), rest, met))
                count, rest, met = min(found, key=lambda item: item[0])
                if count and rest not in left:
                    left.append(rest)
                elif not count and is_weir:
                    for name, times in met.items():
                        self.outcome.classes[name] = self.outcome.classes.get(name, 0) + times
        return left

    # --- what came out ----------------------------------------------------------------------------------------------

    @staticmethod
    def described(left):
        """Differences as text."""
        return "\n".join(f"  {where}\n    weir:  {weir}\n    envoy: {envoy}" for rest in left[:3] for where, weir, envoy in rest)

    def report(self, configuration, port, request, what):
        """Keeps a finding."""
        text = yaml.safe_dump_all(configuration.documents, sort_keys=False)
        at = "" if request is None else f"--- request to port {port}\n{request}\n"
        problems = "".join(f"{problem}\n" for problem in self.weir.problems() if problem.startswith("error"))
        again = f"--- again: .ci/envoy-diff --seed {self.options.seed} --only {configuration.number}\n"
        self.outcome.findings.append(f"--- configuration {configuration.number} of seed {self.options.seed}\n{text}"
                                     f"{at}--- differences\n{what}\n" + (f"--- weir's problems\n{problems}" if problems else "") + again)

    def count(self):
        """Which features the requests met, by the rules that Weir's log names."""
        routes = self.weir.routes()
        for tag, configuration in self.features_by_tag:
            flags, name = routes.get(tag, ("-", "-"))
            features = configuration.features_of(name) if name != "-" else set()
            features |= {f"flag {flag}" for flag in flags.split(",") if flag != "-"}
            if name == "-" and flags == "-":
                features.add("answered without a route")
            for feature in features:
                self.outcome.features[feature] = self.outcome.features.get(feature, 0) + 1


def distinct(answers):
    """Each of several facts once."""
    found = []
    for answer in answers:
        if answer not in found:
            found.append(answer)
    return found
