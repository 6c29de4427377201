"""The two proxies that are compared, each on a directory of its own, reloading what is written there."""
import http.client
import json
import sys
import time
from pathlib import Path

import yaml

from comparison.configurations import marker_host
from comparison.wire import Client, Request
from harness import programs
from harness.envoy import envoy_program

START_SECONDS = 60
RELOAD_SECONDS = 20
POLL_SECONDS = 0.02
LOG_FORMAT = "%REQ(X-TAG)% %RESPONSE_CODE% %RESPONSE_FLAGS% %ROUTE_NAME%"


class Proxy:
    """A started proxy; `local_ports` says where it listens for each port of the Gateways."""

    def __init__(self, name, command, directory, local_ports, admin_port, environment=None):
        self.name = name
        self.directory = directory
        self.local_ports = local_ports
        self.admin_port = admin_port
        self.clients = {declared: Client(local) for declared, local in local_ports.items()}
        self.config = directory / "config"
        self.config.mkdir(parents=True)
        self.write([])
        self.program = programs.Program(name, [part.format(config=self.config) for part in command], None, directory / "output", environment)

    def ready(self):
        """Waits until the proxy has started."""
        self.program.wait_ready(lambda: programs.get(self.admin_port, "/ready")[0] == 200, START_SECONDS)

    def write(self, documents):
        """Replaces the configuration by a rename, as editors do."""
        new = self.directory / "all.yaml"
        new.write_text(yaml.safe_dump_all(documents, sort_keys=False), encoding="utf-8")
        new.rename(self.config / "all.yaml")

    def serve(self, configuration, documents):
        """Writes the configuration and waits until each port routes by it; returns what is wrong, or nothing."""
        self.write(documents)
        deadline = time.monotonic() + RELOAD_SECONDS
        request = Request("GET", "/", (("Host", marker_host(configuration.number)),))
        for client in self.clients.values():
            while True:
                answer = client.ask(request, "marker")
                if answer.status == 200 and answer.all("x-origin") == ["marker"]:
                    break
                if time.monotonic() > deadline:
                    return f"{self.name} does not serve the configuration: {self.complaint()}"
                time.sleep(POLL_SECONDS)
        return ""

    def complaint(self):
        """What the proxy says about the configuration."""
        return self.program.last_words()

    def stop(self):
        """Ends it."""
        for client in self.clients.values():
            client.close()
        self.program.stop()


class Weir(Proxy):
    """Weir, listening elsewhere than its Gateways say, with a log that names the rule of each request."""

    def __init__(self, program, directory, local_ports, admin_port):
        self.access_log = directory / "access.log"
        maps = [part for declared, local in local_ports.items() for part in ("--listen-map", f"{declared}={local}")]
        super().__init__("weir", [
            str(program), "serve", "--config", "{config}", "--admin", f"127.0.0.1:{admin_port}", "--health", "off", "--metrics", "off",
            "--workers", "1", "--bind", "127.0.0.1", *maps, "--server-name", "istio-envoy",
            "--access-log", str(self.access_log), "--access-log-format", LOG_FORMAT], directory, local_ports, admin_port)

    def complaint(self):
        """The problems it reports."""
        try:
            return "\n".join(problem for problem in self.problems() if problem.startswith("error")) or super().complaint()
        except (OSError, http.client.HTTPException, ValueError):
            return super().complaint()

    def problems(self):
        """What it reports about the configuration, a line each."""
        status = json.loads(programs.get(self.admin_port, "/status")[1])
        return [f"{problem['severity']} {problem['code']} {problem.get('resource', '')} {problem.get('path', '')}: {problem['message']}"
                for problem in status["problems"]]

    def routes(self):
        """The rule that took each request, by its tag; for the log of a process that has ended."""
        found = {}
        for line in self.access_log.read_text(errors="replace").splitlines():
            tag, _, flags, name = line.split(" ", 3)
            found[tag] = (flags, name)
        return found


class Oracle(Proxy):
    """Envoy as the suites' oracle configures it."""

    def __init__(self, suites, directory, ports, admin_port):
        super().__init__("envoy", [
            sys.executable, str(Path(suites) / "conformance/oracle.py"), "--config", "{config}", "--admin", f"127.0.0.1:{admin_port}",
            "--log-level", "warning"], directory, {port: port for port in ports}, admin_port, {"ENVOY": str(envoy_program())})
