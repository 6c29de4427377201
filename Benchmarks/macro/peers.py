"""The programs that are measured: how each is started, asked whether it is ready, watched and ended."""
import ctypes
import http.client
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
START_SECONDS = 10
STOP_SECONDS = 5


class Unavailable(Exception):
    """The program is not installed or not built; its row is left out."""


class Broken(Exception):
    """The program is there but does not do what the benchmark needs."""


def free_port(taken=set()):
    """A loopback port nobody listens on, outside the kernel's range for outgoing connections, never given twice."""
    for _ in range(1000):
        port = random.randint(10_000, 30_000)
        if port in taken:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        taken.add(port)
        return port
    raise Broken("no free loopback port found")


def get(port, path, timeout=5):
    """Status and body of one request on a fresh connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Host": "bench.example.com"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def end_with_parent():
    """Runs in the child: should this program be killed outright, the kernel ends what it started."""
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGTERM)  # 1 is PR_SET_PDEATHSIG


class Program:
    """One started process, pinned to a core."""

    def __init__(self, name, command, core, log):
        self.name = name
        self.log = log
        pinned = ["taskset", "-c", str(core), *map(str, command)]
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                pinned, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, preexec_fn=end_with_parent)

    def wait_ready(self, probe):
        """Waits until `probe()` is true; it may raise while the program is not listening yet."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Broken(f"{self.name} ended with {self.process.returncode}: {self.last_words()}")
            try:
                if probe():
                    return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.02)
        raise Broken(f"{self.name} was not ready after {START_SECONDS} s: {self.last_words()}")

    def family(self):
        """Process ids of the program and of everything it started."""
        children = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (fields := stat_fields(entry.name)):
                children.setdefault(int(fields[1]), []).append(int(entry.name))
        family = [self.process.pid]
        for pid in family:
            family += children.get(pid, [])
        return family

    def cpu_seconds(self):
        """User and system time so far, of all threads and child processes."""
        ticks = 0
        for pid in self.family():
            if fields := stat_fields(pid):
                ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS_PER_SECOND

    def stop(self):
        """Ends the program and its children by their process ids, first asking, then not."""
        family = self.family()
        for pid in family[:1]:
            send(pid, signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in family:
                send(pid, signal.SIGKILL)
            self.process.wait()

    def last_words(self):
        text = Path(self.log).read_text(errors="replace").strip()
        return text[-500:] or "(no output)"


def stat_fields(pid):
    """The fields of /proc/PID/stat from `state` on, or None when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def which(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise Unavailable(f"{name} is not installed")
    return found


def version(command):
    """The first line a program says about its version; nginx says it on the error stream."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return ((done.stdout + done.stderr).strip().splitlines() or ["?"])[0]


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
