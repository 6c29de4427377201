"""Programs that a benchmark starts: compiled, pinned, asked whether they are ready, watched and ended."""
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

HARNESS = Path(__file__).resolve().parent
ROOT = HARNESS.parent.parent
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
START_SECONDS = 20
STOP_SECONDS = 5
COMPILE_SECONDS = 120
PR_SET_PDEATHSIG = 1
BENCH_HOST = "bench.example.com"


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


def get(port, path, headers=None, timeout=5):
    """Status and body of one request on a fresh connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Host": BENCH_HOST} | (headers or {}))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def end_with_parent():
    """Runs in the child: should this program be killed outright, the kernel ends what it started."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def compile_c(source, target, *flags):
    """Compiles one C file; `flags` may name libraries."""
    subprocess.run([os.environ.get("CC", "cc"), "-O2", source, "-o", target, *flags], check=True,
                   timeout=COMPILE_SECONDS, stdin=subprocess.DEVNULL)
    return target


def which(name):
    """The path of an installed program."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise Unavailable(f"{name} is not installed")
    return found


def said_by(command):
    """What a program says, on either stream, when asked for its version or its help."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stdout + done.stderr).strip()


def version(command):
    """The first line a program says about its version."""
    return (said_by(command).splitlines() or ["?"])[0]


def fill(template, target, **values):
    """Writes a configuration with its @PLACES@ filled in."""
    text = template.read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    target.write_text(text)
    return target


class Program:
    """One started process, pinned to a core unless that is None."""

    def __init__(self, name, command, core, log, environment=None):
        self.name = name
        self.log = log
        pinned = ["taskset", "-c", str(core)] if core is not None else []
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                [*pinned, *map(str, command)], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                preexec_fn=end_with_parent, env=os.environ | (environment or {}))

    def wait_ready(self, probe, seconds=START_SECONDS):
        """Waits until `probe()` is true; it may raise while the program is not listening yet."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Broken(f"{self.name} ended with {self.process.returncode}: {self.last_words()}")
            try:
                if probe():
                    return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.02)
        raise Broken(f"{self.name} was not ready after {seconds} s: {self.last_words()}")

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

    def memory_bytes(self, kind="Pss"):
        """Resident memory of the family; as `Pss`, pages that several processes share are divided between them."""
        kilobytes = 0
        for pid in self.family():
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith(f"{kind}:"))
        return kilobytes * 1024

    def stop(self):
        """Ends the program and its children by their process ids, first asking, then not."""
        family = self.family()
        send(family[0], signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in family:
                send(pid, signal.SIGKILL)
            self.process.wait()

    def last_words(self):
        """The end of what the program printed."""
        text = Path(self.log).read_text(errors="replace").strip()
        return text[-500:] or "(no output)"


def stat_fields(pid):
    """The fields of /proc/PID/stat from `state` on, or None when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def send(pid, number):
    """Sends a signal to a process that may have ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class Backend(Program):
    """The origin behind every measured proxy."""

    source, libraries = "backend.c", ()

    def __init__(self, directory, core=None):
        self.port = free_port()
        name = Path(self.source).stem
        program = compile_c(HARNESS / self.source, directory / name, *self.libraries)
        super().__init__(name, [program, self.port], core, directory / f"{name}.log")
        try:
            self.wait_ready(lambda: self.ask("/count")[0] == 200)
        except BaseException:
            self.stop()
            raise

    def ask(self, path):
        """Status and body of one request."""
        return get(self.port, path)

    def count(self):
        """The requests answered so far, once the number stands still: some may still be on their way."""
        before, deadline = -1, time.monotonic() + 2
        while (now := int(self.ask("/count")[1])) != before and time.monotonic() < deadline:
            before = now
            time.sleep(0.05)
        return now
