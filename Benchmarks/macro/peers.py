"""The proxies that are measured: how each is configured and started."""
from pathlib import Path

from harness.programs import Program, Unavailable, free_port, get, version, which

HERE = Path(__file__).resolve().parent


def fill(template, target, **values):
    """Writes a configuration with its @PLACES@ filled in."""
    text = (HERE / "peers" / template).read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    Path(target).write_text(text)
    return target


class Peer:
    """A proxy under measurement, started in front of the backend and ready."""

    def __init__(self, name, directory, core, backend_port, options):
        self.name = name
        self.port = free_port()
        probe = self.answers
        if name == "floor":
            command = [options.programs / "relay", self.port, backend_port]
            self.version = "raw byte relay"
        elif name == "nginx":
            config = fill(
                "nginx.conf", directory / "nginx.conf", DIRECTORY=directory, LISTEN=self.port, BACKEND=backend_port)
            command = [which("nginx"), "-e", "stderr", "-p", directory, "-c", config]
            self.version = version([command[0], "-v"])
        elif name == "haproxy":
            config = fill("haproxy.cfg", directory / "haproxy.cfg", LISTEN=self.port, BACKEND=backend_port)
            command = [which("haproxy"), "-db", "-q", "-f", config]
            self.version = version([command[0], "-v"])
        elif name == "weir":
            command = self.weir_command(directory, backend_port, options)
            self.version = version([command[0], "version"])
        else:
            raise Unavailable(f"no peer is called {name}")
        self.program = Program(name, command, core, directory / f"{name}.log")
        try:
            self.program.wait_ready(probe)
        except BaseException:
            self.program.stop()
            raise

    def weir_command(self, directory, backend_port, options):
        if not options.weir.exists():
            raise Unavailable(f"{options.weir} is not built")
        config = directory / "weir"
        config.mkdir()
        fill("weir.yaml", config / "bench.yaml", LISTEN=self.port, BACKEND=backend_port)
        return [options.weir, "serve", "--config", config, "--admin", f"127.0.0.1:{free_port()}", "--health", "off",
                "--bind", "127.0.0.1", "--workers", "1"]

    def answers(self):
        return get(self.port, "/")[0] == 200
