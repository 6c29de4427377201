"""Three ways to count what a process does, none of which depends on the machine's speed or needs privileges.

Each counter says how to start the process (`command`, `environment`) and then, while it runs, how much it has done so
far (`read`). Two readings around a known number of requests give the cost of one.
"""
import mmap
import os
import struct
import subprocess
import time
from pathlib import Path

from harness import programs

HERE = Path(__file__).resolve().parent
DUMP_SECONDS = 60
COPY_SECONDS = 60


def preload(name, directory):
    """Compiles one of the libraries here and returns its path."""
    return programs.compile_c(HERE / f"{name}.c", directory / f"{name}.so", "-shared", "-fPIC", "-pthread")


class Allocations:
    """Heap allocations, by a preloaded library."""

    name = "allocations"
    warm_up, requests = 2_000, 10_000

    def __init__(self, directory):
        self.file = directory / "malloc_count"
        self.file.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(preload("malloc_count", directory)), "WEIR_MALLOC_COUNT": str(self.file)}
        with open(self.file, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 8)

    def command(self, command):
        """The command that starts the process under this counter."""
        return command

    def read(self):
        """The number so far."""
        return struct.unpack("=Q", self.memory[:8])[0]


class SystemCalls:
    """System calls of all threads, by strace."""

    name = "system calls"
    warm_up, requests = 1_000, 2_000
    environment = {}

    def __init__(self, directory):
        self.strace = programs.which("strace")
        self.file = directory / "strace"
        self.calls = {}
        self.offset = 0

    def command(self, command):
        """The command that starts the process under this counter."""
        return [self.strace, "-f", "-qq", "-s", "0", "-e", "signal=none", "-o", self.file, *command]

    def read(self):
        """The number so far; `calls` has it by name."""
        with open(self.file, "rb") as file:
            file.seek(self.offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self.offset += len(line)
                # "PID name(...) = 0", or in two parts: "PID name( <unfinished ...>", "PID <... name resumed>) = 0"
                call = line.split(None, 1)[1].partition(b"(")[0]
                if not call.startswith(b"<"):
                    self.calls[call.decode()] = self.calls.get(call.decode(), 0) + 1
        return sum(self.calls.values())


class Instructions:
    """Instructions in user mode of all threads, by callgrind. Its files can be read with callgrind_annotate."""

    name = "instructions"
    warm_up, requests = 1_000, 2_000

    def __init__(self, directory):
        self.valgrind, self.objcopy = programs.which("valgrind"), programs.which("objcopy")
        self.copy = directory / "without-debug-info"
        self.out = directory / "callgrind.out"
        pipe = directory / "mark"
        os.mkfifo(pipe)
        self.pipe = os.open(pipe, os.O_RDWR | os.O_CLOEXEC)
        # Swift seeds its hashing at random; the same work must be counted in each run.
        self.environment = {"LD_PRELOAD": str(preload("mark", directory)), "WEIR_MARK": str(pipe),
                            "SWIFT_DETERMINISTIC_HASHING": "1"}
        self.dumps = 0
        self.total = 0

    def command(self, command):
        """The command that starts the process under this counter."""
        # Debian 12's valgrind gives up on the debug information of newer compilers; the symbols stay.
        subprocess.run([self.objcopy, "--strip-debug", command[0], self.copy], check=True, timeout=COPY_SECONDS)
        return [self.valgrind, "--tool=callgrind", "-q", "--fair-sched=yes", "--dump-before=weir_mark",
                f"--callgrind-out-file={self.out}", self.copy, *command[1:]]

    def read(self):
        """The number so far. Each reading makes callgrind write a file with what was done since the one before."""
        os.write(self.pipe, b".")
        self.dumps += 1
        dump, deadline = Path(f"{self.out}.{self.dumps}"), time.monotonic() + DUMP_SECONDS
        while time.monotonic() < deadline:
            lines = dump.read_text().splitlines() if dump.exists() else []
            if lines and lines[-1].startswith("totals:"):
                self.total += int(lines[-1].split()[1])
                return self.total
            time.sleep(0.05)
        raise programs.Broken(f"callgrind did not write {dump}")


COUNTERS = [Instructions, SystemCalls, Allocations]
